"""The API's OpenAPI 3.1 document, made from two tables: resources and operations.

Source: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from .document import document

__all__ = ["document"]
