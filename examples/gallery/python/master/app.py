"""A page with all pictures, and a form that adds one."""

from flask import Flask, Response, abort, redirect, render_template, request

import pictures

app = Flask(__name__)
pictures.init_app(app)


@app.errorhandler(500)
def apologise(_: Exception) -> tuple[str, int]:
    """The log has the whole exception; visitors are told no more than this."""
    return "<!doctype html><title>Application error</title><h1>Application error</h1>\n", 500


@app.get("/")
def index() -> str:
    return render_template("gallery.html", pictures=pictures.all_names())


@app.post("/pictures")
def add() -> Response:
    upload = request.files.get("picture")
    if upload is None or upload.mimetype not in pictures.TYPES:
        return Response("Choose a picture (PNG, JPEG, GIF or WebP).\n", status=422, mimetype="text/plain")
    name = pictures.add(upload.read(), upload.mimetype)
    print(f"Stored the picture {name}", flush=True)
    return redirect("/", code=303)


@app.get("/pictures/<name>")
def show(name: str) -> Response:
    found = pictures.find(name)
    if found is None:
        abort(404)
    content, mimetype = found
    return Response(content, mimetype=mimetype, headers={"X-Content-Type-Options": "nosniff"})
