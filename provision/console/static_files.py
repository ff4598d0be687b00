"""Scripts and styles: read once, served under an address that names their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from provision.console.errors import PageNotFound

DIRECTORY: Final = Path(__file__).parent / "static"
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
        files = [_read(path) for path in sorted(DIRECTORY.iterdir()) if path.suffix in KINDS]
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
