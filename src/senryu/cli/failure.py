"""How the command line says no: one sentence, a hint, an exit status."""

from __future__ import annotations

USAGE = 1
API = 2
INTERRUPTED = 130


class Failure(Exception):
    """Ends a command.

    Takes: `message`, what failed and about which thing, no full stop; `hint`, what to do next;
    `status`, the exit status (1 usage or this machine, 2 the platform said no, 100 not logged in).
    """

    def __init__(self, message: str, *, hint: str | None = None, status: int = USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status


class Refusal(Failure):
    """The platform answered with an error; `code` is its HTTP status and `id` Heroku's error id."""

    def __init__(self, message: str, *, code: int, id: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint, status=API)
        self.code = code
        self.id = id
