"""The History contract, carried out by asking the agent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

from senryu.agent import protocol
from senryu.core.archive import History
from senryu.core.limits import TRANSFER_TIMEOUT_S

from . import client

_FORGET_TIMEOUT_S = 120.0


class ContainerHistory:
    """Of the server of `home`."""

    def __init__(self, home: Path) -> None:
        self._socket = home / "run" / "agent.sock"

    async def keep(self, days: int) -> None:
        """See History."""
        await client.ask(self._socket, protocol.KeepHistory(days), TRANSFER_TIMEOUT_S)

    async def rewind(self, id: UUID, at: datetime, database: str) -> str:
        """See History."""
        answer = (await client.ask(self._socket, protocol.Rewind(id, at, database), TRANSFER_TIMEOUT_S)).answer
        if not isinstance(answer, protocol.Serves):
            raise client.silent()
        return answer.server.sockets

    async def used_bytes(self) -> int:
        """See History."""
        answer = (await client.ask(self._socket, protocol.MeasureHistory())).answer
        if not isinstance(answer, protocol.Used):
            raise client.silent()
        return answer.bytes

    async def forget(self, id: UUID) -> None:
        """See History."""
        await client.ask(self._socket, protocol.ForgetRewound(id), _FORGET_TIMEOUT_S)


_: type[History] = ContainerHistory
