"""Build time: checks static.json, compresses text files, and notes a fingerprint of each file for its ETag."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
sys.path.insert(0, str(HOME / "packages"))

import settings as static_json  # noqa: E402
import site_files  # noqa: E402
from whitenoise.compress import Compressor  # noqa: E402

SMALLEST_WORTH_COMPRESSING_BYTES = 512


def main() -> None:
    app = HOME.parent.parent
    try:
        settings = static_json.read(app)
    except static_json.Invalid as error:
        sys.exit(str(error))
    for key in settings.ignored:
        print(f'static.json: "{key}" is not supported and has no effect.')
    files = dict(site_files.pages(settings.root, app.resolve()))
    if not files:
        sys.exit(f"There is no file to serve in {settings.root.relative_to(app.resolve()) or '.'}.")
    check_targets(settings, files)
    etags = {name: hashlib.sha256(path.read_bytes()).hexdigest()[:20] for name, path in files.items()}
    compressed = sum(compress(path) for path in files.values())
    (HOME / "etags.json").write_text(json.dumps(etags), encoding="utf-8")
    print(f"{len(files)} files in {os.path.relpath(settings.root, app)}, {compressed} of them compressed ahead")


def check_targets(settings: static_json.Settings, files: dict[str, Path]) -> None:
    for _, target in settings.routes:
        if target not in files:
            sys.exit(f'static.json: routes: there is no file "{target}" in the root.')
    if settings.error_page and settings.error_page.lstrip("/") not in files:
        sys.exit(f'static.json: error_page: there is no file "{settings.error_page}" in the root.')


def compress(path: Path) -> bool:
    """Write ``path.gz`` beside a file that gets smaller by it; a file the site brings itself is left alone."""
    compressor = Compressor(quiet=True, use_brotli=False)
    if path.is_symlink() or path.stat().st_size < SMALLEST_WORTH_COMPRESSING_BYTES or os.path.lexists(f"{path}.gz"):
        return False
    return compressor.should_compress(path.name) and bool(compressor.compress(str(path)))


if __name__ == "__main__":
    main()
