"""Routers: take requests from outside to dynos. HAProxy, and memory for tests."""
