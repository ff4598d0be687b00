"""The parts of docs/performance.md that are measured: each between two comments that name it."""

from __future__ import annotations

from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"


def keep(part: str, content: str, document: Path = DOCUMENT) -> None:
    """Put ``content`` in the place of a part. Raises ``ValueError``: the document has none."""
    before, start, rest = document.read_text().partition(f"<!-- {part} -->\n")
    _, end, after = rest.partition(f"<!-- end of {part} -->\n")
    if not end:
        raise ValueError(f"{document.name} has no part {part!r} between its two comments")
    document.write_text(f"{before}{start}\n{content.strip()}\n\n{end}{after}")
