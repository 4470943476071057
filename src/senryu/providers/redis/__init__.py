"""Key-value stores as add-ons: a Redis server of its own for each."""

from .plans import SERVICE
from .supplier import RedisSupplier

__all__ = ["SERVICE", "RedisSupplier"]
