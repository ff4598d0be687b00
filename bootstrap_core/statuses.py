"""How a status is written: by name in any case, or by the older numbers."""

from __future__ import annotations

from typing import Final

from bootstrap_core.errors import Malformed
from bootstrap_core.model import Status

WRITTEN: Final[dict[str, Status | None]] = {
    "": Status.ENABLED,
    "enabled": Status.ENABLED,
    "0": Status.ENABLED,
    "disabled": Status.DISABLED,
    "1": Status.DISABLED,
    "all": None,
}


def read_status(value: object, place: str) -> Status | None:
    """Return the status that a text or number stands for; None stands for all.

    Raises ``Malformed``, naming ``place``.
    """
    written = str(value).lower() if isinstance(value, str | int) else None
    if written is None or isinstance(value, bool) or written not in WRITTEN:
        raise Malformed(
            f"{place}: {value!r} is not known; allowed are enabled, disabled, all, 0, 1"
        )
    return WRITTEN[written]
