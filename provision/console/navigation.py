"""The console's parts in the order in which people need them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from attrs import frozen


@frozen
class Entry:
    """A part: where it is, what it is called, and what it is for."""

    path: str
    label: str
    purpose: str


ENTRIES: Final[Sequence[Entry]] = (
    Entry("/console/gateways", "Gateways", "What is onboarded, how it is, and what to do about it"),
    Entry("/console/onboard", "Onboard", "Bring a new gateway onto the platform"),
    Entry("/console/bootstraps", "Bootstraps", "What each device fetches when it starts"),
    Entry("/console/profiles", "Profiles", "Templates of device configurations"),
    Entry("/console/layouts", "Layouts", "Which clients and channels a gateway is given"),
    Entry("/console/onboardings", "Onboardings", "The journal: what was done, and by whom"),
)


def navigation(paths: Collection[str]) -> Sequence[Entry]:
    """Return the entries whose pages are among ``paths``."""
    return [entry for entry in ENTRIES if entry.path in paths]
