"""Every setting, typed: flag, then environment, then file, then default.

The file is `$SENRYU_HOME/senryu.toml`; a test keeps the manual's page equal to the table.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .core.address import is_lan_address
from .core.dyno_size import size_named
from .core.errors import Invalid
from .core.first_database import OFF, SERVICE

_PORT_MAX = 65535
_SWITCH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_DOMAIN = re.compile(r"^(?=.{1,200}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")

_OBJECTS_URL = re.compile(r"^https?://[a-z0-9]([a-z0-9.-]{0,198}[a-z0-9])?(:[0-9]{1,5})?/?\Z")

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"

# name -> (environment variable, default, what it is)
SETTINGS: dict[str, tuple[str, Any, str]] = {
    "home": ("SENRYU_HOME", Path("/var/lib/senryu"), "directory of everything this copy keeps"),
    "port": ("SENRYU_PORT", 8080, "plain HTTP port"),
    "tls_port": ("SENRYU_TLS_PORT", 8443, "TLS port"),
    "rendezvous_port": ("SENRYU_RENDEZVOUS_PORT", 0, "TLS port of attached one-off dynos; 0: the TLS port plus 1000"),
    "domain": ("SENRYU_DOMAIN", "localhost", "apps answer at <app>.<domain>"),
    "listen": ("SENRYU_LISTEN", "", "address to listen on; empty: 127.0.0.1 and ::1"),
    "lan_address": ("SENRYU_LAN_ADDRESS", "", "private IPv4 address of this machine where dynos reach apps, too; empty: public ones only"),
    "database_url": ("SENRYU_DATABASE_URL", "", "SQLAlchemy URL; empty: SQLite below the home"),
    "postgres_admin_url": ("SENRYU_POSTGRES_ADMIN_URL", "", "server for PostgreSQL add-ons, with an administrator; empty: one of our own"),
    "objects_url": ("SENRYU_OBJECTS_URL", "", "address of object storage as apps and visitors use it; empty: http://objects.<domain>"),
    "first_database": ("SENRYU_FIRST_DATABASE", "heroku-postgresql:essential-0", "for first deploys that name a client of it; or `off`"),
    "default_size": ("SENRYU_DEFAULT_SIZE", "Standard-1X", "dyno size of new process types"),
    "allow_private_drains": ("SENRYU_ALLOW_PRIVATE_DRAINS", False, "whether log drains may lead into private networks and to this machine"),
    "allow_private_webhooks": ("SENRYU_ALLOW_PRIVATE_WEBHOOKS", False, "the same of webhooks"),
    "allow_private_partners": ("SENRYU_ALLOW_PRIVATE_PARTNERS", False, "the same of add-on services of others, then also without https"),
    "allow_private_backups": ("SENRYU_ALLOW_PRIVATE_BACKUPS", False, "the same of addresses that databases are restored and copied from"),
    "acme_directory": ("SENRYU_ACME_DIRECTORY", "", "whom certs:auto asks; empty: Let's Encrypt, on `localhost` nobody; or `off`"),
    "acme_email": ("SENRYU_ACME_EMAIL", "", "address the certificate authority may write to"),
    "acme_ca_file": ("SENRYU_ACME_CA_FILE", "", "PEM file of whom the directory's own TLS is trusted by; empty: the usual"),
    "slots": ("SENRYU_ROUTER_SLOTS", 128, "apps the router has room for without a reload"),
}


# These stay out of arguments, which are anybody's to read.
WITH_PASSWORDS = ("database_url", "postgres_admin_url")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force."""

    home: Path
    port: int
    tls_port: int
    rendezvous_port: int
    domain: str
    listen: str
    lan_address: str
    database_url: str
    postgres_admin_url: str
    objects_url: str
    first_database: str
    default_size: str
    allow_private_drains: bool
    allow_private_webhooks: bool
    allow_private_partners: bool
    allow_private_backups: bool
    acme_directory: str
    acme_email: str
    acme_ca_file: str
    slots: int

    @property
    def objects_host(self) -> str:
        """The host name of object storage."""
        return urlsplit(self.objects_url).hostname or f"objects.{self.domain}"

    @property
    def objects_endpoint(self) -> str:
        """What clients of object storage are given."""
        return self.objects_url.rstrip("/") or f"http://{self.objects_host}{_suffix(self.port, 80)}"

    @property
    def acme_directory_url(self) -> str:
        """Where certs:auto asks for certificates; empty when it does not."""
        if self.acme_directory:
            return "" if self.acme_directory == "off" else self.acme_directory
        return "" if self.domain == "localhost" else LETS_ENCRYPT

    @property
    def api_url(self) -> str:
        """Where clients on this machine reach the Platform API."""
        return f"http://localhost{_suffix(self.port, 80)}"

    @property
    def outside_url(self) -> str:
        """Where programs elsewhere reach the Platform API."""
        return self.api_url if self.domain == "localhost" else f"https://api.{self.domain}{_suffix(self.tls_port, 443)}"

    def web_url(self, app_name: str) -> str:
        """Where visitors reach an app."""
        return f"http://{app_name}.{self.domain}{_suffix(self.port, 80)}/"


def _beside(tls_port: int) -> int:
    return tls_port + 1000 if tls_port + 1000 <= 65535 else tls_port - 1000


def _suffix(port: int, default: int) -> str:
    return "" if port == default else f":{port}"


def _cast(name: str, value: Any, default: Any, where: str) -> Any:
    if isinstance(default, bool):
        if str(value).lower() not in _SWITCH:
            raise Invalid(f"The setting `{name}` ({where}) is `{value}`; use true or false.")
        return _SWITCH[str(value).lower()]
    if isinstance(default, int):
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = -1
        if isinstance(value, bool) or not 0 <= number <= _PORT_MAX:
            raise Invalid(f"The setting `{name}` ({where}) is `{value}`; use a number from 0 to 65535.")
        return number
    return Path(value).absolute() if isinstance(default, Path) else str(value)


def _written(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text()) if file.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise Invalid(f"{file} is not valid TOML: {problem}; correct it.") from None


def settings(flags: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings from `flags` (None: not given), environment, file and defaults.

    Raises: Invalid for an unknown key in the file or a value of the wrong kind.
    """
    home = Path(flags.get("home") or environment.get("SENRYU_HOME") or SETTINGS["home"][1]).absolute()
    file = home / "senryu.toml"
    written = _written(file)
    for key in written:
        if key not in SETTINGS:
            raise Invalid(f"{file} has the unknown setting `{key}`. Settings are {', '.join(SETTINGS)}.")
    values: dict[str, Any] = {}
    for name, (variable, default, _) in SETTINGS.items():
        if flags.get(name) is not None:
            values[name] = _cast(name, flags[name], default, "flag")
        elif environment.get(variable):
            values[name] = _cast(name, environment[variable], default, variable)
        elif name in written:
            values[name] = _cast(name, written[name], default, str(file))
        else:
            values[name] = default
    values["home"] = home
    beside = values["tls_port"] + (1000 if values["tls_port"] + 1000 <= _PORT_MAX else -1000)
    values["rendezvous_port"] = values["rendezvous_port"] or beside
    values["default_size"] = size_named(values["default_size"]).name
    if not _DOMAIN.match(values["domain"]):
        raise Invalid(f"The setting `domain` is `{values['domain']}`; use a host name in lower case, such as apps.example.com.")
    if values["lan_address"] and not is_lan_address(values["lan_address"]):
        raise Invalid(f"The setting `lan_address` is `{values['lan_address']}`; use a private IPv4 address, such as 192.168.1.10.")
    directory = values["acme_directory"]
    if directory not in ("", "off") and not directory.startswith("https://"):
        raise Invalid(f"The setting `acme_directory` is `{directory}`; use an https:// address, or off.")
    if values["objects_url"] and not _OBJECTS_URL.match(values["objects_url"]):
        raise Invalid(f"The setting `objects_url` is `{values['objects_url']}`; use an address such as https://objects.example.com.")
    plan = values["first_database"]
    if plan != OFF and plan.partition(":")[0] != SERVICE:
        raise Invalid(f"The setting `first_database` is `{plan}`; use a plan such as {SETTINGS['first_database'][1]}, or {OFF}.")
    values["database_url"] = values["database_url"] or default_database_url(home)
    assert set(values) == {field.name for field in fields(Settings)}
    return Settings(**values)


def explained(flags: Mapping[str, Any], wanted: Settings, environment: Mapping[str, str] = os.environ) -> list[tuple[str, str, str]]:
    """Each setting's name, value and where it came from; passwords in URLs are not shown."""
    file = wanted.home / "senryu.toml"
    written = tomllib.loads(file.read_text()) if file.is_file() else {}
    told = []
    for name, (variable, _, _) in SETTINGS.items():
        value = re.sub(r"(://[^:/@]*:)[^@/]*@", r"\1[REDACTED]@", str(getattr(wanted, name)))
        source = "default"
        if flags.get(name) is not None:
            source = "flag"
        elif environment.get(variable):
            source = variable
        elif name in written:
            source = str(file)
        told.append((name, value, source))
    return told


def default_database_url(home: Path) -> str:
    """SQLite below the home."""
    return f"sqlite:///{home}/db/senryu.db"
