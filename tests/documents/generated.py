"""Parts of documents that are made from the code: where they stand, and how they are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cli.served import ROOT
from tests.documents import (
    api_reference,
    architecture,
    command_list,
    layout_keys,
    settings_list,
)

PARTS: Mapping[Path, Callable[[], str]] = {
    ROOT / "docs/architecture.md": architecture.write,
    ROOT / "docs/api.md": api_reference.write,
    ROOT / "docs/command-line.md": command_list.write,
    ROOT / "docs/settings.md": settings_list.write,
    ROOT / "layouts/README.md": layout_keys.write,
}
MARKED = re.compile(r"(?<=<!-- begin: made by make docs -->\n).*(?=^<!-- end -->$)", re.M | re.S)


def made_part(document: Path) -> str:
    """Return what a document has between its marks. Raises ``LookupError`` without marks."""
    found = MARKED.search(document.read_text())
    if found is None:
        raise LookupError(f"{document.name} has no place for what is made")
    return found.group().strip("\n")


def make_again(document: Path) -> None:
    """Write what stands between a document's marks anew."""
    made = PARTS[document]().strip("\n")
    document.write_text(MARKED.sub(lambda _: f"\n{made}\n\n", document.read_text()))
