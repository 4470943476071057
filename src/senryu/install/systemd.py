"""systemd units of a permanent installation."""

from __future__ import annotations

import shlex
from pathlib import Path

from ..config import Settings
from .directories import make_directories
from .services import USER, Service, preparation, services

_HARDENING = (
    "NoNewPrivileges=yes",
    "ProtectSystem=full",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "RestrictSUIDSGID=yes",
)


def _quoted(words: tuple[str, ...]) -> str:
    return " ".join(shlex.quote(word).replace("%", "%%").replace("$", "$$") for word in words)


def unit(service: Service, settings: Settings) -> str:
    """A unit's text. Pure. Dynos are in the agent's own groups: restarting a unit never ends them (KillMode=process, Delegate)."""
    after = "senryu-prepare.service" + ("" if service.name == "agent" else " senryu-agent.service")
    lines = ["[Unit]", f"Description={service.what}", f"After={after}", "Requires=senryu-prepare.service", "StartLimitIntervalSec=0", ""]
    group, umask = ("root", "0022") if service.user == "root" else (USER, "0007")
    lines += ["[Service]", "Type=exec", f"User={service.user}", f"Group={group}", f"UMask={umask}"]
    lines.append(f"ExecStart={_quoted(service.argv)}")
    if service.niceness:
        lines += [f"Nice={service.niceness}", f"LimitNICE={service.niceness:+}"]  # the limit: for sessions that it begins
    if service.name == "router":
        lines.append("ExecReload=/bin/kill -USR2 $MAINPID")
    lines += ["Restart=always", "RestartSec=1"]
    if service.keeps_children:
        lines += ["KillMode=process", "Delegate=yes", "TasksMax=infinity", "LimitNOFILE=65536"]
    else:
        # What the router's starter leaves when it is killed serves on; told to end, it ends all of it itself.
        mode = "process" if service.name == "router" else "mixed"
        lines += [f"KillMode={mode}", "TimeoutStopSec=15", "LimitNOFILE=65536", *_HARDENING, f"ReadWritePaths={settings.home}"]
    if service.capabilities:
        names = " ".join(f"CAP_{name.upper()}" for name in service.capabilities)
        lines += [f"AmbientCapabilities={names}", f"CapabilityBoundingSet={names}"]
    return "\n".join([*lines, "", "[Install]", "WantedBy=multi-user.target", ""])


def prepare_unit(settings: Settings) -> str:
    """The unit that runs once at boot, before the processes. Pure."""
    lines = ["[Unit]", "Description=Senryu: database, keys and router files", "After=network-online.target local-fs.target"]
    lines += ["Wants=network-online.target", "", "[Service]", "Type=oneshot", "RemainAfterExit=yes"]
    lines += [f"User={USER}", f"Group={USER}", "UMask=0007", f"ExecStart={_quoted(preparation(settings))}"]
    return "\n".join([*lines, "", "[Install]", "WantedBy=multi-user.target", ""])


def install(settings: Settings, units_dir: str) -> list[Path]:
    """Writes the units `senryu-prepare`, `senryu-agent`, `senryu-router` and `senryud`. Gives their paths; the caller enables them."""
    make_directories(settings)
    written = [Path(units_dir) / "senryu-prepare.service"]
    written[0].write_text(prepare_unit(settings))
    for service in services(settings):
        name = service.name if service.name == "senryud" else f"senryu-{service.name}"
        path = Path(units_dir) / f"{name}.service"
        path.write_text(unit(service, settings))
        written.append(path)
    return written
