"""git's packet lines, as far as the door must read or write them itself.

Source: https://git-scm.com/docs/gitprotocol-pack, https://git-scm.com/docs/gitprotocol-http
"""

from __future__ import annotations

from senryu.core.errors import BadRequest, Invalid

FLUSH = b"0000"
_HEADER_BYTES = 4


def packet(payload: bytes) -> bytes:
    """One packet line."""
    return b"%04x" % (len(payload) + _HEADER_BYTES) + payload


class RefListBound:
    """Watches a push go by and stops one whose list of refs, which git holds in memory, is too long."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._pending = b""
        self._is_over = False

    def see(self, chunk: bytes) -> None:
        """Looks at the next bytes of the request. Raises: Invalid when the list is too long, BadRequest when it is no packet line."""
        if self._is_over:
            return
        self._pending += chunk
        while len(self._pending) >= _HEADER_BYTES:
            length = _length(self._pending[:_HEADER_BYTES])
            if length == 0:
                self._is_over = True
                self._pending = b""
                return
            if length > self._left:
                raise Invalid("The push names too many branches and tags at once; push fewer, for example `git push senryu main`.")
            if length > len(self._pending):
                return
            self._left -= length
            self._pending = self._pending[length:]


def _length(header: bytes) -> int:
    try:
        length = int(header, 16)
    except ValueError:
        length = 1
    if 0 < length < _HEADER_BYTES or length < 0:
        raise BadRequest("The push is not in git's form; update git and try again.")
    return length
