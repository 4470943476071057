from django.urls import path

from guestbook.views import health, home

urlpatterns = [path("", home), path("health", health)]
