"""Object storage: the supplier of `senryu-objects` and `bucketeer`."""

from __future__ import annotations

from .plans import BUCKETEER, OBJECTS
from .supplier import ObjectsSupplier

__all__ = ["BUCKETEER", "OBJECTS", "ObjectsSupplier"]
