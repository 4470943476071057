"""The router made of HAProxy 2.6 or newer, driven by its runtime API."""

from senryu.routers.haproxy.files import write_start_files
from senryu.routers.haproxy.router import HAProxyRouter
from senryu.routers.haproxy.settings import RouterSettings

__all__ = ["HAProxyRouter", "RouterSettings", "write_start_files"]
