"""A Flask app under gunicorn: a page, a JSON answer, a health check."""

import os

from flask import Flask, Response, jsonify, render_template, request

app = Flask(__name__)


@app.get("/")
def home() -> str:
    return render_template("home.html", name=request.args.get("name", "world"))


@app.get("/api/release")
def release() -> Response:
    return jsonify(release=os.environ.get("HEROKU_RELEASE_VERSION", "unknown"), dyno=os.environ.get("DYNO", "unknown"))


@app.get("/health")
def health() -> str:
    return "ok\n"
