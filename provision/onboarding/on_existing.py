"""What a request wants of a gateway that exists."""

from __future__ import annotations

from enum import StrEnum


class OnExisting(StrEnum):
    """What a request wants where the gateway exists already."""

    REUSE = "reuse"
    FAIL = "fail"
    REPAIR = "repair"
    ROTATE = "rotate"
    REPLACE = "replace"
