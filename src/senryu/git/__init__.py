"""The side door: git over HTTP. A push to main becomes a deploy."""

from .door import GitDoor
from .target import Authorize, Deploy, PushTarget

__all__ = ["Authorize", "Deploy", "GitDoor", "PushTarget"]
