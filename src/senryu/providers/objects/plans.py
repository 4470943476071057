"""The plans of object storage, under its own name and under Bucketeer's, whose config vars apps know.

Source: https://devcenter.heroku.com/articles/bucketeer (names, plans; sizes and prices are an operator's own affair);
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html (variables that SDKs read).
"""

from __future__ import annotations

from ...core.add_on import AddOnService, Plan
from ...core.limits import GIB

_PLANS = (("hobbyist", 5, 500), ("micro", 25, 1500), ("small", 100, 4000), ("medium", 250, 9000), ("large", 1000, 30000))
_BUCKETEER = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL_S3")


def _plans(service: str) -> tuple[Plan, ...]:
    return tuple(Plan(service, slug, slug.title(), price, {"bytes": gib * GIB}, slug == "hobbyist") for slug, gib, price in _PLANS)


# As `AWS`, its first attachment, it gives what SDKs read by themselves: `AWS_ACCESS_KEY_ID` and so on.
OBJECTS = AddOnService(
    name="senryu-objects",
    human_name="Senryu Objects",
    plans=_plans("senryu-objects"),
    first_attachment="AWS",
    later_attachments="OBJECTS",
    prefix="objects",
    keys=("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "DEFAULT_REGION", "ENDPOINT_URL_S3", "ENDPOINT_URL", "S3_BUCKET", "BUCKET_NAME"),
    aliases=("objects",),
)

# As `BUCKETEER` it gives both: apps written for Bucketeer name no endpoint, so their SDK must find it in its own variable.
BUCKETEER = AddOnService(
    name="bucketeer",
    human_name="Bucketeer",
    plans=_plans("bucketeer"),
    first_attachment="BUCKETEER",
    later_attachments="BUCKETEER",
    prefix="bucketeer",
    keys=(*_BUCKETEER, "BUCKET_NAME", *(f"BUCKETEER={variable}" for variable in _BUCKETEER)),
)
