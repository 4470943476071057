from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from guestbook.models import Entry

ENTRIES_SHOWN = 20


def home(request: HttpRequest) -> HttpResponse:
    """The guest book; POST signs it."""
    if request.method == "POST":
        name = request.POST.get("name", "").strip()[:80]
        if name:
            Entry.objects.create(name=name)
        return redirect("/")
    try:
        entries = list(Entry.objects.all()[:ENTRIES_SHOWN])
    except DatabaseError:
        # SQLite in a dyno is this dyno's own new file: what the release dyno migrated is not in it.
        return render(request, "guestbook/home.html", {"without_database": True})
    return render(request, "guestbook/home.html", {"entries": entries})


def health(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")
