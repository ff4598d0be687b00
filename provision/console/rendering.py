"""Templates, and what every page may use in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from provision.build_info import release
from provision.console.addresses import address
from provision.console.static_files import StaticFiles

DIRECTORY: Final = Path(__file__).parent / "templates"


class Templates:
    """Renders pages; every value is escaped unless a template says otherwise."""

    def __init__(self, static: StaticFiles) -> None:
        """Let templates name the files of ``static``."""
        self._environment = Environment(
            loader=FileSystemLoader(DIRECTORY),
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
