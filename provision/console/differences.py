"""What differs between two texts, as pages show it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

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
