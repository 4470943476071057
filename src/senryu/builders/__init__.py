"""Source to slug: classic buildpacks in a container of their own."""

from .container import ContainerBuilder

__all__ = ["ContainerBuilder"]
