"""What a router is set up with: where it lives, where it listens, how long it waits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from senryu.core import limits
from senryu.core.errors import Invalid

LOOPBACK = ("127.0.0.1", "::1")
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/+-]*\Z")
_UNIX_SOCKET_PATH_MAX = 107


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """One router's settings; times are seconds.

    `home` is the platform's home; `listen` are IP addresses both ports are bound on, `lan_address` is a private one where dynos visit
    apps; `slots` is how many apps fit before the configuration must grow; `source_connections` is how many of all `max_connections`
    one address may hold; `dyno_requests` is how many requests one dyno works on at once, the others queue; `app_connections` is how
    many requests of one app may be under way, `held_requests` how many of them before it has a dyno (H22 above); `forced_close_s` is
    how long a router that is replaced lets its connections go on (H24 then).
    Raises Invalid for a home whose path HAProxy or the kernel could not take.
    """

    home: Path
    domain: str = "localhost"
    port: int = 8080
    tls_port: int = 8443
    listen: tuple[str, ...] = LOOPBACK
    slots: int = 128
    max_connections: int = 8192
    source_connections: int = limits.CONNECTIONS_PER_SOURCE_MAX
    dyno_requests: int = limits.REQUESTS_PER_DYNO
    app_connections: int = limits.CONNECTIONS_PER_APP_MAX
    held_requests: int = limits.HELD_REQUESTS_PER_APP_MAX
    first_byte_timeout_s: float = limits.FIRST_BYTE_TIMEOUT_S
    idle_timeout_s: float = limits.IDLE_TIMEOUT_S
    connect_timeout_s: float = limits.CONNECT_TIMEOUT_S
    boot_timeout_s: float = limits.BOOT_QUEUE_TIMEOUT_S
    header_timeout_s: float = limits.REQUEST_HEADER_TIMEOUT_S
    platform_wait_s: float = limits.PLATFORM_RESTART_S
    forced_close_s: float = limits.PLATFORM_RESPONSE_TIMEOUT_S
    objects_host: str = ""
    lan_address: str = ""

    def __post_init__(self) -> None:
        longest = len(str(self.socket)) + len(".12345678.tmp")  # HAProxy binds under a longer name first
        if not _PLAIN_PATH.match(str(self.home)) or longest > _UNIX_SOCKET_PATH_MAX:
            raise Invalid(
                f"The home `{self.home}` cannot hold the router's sockets; choose a path of at most 70 letters, digits, `.`, `_` and `-`."
            )

    @property
    def objects_name(self) -> str:
        """The host name of object storage; its buckets are below it."""
        return self.objects_host or f"objects.{self.domain}"

    @property
    def objects_socket(self) -> Path:
        """Where the S3 server listens, when there is one."""
        return self.home / "data" / "objects" / "socket" / "s3.sock"

    @property
    def objects_script(self) -> Path:
        return self.folder / "objects.lua"

    @property
    def rooms(self) -> Path:
        """Bucket → bytes it may still take."""
        return self.folder / "rooms.map"

    @property
    def folder(self) -> Path:
        """Files HAProxy starts from."""
        return self.home / "router"

    @property
    def config(self) -> Path:
        return self.folder / "haproxy.cfg"

    @property
    def hold(self) -> Path:
        return self.folder / "hold.lua"

    @property
    def hosts(self) -> Path:
        return self.folder / "hosts.map"

    @property
    def apps(self) -> Path:
        return self.folder / "apps.map"

    @property
    def dynos(self) -> Path:
        """Slot → where its dynos listen."""
        return self.folder / "dynos.map"

    @property
    def error_pages(self) -> Path:
        return self.folder / "error_pages.map"

    @property
    def maintenance_pages(self) -> Path:
        return self.folder / "maintenance_pages.map"

    @property
    def log(self) -> Path:
        """Where HAProxy writes a line a request; `starter.sh` opens it."""
        return self.folder / "requests.log"

    @property
    def run_file(self) -> Path:
        """Remembers which file `log` was when positions were last given out."""
        return self.folder / "requests.run"

    @property
    def socket(self) -> Path:
        return self.home / "run" / "haproxy.sock"

    @property
    def reload_pipe(self) -> Path:
        """Where `starter.sh` reads that HAProxy is to start anew."""
        return self.home / "run" / "router.reload"

    @property
    def master_socket(self) -> Path:
        """HAProxy's own master, as versions without `starter.sh` had it: the router is not restarted by an upgrade."""
        return self.home / "run" / "haproxy-master.sock"

    @property
    def platform_socket(self) -> Path:
        return self.home / "run" / "senryud.sock"

    @property
    def waiting_socket(self) -> Path:
        """Where HAProxy says which sleeping apps are asked for."""
        return self.home / "run" / "waiting.sock"

    @property
    def tls(self) -> Path:
        return self.home / "tls"

    @property
    def certificates(self) -> Path:
        """The platform's own certificate, key included."""
        return self.tls / "certs"

    @property
    def host_certificates(self) -> Path:
        """Certificates of single hosts, one file each, key included."""
        return self.tls / "hosts"

    @property
    def certificate_list(self) -> Path:
        """Which of `host_certificates` is served for which host (HAProxy's crt-list)."""
        return self.folder / "certificates.list"

    @property
    def challenges(self) -> Path:
        return self.folder / "challenges.map"
