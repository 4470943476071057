"""Pictures as objects of a bucket, their names in the database. Those added on the branch before stay where they are."""

import os
from secrets import token_hex

import boto3
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column

TYPES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}

db = SQLAlchemy()
bucket = os.environ.get("AWS_S3_BUCKET")
if not bucket:
    raise RuntimeError("There is no bucket: the config var AWS_S3_BUCKET is not set.")
store = boto3.client("s3")


def init_app(app: Flask) -> None:
    """Connects to the database that the platform gives. SQLAlchemy wants its driver named in the URL."""
    given = os.environ.get("DATABASE_URL")
    if not given:
        raise RuntimeError("There is no database: the config var DATABASE_URL is not set.")
    app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg://" + given.partition("://")[2]
    db.init_app(app)
    Migrate(app, db)


class Picture(db.Model):
    __tablename__ = "pictures"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    content_type: Mapped[str]
    content: Mapped[bytes | None]


def all_names() -> list[str]:
    """The newest first."""
    return list(db.session.scalars(db.select(Picture.name).order_by(Picture.id.desc())))


def add(content: bytes, mimetype: str) -> str:
    """Gives the name under which it is found."""
    name = token_hex(8) + TYPES[mimetype]
    store.put_object(Bucket=bucket, Key=name, Body=content, ContentType=mimetype)
    db.session.add(Picture(name=name, content_type=mimetype))
    db.session.commit()
    return name


def find(name: str) -> tuple[bytes, str] | None:
    """Content and type."""
    found = db.session.scalar(db.select(Picture).filter_by(name=name))
    if found is None:
        return None
    return found.content or store.get_object(Bucket=bucket, Key=name)["Body"].read(), found.content_type
