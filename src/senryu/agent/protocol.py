"""What `senryud` may ask of the agent and what it answers: one tagged union each way, decoded strictly.

One connection carries one request. Most get one answer; `Watch` gets answers for ever, `RunInside` and `AwaitEnd` a last `Exited`.
A message is a length (4 bytes, network order) and MessagePack; open files travel beside `Opened` (unix(7), SCM_RIGHTS).
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from senryu.core.archive import DatabaseAddress
from senryu.core.data_server import DataServer, Kind
from senryu.core.dyno import DynoOrder, ObservedDyno
from senryu.core.errors import Conflict, Forbidden, Invalid, NotFound, PlatformError, Unavailable
from senryu.core.key_value_store import StoreOrder, StoreServer
from senryu.core.object_store import BucketOrder, BucketUse

REQUEST_MAX_BYTES = 2 * 1024 * 1024
ANSWER_MAX_BYTES = 16 * 1024 * 1024


class _Request(msgspec.Struct, forbid_unknown_fields=True, tag_field="do"):
    pass


class Start(_Request, tag="start"):
    """Engine.start."""

    order: DynoOrder


class Signal(_Request, tag="signal"):
    """Engine.signal."""

    dyno_id: UUID
    signal: Literal["TERM", "HUP", "KILL"]


class Remove(_Request, tag="remove"):
    """Engine.remove."""

    dyno_id: UUID


class ListDynos(_Request, tag="list_dynos"):
    """Engine.dynos."""


class Watch(_Request, tag="watch"):
    """Every dyno once, then each as it changes, for ever."""


class Attach(_Request, tag="attach"):
    """Engine.attach. `Opened` brings the attach socket and the control pipe."""

    dyno_id: UUID


class AwaitEnd(_Request, tag="await_end"):
    """Answers `Exited` when the dyno has ended."""

    dyno_id: UUID


class RunInside(_Request, tag="run_inside"):
    """Engine.run_inside. `Opened` brings the terminal, or stdin and output; closing the connection hangs up on the command."""

    dyno_id: UUID
    command: str
    env: dict[str, str]
    tty: bool
    columns: int
    lines: int


class OpenOutput(_Request, tag="open_output"):
    """`Opened` brings, for reading, the file of the dyno's output behind the one whose inode is `after`; the oldest left for 0.

    NotFound when there is none: the one with that inode is still being written to, or the dyno is gone.
    """

    dyno_id: UUID
    after: int = 0


class ImportStack(_Request, tag="import_stack"):
    """Unpacks a directory, a tarball or an OCI image reference as the root of the stack `name`."""

    name: str
    source: str


class RunData(_Request, tag="run_data"):
    """DataServers.run_data; answered by `Serves`."""

    kind: Kind


class EndStandby(_Request, tag="end_standby"):
    """DataServers.end_standby."""


class MeasureStandby(_Request, tag="measure_standby"):
    """DataServers.standby_bytes; answered by `Used`."""


class RunStore(_Request, tag="run_store"):
    """StoreServers.run_store; answered by `ServesStore`."""

    order: StoreOrder


class RemoveStore(_Request, tag="remove_store"):
    """StoreServers.remove_store."""

    id: UUID


class MakeBucket(_Request, tag="make_bucket"):
    """ObjectServer.make_bucket."""

    order: BucketOrder


class LimitBucket(_Request, tag="limit_bucket"):
    """ObjectServer.limit_bucket."""

    bucket: str
    quota_bytes: int


class RemoveBucket(_Request, tag="remove_bucket"):
    """ObjectServer.remove_bucket."""

    bucket: str


class ListBuckets(_Request, tag="list_buckets"):
    """ObjectServer.bucket_uses; answered by `Buckets`."""


class RunArchiveProgram(_Request, tag="run_archive_program"):
    """pg_dump or pg_restore, see core.archive. `Opened` brings stdin, stdout and stderr; closing the connection ends the program."""

    program: Literal["dump", "entries", "restore"]
    database: DatabaseAddress | None = None
    extensions: list[str] | None = None
    entries: str = ""
    clean: bool = False


class KeepHistory(_Request, tag="keep_history"):
    """History.keep."""

    days: int


class Rewind(_Request, tag="rewind"):
    """History.rewind; answered by `Serves`."""

    id: UUID
    at: datetime
    database: str


class MeasureHistory(_Request, tag="measure_history"):
    """History.used_bytes; answered by `Used`."""


class ForgetRewound(_Request, tag="forget_rewound"):
    """History.forget."""

    id: UUID


Request: TypeAlias = (
    Start
    | Signal
    | Remove
    | ListDynos
    | Watch
    | Attach
    | AwaitEnd
    | RunInside
    | OpenOutput
    | ImportStack
    | RunData
    | EndStandby
    | MeasureStandby
    | RunStore
    | RemoveStore
    | MakeBucket
    | LimitBucket
    | RemoveBucket
    | ListBuckets
    | RunArchiveProgram
    | KeepHistory
    | Rewind
    | ForgetRewound
    | MeasureHistory
)


class _Answer(msgspec.Struct, forbid_unknown_fields=True, tag_field="is"):
    pass


class Done(_Answer, tag="done"):
    """It was done."""


class Failed(_Answer, tag="failed"):
    """It was not done; `message` is for the user."""

    kind: Literal["invalid", "not_found", "conflict", "forbidden", "unavailable"]
    message: str


class Dynos(_Answer, tag="dynos"):
    """All dynos."""

    dynos: list[ObservedDyno]


class Changed(_Answer, tag="changed"):
    """One dyno as it is now."""

    dyno: ObservedDyno


class Opened(_Answer, tag="opened"):
    """The open files asked for come beside this message. `lost` is how many lines right before an output file are gone."""

    tty: bool = False
    lost: int = 0


class Serves(_Answer, tag="serves"):
    """Where a data server is."""

    server: DataServer


class ServesStore(_Answer, tag="serves_store"):
    """Where a key-value store is."""

    server: StoreServer


class Buckets(_Answer, tag="buckets"):
    """What buckets there are and what they hold."""

    uses: list[BucketUse]


class Used(_Answer, tag="used"):
    """How much room something takes."""

    bytes: int


class Exited(_Answer, tag="exited"):
    """The dyno or command ended with `status`, as a shell gives it."""

    status: int


Answer: TypeAlias = Done | Failed | Dynos | Changed | Opened | Exited | Serves | ServesStore | Buckets | Used

_ERRORS: dict[str, type[PlatformError]] = {
    "invalid": Invalid,
    "not_found": NotFound,
    "conflict": Conflict,
    "forbidden": Forbidden,
    "unavailable": Unavailable,
}
_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_answers = msgspec.msgpack.Decoder(Answer)


def encoded(message: Request | Answer) -> bytes:
    """The bytes of a message."""
    return _encoder.encode(message)


def read_request(payload: bytes) -> Request:
    """The request in `payload`. Raises: Invalid when it is none of ours."""
    try:
        return _requests.decode(payload)  # type: ignore[no-any-return]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Invalid("The agent does not know this request; senryud and senryu-agent must be of one version.") from error


def read_answer(payload: bytes) -> Answer:
    """The answer in `payload`. Raises: Unavailable when it is none of ours."""
    try:
        return _answers.decode(payload)  # type: ignore[no-any-return]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise Unavailable("The agent's answer cannot be read; senryud and senryu-agent must be of one version.") from error


def failure(error: PlatformError) -> Failed:
    """A platform error as an answer."""
    for kind, known in _ERRORS.items():
        if isinstance(error, known):
            return Failed(kind=kind, message=error.message)  # type: ignore[arg-type]
    return Failed(kind="unavailable", message=error.message)


def raised(answer: Failed) -> PlatformError:
    """The platform error an answer stands for."""
    return _ERRORS[answer.kind](answer.message)
