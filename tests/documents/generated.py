"""Parts of documents that are made from the code: where they stand, and how they are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cli.served import ROOT
from tests.documents import (
    api_reference,
    architecture,
    command_list,
    layout_keys,
    limits_list,
    log_events,
    metrics_list,
    releases_table,
    rights_table,
    settings_list,
)

PARTS: Mapping[Path, Sequence[Callable[[], str]]] = {
    ROOT / "docs/explanation/architecture.md": (architecture.write,),
    ROOT / "docs/reference/api.md": (api_reference.write,),
    ROOT / "docs/reference/command-line.md": (command_list.write,),
    ROOT / "docs/reference/go-releases.md": (releases_table.write, releases_table.write_unused),
    ROOT / "docs/reference/limits.md": (limits_list.write,),
    ROOT / "docs/reference/log-events.md": (log_events.write,),
    ROOT / "docs/reference/metrics.md": (metrics_list.write,),
    ROOT / "docs/reference/rights.md": (rights_table.write,),
    ROOT / "docs/reference/settings.md": (settings_list.write,),
    ROOT / "layouts/README.md": (layout_keys.write,),
}
MARKED = re.compile(r"(?<=<!-- begin: made by make docs -->\n).*?(?=^<!-- end -->$)", re.M | re.S)


def made_part(document: Path) -> str:
    """Return what a document has between its marks. Raises ``LookupError`` without marks."""
    found = MARKED.findall(document.read_text())
    if len(found) != len(PARTS[document]):
        raise LookupError(f"{document.name} has {len(found)} places for what is made")
    return "\n\n".join(part.strip("\n") for part in found)


def made_anew(document: Path) -> str:
    """Return what a document should have between its marks."""
    return "\n\n".join(make().strip("\n") for make in PARTS[document])


def make_again(document: Path) -> None:
    """Write what stands between a document's marks anew."""
    made = iter([make().strip("\n") for make in PARTS[document]])
    document.write_text(MARKED.sub(lambda _: f"\n{next(made)}\n\n", document.read_text()))
