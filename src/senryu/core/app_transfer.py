"""App transfers: an app offered to another account, which may accept it.

Source: schema `app-transfer`
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class TransferState(StrEnum):
    """How far a transfer is."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class AppTransfer:
    """An offer of `owner_id` to `recipient_id`."""

    id: UUID
    app_id: UUID
    owner_id: UUID
    recipient_id: UUID
    state: TransferState
    created_at: datetime
    updated_at: datetime
