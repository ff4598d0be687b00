"""All tables of the store together; each package owns its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Constraint, Index, MetaData, Table
from sqlalchemy.schema import ColumnCollectionConstraint

from bootstrap_core.store.tables import DIALECT
from bootstrap_core.store.tables import metadata as bootstrap_metadata
from provision.console.sessions import metadata as console_metadata
from provision.embedded.tables import metadata as embedded_metadata
from provision.onboarding.tables import metadata as onboarding_metadata
from provision.store.key_store import metadata as key_metadata

_PARTS: Final = (
    bootstrap_metadata,
    embedded_metadata,
    key_metadata,
    onboarding_metadata,
    console_metadata,
)


def tables_of(dialect: str) -> MetaData:
    """Return all tables with the indexes and constraints that they have on a kind of database."""
    whole = MetaData()
    for package in _PARTS:
        for table in package.sorted_tables:
            made = table.to_metadata(whole)
            # A copy of an index does not know what its original does.
            elsewhere = {_key(part) for part in _parts(table) if not _is_on(dialect, part)}
            made.indexes = {part for part in made.indexes if _key(part) not in elsewhere}
            made.constraints = {part for part in made.constraints if _key(part) not in elsewhere}
    return whole


def _parts(table: Table) -> Iterator[Index | Constraint]:
    yield from table.indexes
    yield from table.constraints


def _key(part: Index | Constraint) -> tuple[object, ...]:
    columns = part.columns.keys() if isinstance(part, Index | ColumnCollectionConstraint) else ()
    return (type(part), part.name, *columns)


def _is_on(dialect: str, part: Index | Constraint) -> bool:
    meant = part.info.get(DIALECT)
    return meant in (None, dialect)
