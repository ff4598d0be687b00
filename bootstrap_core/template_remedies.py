"""What to do about a template that does not parse, beyond the words of Go."""

from __future__ import annotations

import difflib
import re
from typing import Final

from bootstrap_core.gotemplate.funcs import BUILTINS

_UNKNOWN_FUNCTION: Final = re.compile(r'function "([^"]*)" not defined')
# Strings and comments, which may hold braces, and the braces of actions. What is open goes on to
# its line's or the text's end, so that no character is looked at again and again.
_PARTS: Final = re.compile(
    r"""\{\{|\}\}|"(?:[^"\\\n]|\\.)*+"?|`[^`]*+`?|/\*(?:[^*]|\*+[^*/])*+(?:\*+/)?""", re.DOTALL
)


def unclosed_action(text: str, message: str) -> int | None:
    """Return where an action begins that no ``}}`` closes, None where that is not the fault.

    ``message`` is that of the parse error.
    """
    if message.startswith(("unterminated", "function")):
        return None
    start = text.find("{{")
    while start >= 0:
        parts = (part for part in _PARTS.finditer(text, start + 2) if part[0] in {"{{", "}}"})
        end = next(parts, None)
        if end is None or end[0] == "{{":
            return start
        start = text.find("{{", end.end())
    return None


def parse_remedy(text: str, message: str) -> str:
    """Return what to do about a parse error, to be put behind its message; empty if unknown."""
    if unknown := _UNKNOWN_FUNCTION.search(message):
        near = difflib.get_close_matches(unknown[1], BUILTINS, n=1)
        known = f"functions are {', '.join(sorted(BUILTINS))}"
        return f'; did you mean "{near[0]}"? The {known}' if near else f"; the {known}"
    if (start := unclosed_action(text, message)) is not None:
        line = text.count("\n", 0, start) + 1
        return f"; the action that begins in line {line} is not closed: write }}}} after it"
    return ""
