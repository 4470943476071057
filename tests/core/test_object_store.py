"""How much buckets may take, and what is no bucket."""

from __future__ import annotations

import pytest

from senryu.core.errors import Invalid
from senryu.core.limits import MIB
from senryu.core.object_store import BUCKETS_PER_ORDER_MAX, BucketOrder, BucketUse, buckets_in, check_bucket, check_order, rooms

BUCKET = "senryu-0123456789abcdef0123"


def test_a_bucket_may_take_what_its_quota_leaves() -> None:
    assert rooms([BucketUse(BUCKET, 3 * MIB, 3 * MIB, 8 * MIB)]) == {BUCKET: 5 * MIB}
    assert rooms([BucketUse(BUCKET, 8 * MIB, 8 * MIB, 8 * MIB)]) == {BUCKET: 0}
    assert rooms([BucketUse(BUCKET, 9 * MIB, 9 * MIB, 8 * MIB)]) == {BUCKET: 0}


def test_who_deletes_and_writes_without_end_waits_until_the_disk_is_cleared() -> None:
    assert rooms([BucketUse(BUCKET, 0, 80 * MIB, 8 * MIB)]) == {BUCKET: 8 * MIB}
    assert rooms([BucketUse(BUCKET, 0, 81 * MIB, 8 * MIB)]) == {BUCKET: 0}


def test_buckets_are_found_among_config_vars_each_once() -> None:
    other = BUCKET[:-1] + "f"
    said = ["x", BUCKET, f"http://objects.localhost/{other}/kite.jpg", f"http://{BUCKET}.objects.localhost/", f"{BUCKET}\n"]
    assert buckets_in(said) == (BUCKET, other)
    assert buckets_in([f"{BUCKET}0", f"x{BUCKET}", f"my-{BUCKET}", f"{BUCKET}-1", BUCKET.upper()]) == ()
    many = [f"senryu-{number:020x}" for number in range(BUCKETS_PER_ORDER_MAX + 9)]
    assert buckets_in([" ".join(many)]) == tuple(many[:BUCKETS_PER_ORDER_MAX])


@pytest.mark.parametrize("bucket", ["", "other", f"{BUCKET}0", f"{BUCKET}\n", "senryu-0123456789ABCDEF0123", "senryu-0123456789abcdef012;"])
def test_nothing_but_a_bucket_of_the_platforms_reaches_a_command_line(bucket: str) -> None:
    with pytest.raises(Invalid):
        check_bucket(bucket)


@pytest.mark.parametrize(
    ("access_key", "secret_key", "quota_bytes"),
    [("short", "S" * 40, MIB), ("K" * 20, 'S" -apply\n' * 4, MIB), ("K" * 20, "S" * 40, MIB - 1), ("K" * 19 + " ", "S" * 40, MIB)],
)
def test_keys_are_letters_and_digits(access_key: str, secret_key: str, quota_bytes: int) -> None:
    with pytest.raises(Invalid, match=r"not valid|at least 1 MiB"):
        check_order(BucketOrder(BUCKET, access_key, secret_key, quota_bytes, is_public=False))
    check_order(BucketOrder(BUCKET, "K" * 20, "S" * 40, MIB, is_public=False))
