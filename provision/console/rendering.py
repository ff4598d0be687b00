"""Templates, and what every page may use in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attrs import frozen
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from provision.build_info import release
from provision.console.addresses import address
from provision.console.errors import PageNotFound

STATIC: Final = Path(__file__).parent / "static"
KINDS: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_GOOD: Final = "public, max-age=31536000, immutable"


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
        files = [_read(path) for path in sorted(STATIC.iterdir()) if path.suffix in KINDS]
        self._by_url: Mapping[str, StaticFile] = {each.url: each for each in files}
        self._by_name = {each.url.rpartition("/")[2]: each.url for each in files}

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return self._by_name[name]

    async def serve(self, request: Request) -> Response:
        """Answer with a file. Raises ``PageNotFound``."""
        found = self._by_url.get(request.url.path)
        if found is None:
            raise PageNotFound
        return Response(found.body, media_type=found.kind, headers={"Cache-Control": FOR_GOOD})


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    return StaticFile(f"/console/static/{digest}/{path.name}", KINDS[path.suffix], body)


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

    def answer(self, name: str, status: int, context: dict[str, Any]) -> HTMLResponse:
        """Return the page of the template ``name``."""
        return HTMLResponse(self._environment.get_template(name).render(context), status)


def moment(written: str | datetime) -> str:
    """Show a time (RFC 3339) to people: UTC, to the second."""
    at = datetime.fromisoformat(written) if isinstance(written, str) else written
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
