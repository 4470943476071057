"""Add-ons of others, by Heroku's Add-on Partner API."""

from .supplier import PartnerSupplier

__all__ = ["PartnerSupplier"]
