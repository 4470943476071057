"""From a request to an answer. All decisions are made here, over a dictionary filled at start: no path is ever built from a request.

WhiteNoise says what a file's answer is (type, 304, compressed copy); this adds static.json and byte ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from wsgiref.headers import Headers

import site_files
from settings import Settings
from whitenoise import WhiteNoise
from whitenoise.responders import StaticFile

Lines = list[tuple[str, str]]
PLAIN = ("content-type", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, header lines, and a file, a range (first byte, one past the last) of a file, or a short text."""

    status: int
    headers: Lines
    file: str | None = None
    span: tuple[int, int] | None = None
    text: str = ""


class Site:
    """The site's files by URL, and static.json's rules over them."""

    def __init__(self, settings: Settings, app: Path, etags: Mapping[str, str]) -> None:
        self.settings = settings
        self.by_name: dict[str, StaticFile] = {}
        self.by_url: dict[str, StaticFile] = {}
        self.folders: set[str] = set()
        self._etags = etags
        self._noise = WhiteNoise(None, max_age=None, allow_all_origins=False, add_headers_function=self._add_headers)
        files = dict(site_files.pages(settings.root, app))
        stats = {str(path): path.stat() for path in files.values()}
        for name, path in files.items():
            if not self._noise.is_compressed_variant(str(path), stat_cache=stats):
                self._add(name, self._noise.get_static_file(str(path), f"/{name}", stat_cache=stats))
        missing = (settings.error_page or "404.html").lstrip("/")
        self.error_page = self.by_name.get(missing)

    def _add(self, name: str, file: StaticFile) -> None:
        self.by_name[name] = file
        self.by_url[f"/{name}"] = file
        folder, _, last = f"/{name}".rpartition("/")
        if last == "index.html":
            self.by_url[f"{folder}/"] = file
            if folder:
                self.folders.add(folder)
        elif self.settings.clean_urls and last.endswith(".html"):
            self.by_url.setdefault(f"/{name.removesuffix('.html')}", file)

    def _add_headers(self, headers: Headers, path: str, url: str) -> None:
        name = url.removeprefix("/")
        headers["Cache-Control"] = site_files.cache_control(url)
        headers["X-Content-Type-Options"] = "nosniff"
        if name in self._etags:
            headers["ETag"] = f'"{self._etags[name]}"'

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Answer:
        """The answer to one request. ``path`` is percent-decoded, header names are in lower case."""
        if method not in ("GET", "HEAD"):
            return Answer(405, [("allow", "GET, HEAD"), PLAIN], text="Only GET and HEAD are answered here.\n")
        if self.settings.https_only and headers.get("x-forwarded-proto") == "http":
            return self._redirect(301, f"https://{headers.get('host', '')}{quote(path)}", query)
        rule = self.settings.redirects.get(path.rstrip("/") or "/")
        if rule:
            return self._redirect(rule.status, rule.url, "")
        found = self._find(path)
        if found is not None:
            return self._with_rules(path, _file_answer(found, method, headers))
        if path in self.folders:
            return self._redirect(302, quote(f"{path}/"), query)
        return self._with_rules(path, self._not_found())

    def _find(self, path: str) -> StaticFile | None:
        if path in self.by_url:
            return self.by_url[path]
        if path in self.folders:
            return None
        for pattern, target in self.settings.routes:
            if pattern.fullmatch(path):
                return self.by_name[target]
        return None

    def _not_found(self) -> Answer:
        if self.error_page is None:
            return Answer(404, [PLAIN, ("cache-control", "no-cache")], text="There is no such page.\n")
        found = self.error_page.get_response("HEAD", {})
        kept = ("content-type", "content-length", "x-content-type-options")
        lines = [line for line in _lower(found.headers) if line[0] in kept]
        path, _ = self.error_page.get_path_and_headers({})
        return Answer(404, [*lines, ("cache-control", "no-cache")], file=path)

    def _with_rules(self, path: str, answer: Answer) -> Answer:
        for pattern, lines in self.settings.headers:
            if pattern.fullmatch(path):
                replaced = {name for name, _ in lines}
                kept = [line for line in answer.headers if line[0] not in replaced]
                answer = Answer(answer.status, [*kept, *lines], answer.file, answer.span, answer.text)
        return answer

    @staticmethod
    def _redirect(status: int, url: str, query: str) -> Answer:
        return Answer(status, [("location", f"{url}?{query}" if query else url), ("content-length", "0")])


def _file_answer(file: StaticFile, method: str, headers: Mapping[str, str]) -> Answer:
    asked = {"HTTP_ACCEPT_ENCODING": headers.get("accept-encoding", "")}
    if "if-none-match" in headers:
        asked["HTTP_IF_NONE_MATCH"] = _matching_etag(headers["if-none-match"], file.etag)
    elif "if-modified-since" in headers:
        asked["HTTP_IF_MODIFIED_SINCE"] = headers["if-modified-since"]
    if file.is_not_modified(asked):
        return Answer(304, _lower(file.not_modified_response.headers))
    if "range" in headers and headers.get("if-range", file.etag) == file.etag:
        # Bytes are counted in the file as it is: a compressed copy has other ones.
        asked["HTTP_ACCEPT_ENCODING"] = ""
        path, lines = file.get_path_and_headers(asked)
        ranged = _range_answer(file, headers["range"], path, _lower(lines))
        if ranged is not None:
            return ranged
    path, lines = file.get_path_and_headers(asked)
    return Answer(200, [*_lower(lines), ("accept-ranges", "bytes")], file=path)


def _range_answer(file: StaticFile, asked: str, path: str, lines: Lines) -> Answer | None:
    """One range, as in RFC 9110 section 14; None for a header that may be ignored."""
    size = int(dict(lines)["content-length"])
    try:
        first, last = file.get_byte_range(asked, size)
    except ValueError:
        return None
    if first >= size or first > last:
        return Answer(416, [("content-range", f"bytes */{size}"), ("content-length", "0")])
    kept = [line for line in lines if line[0] != "content-length"]
    told = [("content-range", f"bytes {first}-{last}/{size}"), ("content-length", str(last - first + 1))]
    return Answer(206, [*kept, *told], file=path, span=(first, last + 1))


def _matching_etag(asked: str, etag: str) -> str:
    tags = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    return etag if etag in tags or "*" in tags else ""


def _lower(headers: Lines) -> Lines:
    return [(name.lower(), value) for name, value in headers]
