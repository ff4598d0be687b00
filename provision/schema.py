"""All tables of the store together; each package owns its own."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import MetaData

from bootstrap_core.tables import metadata as bootstrap_metadata
from provision.console.tables import metadata as console_metadata
from provision.embedded.certificate_tables import metadata as certificate_metadata
from provision.embedded.tables import metadata as embedded_metadata
from provision.key_store import metadata as key_metadata
from provision.onboarding.certificate_tables import metadata as certificates_in_use_metadata
from provision.onboarding.tables import metadata as onboarding_metadata


def _together(parts: Iterable[MetaData]) -> MetaData:
    whole = MetaData()
    for part in parts:
        for table in part.sorted_tables:
            table.to_metadata(whole)
    return whole


metadata = _together(
    (
        bootstrap_metadata,
        embedded_metadata,
        certificate_metadata,
        key_metadata,
        onboarding_metadata,
        certificates_in_use_metadata,
        console_metadata,
    )
)
