"""The scheduler as an add-on."""

from .supplier import SERVICE, SchedulerSupplier

__all__ = ["SERVICE", "SchedulerSupplier"]
