"""What is done to buckets by `weed shell`, the S3 server's own administration, which tells success and failure by what it says only.

So each change is followed by a look at what is there.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from collections.abc import Callable, Sequence

from senryu.core.errors import Unavailable
from senryu.core.limits import MIB
from senryu.core.object_store import BUCKET, BucketOrder, BucketUse

Shell = Callable[[list[str]], str]

_TIMEOUT_S = 10.0
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_LINE = re.compile(r"\s+(\S+)\tsize:(\d+)\tlogical:(\d+)\tchunk:\d+(?:\tquota:(\d+))?")
_ACTIONS = "Read,Write,List,Tagging"
NOBODY = "senryu-nobody"  # whom the server always knows


def run(words: Sequence[str], commands: list[str]) -> str:
    """Says commands; gives what was answered. Blocks. Raises: Unavailable.

    `timeout` and not the agent ends what takes too long: a program that outlived the agent would carry on with what was given up.
    """
    words, text = ("timeout", "--signal=KILL", f"{_TIMEOUT_S:g}", *words), "\n".join([*commands, ""])
    environment, status = {"HOME": "/tmp", "PATH": _PATH}, -signal.SIGKILL
    with contextlib.suppress(subprocess.TimeoutExpired):  # should the kernel not let go of it
        done = subprocess.run(
            words, input=text, capture_output=True, text=True, timeout=2 * _TIMEOUT_S, check=False, cwd="/", env=environment
        )
        status = done.returncode
    if status == -signal.SIGKILL:  # `timeout` ends itself with it
        raise Unavailable("The S3 server of the platform does not answer; try again in a minute.")
    return done.stdout + done.stderr


def make(shell: Shell, order: BucketOrder) -> None:
    """See ObjectServer. One shell for all: each takes a quarter of a second to begin."""
    bucket = order.bucket
    there = shell(
        [
            f"s3.bucket.create -name {bucket} -owner {bucket}",
            f"s3.bucket.quota -name={bucket} -op=set -sizeMB={order.quota_bytes // MIB}",
            f"s3.user.delete -name {bucket}",
            f"s3.configure -user={bucket} -access_key={order.access_key} -secret_key={order.secret_key}"
            f" -buckets={bucket} -actions={_ACTIONS} -apply",
            *([f"s3.anonymous.set -bucket {bucket} -access Read"] if order.is_public else []),
            "s3.bucket.list",
            f"s3.accesskey.list -user {bucket}",
        ]
    )
    has_key = re.search(rf"^{re.escape(order.access_key)} +Active$", there, re.MULTILINE) is not None
    _expect(_quotas(there).get(bucket) == order.quota_bytes and has_key, bucket, "made")


def limit(shell: Shell, bucket: str, quota_bytes: int) -> None:
    """See ObjectServer."""
    there = shell([f"s3.bucket.quota -name={bucket} -op=set -sizeMB={quota_bytes // MIB}", "s3.bucket.list"])
    _expect(_quotas(there).get(bucket) == quota_bytes, bucket, "given another quota")


def remove(shell: Shell, bucket: str) -> None:
    """See ObjectServer. The keys first: nothing is written while it goes."""
    shell([f"s3.user.delete -name {bucket}", f"s3.anonymous.set -bucket {bucket} -access none", f"s3.bucket.delete -name {bucket}"])
    there = shell(["s3.bucket.list", "s3.user.list"])
    _expect(f'"{NOBODY}"' in there and bucket not in there, bucket, "taken away")


def uses(shell: Shell) -> list[BucketUse]:
    """See ObjectServer."""
    said = shell(["s3.bucket.list"])
    found = [match for line in said.splitlines() if (match := _LINE.match(line)) and BUCKET.match(match[1])]
    return [BucketUse(match[1], int(match[3]), int(match[2]), int(match[4] or 0)) for match in found]


def _quotas(said: str) -> dict[str, int]:
    return {match[1]: int(match[4] or 0) for line in said.splitlines() if (match := _LINE.match(line))}


def _expect(is_so: bool, bucket: str, done: str) -> None:
    if not is_so:
        raise Unavailable(f"The bucket {bucket} could not be {done}; try again in a minute.")
