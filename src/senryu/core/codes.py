"""Error codes users know, with their fixed wording.

Source: https://devcenter.heroku.com/articles/error-codes
"""

from __future__ import annotations

from typing import Final

# code -> (at, description, status). Wording is what users grep their logs for.
H_CODES: Final[dict[str, tuple[str, str, int]]] = {
    "H10": ("error", "App crashed", 503),
    "H11": ("error", "Backlog too deep", 503),
    "H12": ("error", "Request timeout", 503),
    "H13": ("error", "Connection closed without response", 503),
    "H14": ("error", "No web processes running", 503),
    "H15": ("error", "Idle connection", 503),
    "H17": ("error", "Poorly formatted HTTP response", 503),
    "H18": ("error", "Server Request Interrupted", 503),
    "H19": ("error", "Backend connection timeout", 503),
    "H20": ("error", "App boot timeout", 503),
    "H21": ("error", "Backend connection refused", 503),
    "H22": ("error", "Connection limit reached", 503),
    "H24": ("error", "Forced close", 503),
    "H25": ("error", "HTTP Restriction", 502),
    "H26": ("error", "Request Error", 400),
    "H27": ("warning", "Client Request Interrupted", 499),
    "H28": ("warning", "Client Connection Idle", 499),
    "H80": ("info", "Maintenance mode", 503),
    "H81": ("info", "Blank app", 503),
    "H82": ("info", "Free dyno quota exhausted", 503),
    "H99": ("error", "Platform error", 503),
}

R10: Final = "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch"
R12: Final = "Error R12 (Exit timeout) -> Process failed to exit within 30 seconds of SIGTERM"
R13: Final = "Error R13 (Attach error) -> Failed to attach to process"
R14: Final = "Error R14 (Memory quota exceeded)"
R15: Final = "Error R15 (Memory quota vastly exceeded)"
R16: Final = (
    "Error R16 (Detached) -> An attached process is not responding to SIGHUP after its external connection was closed."
)
R17: Final = "Error R17 (Checksum error)"
R99: Final = "Error R99 (Platform error) -> Failed to launch the dyno within 10 seconds"
