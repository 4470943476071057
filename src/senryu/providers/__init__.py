"""Suppliers of add-ons. Each knows `core` only."""
