"""Pictures as files beside the program: gone when the dyno is."""

from pathlib import Path
from secrets import token_hex

from flask import Flask

TYPES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}
FOLDER = Path(__file__).parent / "uploads"


def init_app(app: Flask) -> None:
    """Makes room for them."""
    FOLDER.mkdir(exist_ok=True)


def all_names() -> list[str]:
    """The newest first."""
    return [path.name for path in sorted(FOLDER.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)]


def add(content: bytes, mimetype: str) -> str:
    """Gives the name under which it is found."""
    name = token_hex(8) + TYPES[mimetype]
    (FOLDER / name).write_bytes(content)
    return name


def find(name: str) -> tuple[bytes, str] | None:
    """Content and type."""
    if name not in all_names():
        return None
    path = FOLDER / name
    return path.read_bytes(), next(mimetype for mimetype, suffix in TYPES.items() if suffix == path.suffix)
