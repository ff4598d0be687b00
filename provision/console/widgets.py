"""What pages are drawn with: templates, static files, pagers, numbered lines and differences."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from attrs import field, frozen
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.model import segment
from provision.build_info import release
from provision.console.errors import PageNotFound

STATIC: Final = Path(__file__).parent / "static"
MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
IMMUTABLE: Final = "public, max-age=31536000, immutable"


@frozen
class StaticFile:
    """One file with its address."""

    url: str
    kind: str
    body: bytes


class StaticFiles:
    """All files; a changed one gets another address, so that browsers may keep what they have."""

    def __init__(self) -> None:
        """Read the files of the package."""
        files = [_read(path) for path in sorted(STATIC.iterdir()) if path.suffix in MEDIA_TYPES]
        self._by_url: Mapping[str, StaticFile] = {file.url: file for file in files}
        self._by_name = {file.url.rpartition("/")[2]: file.url for file in files}

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return self._by_name[name]

    async def serve(self, request: Request) -> Response:
        """Answer with a file. Raises ``PageNotFound``."""
        found = self._by_url.get(request.url.path)
        if found is None:
            raise PageNotFound
        return Response(found.body, media_type=found.kind, headers={"Cache-Control": IMMUTABLE})


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    return StaticFile(f"/console/static/{digest}/{path.name}", MEDIA_TYPES[path.suffix], body)


TEMPLATES: Final = Path(__file__).parent / "templates"


class Templates:
    """Renders pages; every value is escaped unless a template says otherwise."""

    def __init__(self, static: StaticFiles) -> None:
        """Let templates name the files of ``static``."""
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(static=static.url, release=release(), address=address)
        self._environment.filters["moment"] = moment

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """Return the HTML that the template ``name`` makes of ``context``."""
        return self._environment.get_template(name).render(context)


def moment(written: str | datetime) -> str:
    """Show a time (RFC 3339) to people: UTC, to the second."""
    at = datetime.fromisoformat(written) if isinstance(written, str) else written
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def address(*parts: str) -> str:
    """Return the address of a page: ``address("bootstraps", config_id)``."""
    return "/".join(("/console", *(segment(part) for part in parts)))


PAGE: Final = 20
MAX_OFFSET: Final = 10**9


@frozen
class Pager:
    """Where in a list a page stands; ``query`` is what else the list's address says."""

    path: str
    query: Mapping[str, str]
    offset: int
    total: int
    limit: int = PAGE

    @property
    def first(self) -> int:
        """The number of the first entry shown, from 1; 0 where there is none."""
        return self.offset + 1 if self.total > self.offset else 0

    @property
    def last(self) -> int:
        """The number of the last entry shown."""
        return min(self.offset + self.limit, self.total)

    @property
    def first_url(self) -> str:
        """The address of the first page."""
        return self._url(0)

    @property
    def previous_url(self) -> str:
        """The address of the page before; empty on the first one."""
        return self._url(max(0, self.offset - self.limit)) if self.offset else ""

    @property
    def next_url(self) -> str:
        """The address of the page after; empty on the last one."""
        after = self.offset + self.limit
        return self._url(after) if after < self.total else ""

    def _url(self, offset: int) -> str:
        query = {key: value for key, value in self.query.items() if value}
        if offset:
            query["offset"] = str(offset)
        return f"{self.path}?{urlencode(query)}" if query else self.path


def offset_of(request: Request) -> int:
    """Return how many entries the address passes over; what is no number is none."""
    written = request.query_params.get("offset", "0")
    number = int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0
    return min(number, MAX_OFFSET)


def pager(
    request: Request, page: Mapping[str, Any], query: Mapping[str, str], limit: int = PAGE
) -> Pager:
    """Return the pager of an API's page (with its ``total``) at the request's address."""
    return Pager(request.url.path, query, offset_of(request), int(page.get("total", 0)), limit)


@frozen
class Line:
    """A line of a text and the problems that begin at it."""

    text: str
    problems: Sequence[Mapping[str, Any]] = field(default=())

    @property
    def kind(self) -> str:
        """``error``, ``warning`` or, where there is nothing to say, nothing."""
        found = {str(problem["severity"]) for problem in self.problems}
        return "error" if "error" in found else next(iter(found), "")


def lines_of(text: str, problems: Iterable[Mapping[str, Any]]) -> Sequence[Line]:
    """Return the lines of ``text``; each problem has ``line``, ``severity`` and ``message``.

    A problem behind the end of the text stands at its last line.
    """
    lines = text.removesuffix("\n").split("\n")
    at: dict[int, list[Mapping[str, Any]]] = {}
    for problem in problems:
        at.setdefault(min(max(1, problem["line"]), len(lines)), []).append(problem)
    return [Line(line, at.get(number, ())) for number, line in enumerate(lines, 1)]


AROUND: Final = 3
KINDS: Final = {"+": "added", "-": "removed", " ": "same", "@": "place"}


def differences(before: Sequence[str], after: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Return the lines that differ with some around them: what each is, and its text.

    Kinds are ``added``, ``removed``, ``same`` and ``place``; none where both are the same.
    """
    # The two first lines name the files, which there are none of.
    lines = list(difflib.unified_diff(before, after, lineterm="", n=AROUND))[2:]
    return [(KINDS[line[0]], _place(line) if line[0] == "@" else line[1:]) for line in lines]


def _place(line: str) -> str:
    return f"from line {re.findall(r'[0-9]+', line)[0]}"
