"""The forms of IDs and routes."""

from __future__ import annotations

import re
from typing import Final

from bootstrap_core.model import is_uuid

ROUTE_FORM: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,35}")


def is_route(text: str) -> bool:
    """Tell whether ``text`` may be a route: a letter, then letters, digits, ``_`` and ``-``.

    At most 36 characters, and neither ``__`` nor ``--``, which are hard to read.
    """
    return (
        ROUTE_FORM.fullmatch(text) is not None
        and "__" not in text
        and "--" not in text
        and not is_uuid(text)
    )
