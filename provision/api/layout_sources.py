"""The files of a layout as they are shown: what a settings file keeps to itself is masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from bootstrap_core.secret import MASK

SECRET_VALUE: Final = re.compile(
    r"""
    (?P<key> [\w.-]* (?: pass | secret | token | api_?key | sealing_key | encrypt_key
                       | database_url ) [\w-]* ["']? \s* = \s* )
    (?P<value> \"{3} .*? (?:\"{3}|\Z) | '{3} .*? (?:'{3}|\Z)
             | "(?:[^"\\\n]|\\.)*"? | '[^'\n]*'? | \[ [^\]]* \]? )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def sources_answer(sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the files, the layout's own first.

    The Go service's and Mainflux's layouts are settings files as well, with the credentials of
    the service in them: those nobody is shown, broken as the file may be. Lines stay where they
    are, for the places of a lint report.
    """
    return [{"file": file, "text": shown_text(file, text)} for file, text in sources.items()]


def shown_text(file: str, text: str) -> str:
    """Return the text of a file, or a line of it, as it is shown."""
    return SECRET_VALUE.sub(_masked, text) if file.endswith(".toml") else text


def _masked(found: re.Match[str]) -> str:
    return f'{found["key"]}"{MASK}"' + "\n" * found["value"].count("\n")
