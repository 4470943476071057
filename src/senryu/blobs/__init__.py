"""Slug, source and backup objects: where they are kept."""

from .disk import DiskBlobStore
from .memory import MemoryBlobStore

__all__ = ["DiskBlobStore", "MemoryBlobStore"]
