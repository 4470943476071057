"""Object storage as an add-on: the SDKs of Python and Node.js find it by themselves, from dynos and from browsers; kills lose nothing."""

from __future__ import annotations

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from .conftest import NewApp
from .person import App
from .rig import Copy, eventually

pytestmark = pytest.mark.registry
_PYTHON = {
    "requirements.txt": "boto3\n",
    "Procfile": "web: python -m http.server $PORT\n",
    # No argument names a server, a key or a region: that is what the config vars are for.
    "roundtrip.py": """
import os, sys, urllib.request, boto3
s3, bucket = boto3.client("s3"), os.environ["AWS_S3_BUCKET"]
s3.put_object(Bucket=bucket, Key="from-python", Body=b"kite")
assert s3.get_object(Bucket=bucket, Key="from-python", Range="bytes=1-2")["Body"].read() == b"it"
assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [bucket]
url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "from-browser"}, ExpiresIn=600)
asked = urllib.request.Request(url, b"from the dyno", method="PUT", headers={"content-type": ""})
assert urllib.request.urlopen(asked, timeout=30).status == 200
print("URL", url)
""",
    "many.py": """
import os, time, boto3
from botocore.config import Config
s3, bucket = boto3.client("s3", config=Config(retries={"max_attempts": 0})), os.environ["AWS_S3_BUCKET"]
acknowledged, until = 0, time.monotonic() + 150
while acknowledged < 150 and time.monotonic() < until:
    try:
        s3.put_object(Bucket=bucket, Key=f"many/{acknowledged}", Body=b"%d " % acknowledged * 2000)
    except Exception:
        time.sleep(0.1)
    else:
        print("acknowledged", acknowledged, flush=True)
        acknowledged += 1
""",
    "kept.py": """
import os, sys, boto3
from botocore.config import Config
# Until the volumes of a server that was killed are known again, it answers 500.
s3, bucket = boto3.client("s3", config=Config(retries={"max_attempts": 9, "mode": "standard"})), os.environ["AWS_S3_BUCKET"]
numbers = sys.stdin.read().split()
lost = [n for n in numbers if s3.get_object(Bucket=bucket, Key=f"many/{n}")["Body"].read() != f"{n} ".encode() * 2000]
print("lost", lost, "of", len(numbers))
""",
    "attack.py": """
import os, socket, sys, boto3
theirs, gateway = sys.argv[1], socket.gethostbyname("objects.localhost")
s3, mine = boto3.client("s3"), os.environ["AWS_S3_BUCKET"]
for attempt in (
    lambda: s3.get_object(Bucket=theirs, Key="from-python"),
    lambda: s3.put_object(Bucket=theirs, Key="from-python", Body=b"mine now"),
    lambda: s3.list_objects_v2(Bucket=theirs),
    lambda: s3.delete_bucket(Bucket=theirs),
    lambda: s3.copy_object(Bucket=mine, Key="stolen", CopySource={"Bucket": theirs, "Key": "from-python"}),
    lambda: s3.get_object(Bucket=mine, Key=f"../{theirs}/from-python"),
):
    try:
        attempt()
        print("REACHED")
    except Exception as error:
        print("refused", error.response["Error"]["Code"])
port = int(os.environ["AWS_ENDPOINT_URL_S3"].rpartition(":")[2])
for host in ("localhost", "api.localhost", "git.localhost", sys.argv[2] + ".localhost"):
    for method in ("GET", "POST"):
        with socket.create_connection((gateway, port), 10) as s:
            lines = (f"{method} /senryu/health HTTP/1.1", f"Host: {host}:{port}", "Connection: close", "Content-Length: 0", "", "")
            s.sendall("\\r\\n".join(lines).encode())
            if b" 403 " not in s.recv(64):
                print("REACHED", method, host)
for port in (8333, 8888, 9333, 8080, 18888, 19333, 18333):
    for host in (gateway, "127.0.0.1"):
        with socket.socket() as s:
            s.settimeout(0.3)
            if s.connect_ex((host, port)) == 0:
                print("REACHED", host, port)
print("done")
""",
}
_VISITOR = {
    "requirements.txt": "",
    "Procfile": "web: python3 -m http.server $PORT\n",
    "visit.py": """
import sys, urllib.error, urllib.request
try:
    print("reached:", urllib.request.urlopen(sys.argv[1], timeout=3).read().decode())
except urllib.error.HTTPError as error:
    print("refused:", error.code)
except OSError as error:
    print("not reached:", error)
""",
}
_IN_A_BUILD = """#!/usr/bin/env python
import os, boto3
s3, bucket = boto3.client("s3"), os.environ["AWS_S3_BUCKET"]
s3.put_object(Bucket=bucket, Key="from-build", Body=b"kite")
print("the build wrote", s3.get_object(Bucket=bucket, Key="from-build")["Body"].read())
"""
_NODE = {
    "package.json": json.dumps(
        {
            "name": "pictures",
            "version": "1.0.0",
            "scripts": {"start": "node -e 'require(`http`).createServer((q, r) => r.end()).listen(process.env.PORT)'"},
            "dependencies": {"@aws-sdk/client-s3": "^3", "@aws-sdk/s3-request-presigner": "^3", "@aws-sdk/s3-presigned-post": "^3"},
        }
    ),
    "roundtrip.js": """
const { S3Client, PutObjectCommand, GetObjectCommand, PutBucketCorsCommand } = require("@aws-sdk/client-s3");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");
const { createPresignedPost } = require("@aws-sdk/s3-presigned-post");
(async () => {
  const client = new S3Client({}), Bucket = process.env.AWS_S3_BUCKET;
  await client.send(new PutObjectCommand({ Bucket, Key: "from-node", Body: Buffer.alloc(3 << 20, "kite") }));
  const part = await client.send(new GetObjectCommand({ Bucket, Key: "from-node", Range: "bytes=4-7" }));
  if (await part.Body.transformToString() !== "kite") throw new Error("not what was written");
  const rules = [{ AllowedMethods: ["PUT", "POST"], AllowedOrigins: ["https://gallery.example"], AllowedHeaders: ["*"] }];
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: rules } }));
  const form = await createPresignedPost(client, { Bucket, Key: "by-form", Conditions: [["content-length-range", 1, 100]] });
  const body = new FormData();
  for (const [name, value] of Object.entries(form.fields)) body.append(name, value);
  body.append("file", new Blob(["a form's"]));
  const posted = await fetch(form.url, { method: "POST", body });
  if (posted.status !== 204) throw new Error(`posted: ${posted.status} ${await posted.text()}`);
  console.log("URL", await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "from-browser" }), { expiresIn: 600 }));
})().catch((error) => { console.error(error); process.exit(1); });
""",
}


def _ran(app: App, command: str, stdin: str = "") -> str:
    return app.senryu("run", "--exit-code", "--no-tty", "--", command, stdin=stdin).stdout


def _url(said: str) -> tuple[str, str]:
    """Host and path of the URL that a script printed."""
    address = next(line.split(" ", 1)[1] for line in said.splitlines() if line.startswith("URL "))
    host, path = address.removeprefix("http://").split("/", 1)
    return host.rpartition(":")[0], f"/{path}"


def _server(copy: Copy) -> int:
    return int((copy.home / "data/objects/pid").read_text())


def test_sdks_find_the_bucket_by_themselves_and_browsers_by_presigned_urls(platform: Copy, make_app: NewApp) -> None:
    python, node, visitor = make_app(_PYTHON), make_app(_NODE), make_app(_VISITOR)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda app: app.push(), (python, node, visitor)))
    assert "AWS_ACCESS_KEY_ID" in python.senryu("addons:create", "senryu-objects:hobbyist").stdout
    node.senryu("addons:create", "senryu-objects", "--", "--public-read=true")
    config, other = (json.loads(app.senryu("config", "--json").stdout) for app in (python, node))
    assert config["AWS_ENDPOINT_URL_S3"] == f"http://objects.localhost:{platform.port}"

    for app, command in ((python, "python roundtrip.py"), (node, "node roundtrip.js")):
        host, path = _url(_ran(app, command))
        done = platform.visit(host, path, method="PUT", headers={"Content-Length": "0", "Origin": "https://gallery.example"})
        assert done.status == 200, done
    assert done.headers["access-control-allow-origin"] == "https://gallery.example"
    assert platform.visit("objects.localhost", f"/{other['AWS_S3_BUCKET']}/by-form").text == "a form's"
    assert platform.visit("objects.localhost", f"/{config['AWS_S3_BUCKET']}/from-python").status == 403

    _visits(visitor, f"{config['AWS_ENDPOINT_URL_S3']}/{other['AWS_S3_BUCKET']}/by-form")

    said = _ran(python, f"python attack.py {other['AWS_S3_BUCKET']} {node.name}")
    assert "REACHED" not in said
    assert said.count("refused") == 6
    assert said.splitlines()[-1] == "done"

    assert "the build wrote b'kite'" in python.deploy({"bin/post_compile": _IN_A_BUILD})
    _outlives_kills(platform, python)

    for app in (python, node):
        app.senryu("addons:destroy", "AWS", "--confirm", app.name)
        assert "AWS_ACCESS_KEY_ID" not in json.loads(app.senryu("config", "--json").stdout)
    eventually(lambda: not _files(platform, config["AWS_S3_BUCKET"], other["AWS_S3_BUCKET"]), "the end of the objects")


def _visits(app: App, public: str) -> None:
    """Another app's dyno sees what everybody may, once its config vars name the bucket."""
    assert _ran(app, f"python3 visit.py {public}").startswith("not reached")
    app.senryu("config:set", f"PICTURE={public}")
    assert _ran(app, f"python3 visit.py {public}").startswith("reached: a form's")
    private = f"{public.rpartition('/')[0]}-is-private/x"
    assert _ran(app, f"python3 visit.py {private}").startswith("refused: 40")


def _files(platform: Copy, *buckets: str) -> list[Path]:
    return [path for bucket in buckets for path in (platform.home / "data/objects/data").glob(f"{bucket}*")]


def _is_replaced(copy: Copy, before: int) -> bool:
    return _server(copy) != before


def _answers(copy: Copy) -> bool:
    return copy.visit("objects.localhost", "/healthz").status == 200


def _outlives_kills(platform: Copy, app: App) -> None:
    """kill -9 of the server while it is written to: what was acknowledged is there."""
    over = threading.Event()
    killed = []

    def kill_often() -> None:
        while not over.wait(1.0):
            before = _server(platform)
            with suppress(ProcessLookupError):  # it did not get that far
                os.kill(before, signal.SIGKILL)
                killed.append(before)
            eventually(partial(_is_replaced, platform, before), "another server")
            eventually(lambda: over.is_set() or _answers(platform), "its answer")

    killing = threading.Thread(target=kill_often)
    killing.start()
    try:
        said = _ran(app, "python many.py")
    finally:
        over.set()
        killing.join()
    acknowledged = [line.split()[1] for line in said.splitlines() if line.startswith("acknowledged ")]
    assert acknowledged and killed
    platform.kill("agent")
    eventually(partial(_answers, platform), "the server's answer")
    assert f"lost [] of {len(acknowledged)}" in _ran(app, "python kept.py", stdin=" ".join(acknowledged))
