"""certs, certs:add, certs:info, certs:update, certs:remove, certs:generate.

Source: https://devcenter.heroku.com/articles/ssl
"""

from __future__ import annotations

import sys
from typing import Any

from senryu.cli.arguments import AN_APP, CONFIRM, JSON, Command, Flag, Typed
from senryu.cli.failure import Failure
from senryu.cli.output import Progress, ago, as_json, confirm, heading, hexagon, note, pairs, say, table
from senryu.cli.platform_api import PlatformApi, path_of
from senryu.cli.remotes import app_for

_NAME = Flag("name", "", "NAME", "the certificate's name, when the app has several")
_ENDPOINT = Flag("endpoint", "", "DOMAIN", "a domain that is answered with it, instead of its name")


def _read(path: str, what: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError:
        raise Failure(f"`{path}` is not {what} in PEM form", hint="Convert it: `openssl x509 -inform der -in FILE -out FILE.pem`") from None


def _chosen(api: PlatformApi, app: str, typed: Typed) -> dict[str, Any]:
    """The certificate that --name or --endpoint mean; the only one without them. Raises `Failure`."""
    found = api.pages(path_of("apps", app, "sni-endpoints"))
    if typed.text("name"):
        found = [each for each in found if typed.text("name") in (each["name"], each.get("display_name"), each["id"])]
    if typed.text("endpoint"):
        domain = api.get(path_of("apps", app, "domains", str(typed.text("endpoint"))))
        found = [each for each in found if domain["id"] in each["domains"]]
    if not found:
        raise Failure(f"{app} has no such certificate", hint="`senryu certs` lists them")
    if len(found) > 1:
        raise Failure(f"{app} has {len(found)} certificates", hint="Say which with `--name NAME`; `senryu certs` lists them")
    return dict(found[0])


def _details(endpoint: dict[str, Any], domains: list[str] | None = None) -> None:
    cert = endpoint["ssl_cert"]
    pairs({
        "Name": endpoint["name"],
        "Common Name(s)": cert["cert_domains"],
        "Domain(s)": domains or [],
        "Expires At": ago(cert["expires_at"]),
        "Issuer": cert["issuer"],
        "Starts At": ago(cert["starts_at"]),
        "Subject": cert["subject"],
    })  # fmt: skip
    if cert["ca_signed?"]:
        say("SSL certificate is verified by a root authority.")
    else:
        say("SSL certificate is self signed." if cert["self_signed?"] else "SSL certificate is not trusted by the platform's machine.")


def _index(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = api.pages(path_of("apps", app, "sni-endpoints"))
    if typed.on("json"):
        return as_json(found)
    if not found:
        say(f"{hexagon(app, sys.stdout)} has no SSL certificates.")
        return say("Use `senryu certs:add CRT KEY` to add one.")
    rows = (
        (
            each["name"],
            ", ".join(each["ssl_cert"]["cert_domains"]),
            each["ssl_cert"]["expires_at"],
            each["ssl_cert"]["ca_signed?"],
            "ACM" if each["ssl_cert"]["acm"] else "SNI",
            len(each["domains"]),
        )
        for each in found
    )
    return table(rows, ("Name", "Common Name(s)", "Expires", "Trusted", "Type", "Domains"))


def _add(typed: Typed) -> None:
    app = app_for(typed)
    body = {"certificate_chain": _read(typed.args[0], "a certificate"), "private_key": _read(typed.args[1], "a key")}
    with PlatformApi() as api:
        with Progress(f"Adding SSL certificate to {hexagon(app)}"):
            made = api.post(path_of("apps", app, "sni-endpoints"), body)
        _details(made)
        wanted = typed.texts("domain") or _without_one(api, app, made["ssl_cert"]["cert_domains"])
        for hostname in wanted:
            with Progress(f"Using it for {hostname}"):
                api.patch(path_of("apps", app, "domains", hostname), {"sni_endpoint": made["name"]})
    if not wanted:
        note(f"No domain of {app} has one of its names yet; `senryu domains:add HOSTNAME --cert {made['name']}` adds one")


def _without_one(api: PlatformApi, app: str, names: list[str]) -> list[str]:
    """The app's domains that the certificate is for and that have none of their own."""
    custom = [each for each in api.pages(path_of("apps", app, "domains")) if each["kind"] == "custom" and not each.get("sni_endpoint")]
    return [each["hostname"] for each in custom if each["hostname"] in names or f"*.{each['hostname'].partition('.')[2]}" in names]


def _info(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = _chosen(api, app, typed)
        own = [each["hostname"] for each in api.pages(path_of("apps", app, "domains")) if each["id"] in found["domains"]]
    return as_json(found) if typed.on("json") else _details(found, own)


def _update(typed: Typed) -> None:
    app = app_for(typed)
    body = {"certificate_chain": _read(typed.args[0], "a certificate"), "private_key": _read(typed.args[1], "a key")}
    with PlatformApi() as api:
        found = _chosen(api, app, typed)
        confirm(app, typed.text("confirm"), f"This replaces the certificate {found['name']} of {app}.")
        with Progress(f"Updating SSL certificate {found['name']} for {hexagon(app)}"):
            changed = api.patch(path_of("apps", app, "sni-endpoints", found["name"]), body)
    _details(changed)


def _remove(typed: Typed) -> None:
    app = app_for(typed)
    with PlatformApi() as api:
        found = _chosen(api, app, typed)
        confirm(app, typed.text("confirm"), f"This removes the certificate {found['name']}; its domains will not be trusted over TLS.")
        with Progress(f"Removing SSL certificate {found['name']} from {hexagon(app)}"):
            api.delete(path_of("apps", app, "sni-endpoints", found["name"]))


def _generate(typed: Typed) -> int:
    """A key and a request, or a certificate signed by itself, made by openssl on this machine."""
    import os
    import subprocess

    domain = typed.first()
    stem = domain.replace("*", "star").replace("/", "_")
    files = (f"{stem}.key", f"{stem}.crt" if typed.on("selfsigned") else f"{stem}.csr")
    for path in files:
        if os.path.exists(path):
            raise Failure(f"`{path}` is there already", hint="Move it away, or run this in another directory")
    subject = typed.text("subject") or _subject(typed, domain)
    command = ["openssl", "req", "-new", "-newkey", f"rsa:{typed.number('keysize', 2048, least=2048)}", "-nodes", "-subj", subject]
    command += ["-addext", f"subjectAltName=DNS:{domain}", "-keyout", files[0], "-out", files[1]]
    previous = os.umask(0o077)  # the key is nobody else's
    try:
        done = subprocess.run([*command, "-x509", "-days", "365"] if typed.on("selfsigned") else command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise Failure("The program openssl is not on the path", hint="Install it (Debian: `apt install openssl`)") from error
    finally:
        os.umask(previous)
    if done.returncode:
        raise Failure(f"openssl could not make them: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
    heading(f"{files[0]} and {files[1]}")
    if not typed.on("selfsigned"):
        say(f"Send {files[1]} to a certificate authority. With its certificate run:")
        files = (files[0], "CERTIFICATE")
    say(f"senryu certs:add {files[1]} {files[0]}")
    return 0


def _subject(typed: Typed, domain: str) -> str:
    parts = (("C", "country"), ("ST", "area"), ("L", "city"), ("O", "owner"))
    given = "".join(f"/{key}={str(typed.text(flag)).replace('/', chr(92) + '/')}" for key, flag in parts if typed.text(flag))
    return f"{given}/CN={domain}"


_PEM = "CRT KEY"
TOPIC = {
    "certs": Command(_index, "", (*AN_APP, JSON)),
    "certs:add": Command(
        _add,
        _PEM,
        (*AN_APP, Flag("domain", "", "DOMAIN", "use it for this domain (may be repeated); all it is for when not given", many=True)),
        least=2,
        most=2,
        examples=("certs:add example.com.crt example.com.key",),
    ),
    "certs:info": Command(_info, "", (*AN_APP, _NAME, _ENDPOINT, JSON)),
    "certs:update": Command(
        _update, _PEM, (*AN_APP, _NAME, _ENDPOINT, CONFIRM), least=2, most=2, examples=("certs:update example.com.crt example.com.key",)
    ),
    "certs:remove": Command(_remove, "", (*AN_APP, _NAME, _ENDPOINT, CONFIRM), examples=("certs:remove --name tidy-wren-12345",)),
    "certs:generate": Command(
        _generate,
        "DOMAIN",
        (
            *AN_APP,
            Flag("selfsigned", "", "", "a certificate signed by itself instead of a request"),
            Flag("keysize", "", "BITS", "RSA key size, 2048 unless given"),
            Flag("owner", "", "NAME", "organization"),
            Flag("country", "", "CC", "two letters"),
            Flag("area", "", "NAME", "state or province"),
            Flag("city", "", "NAME", "city"),
            Flag("subject", "", "SUBJECT", "the whole subject, such as /O=Example/CN=example.com"),
        ),
        least=1,
        most=1,
        examples=("certs:generate www.example.com",),
    ),
}
