"""Certificate authorities: the Authority contract of `core/certificate_order.py`, by ACME."""
