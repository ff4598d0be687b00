"""Many gateways in a store: copies of one that was onboarded, in the rows that lists read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.model import new_id
from bootstrap_core.secrets import Secret
from bootstrap_core.store.tables import configs
from provision.onboarding.model import Onboarding
from provision.onboarding.rows import RowCodec
from provision.onboarding.tables import certificates_in_use, onboardings
from provision.store.data_directory import DataDirectory
from provision.store.database import open_engine

AT_ONCE = 2_000


@frozen
class Example:
    """The gateway that is copied: its onboarding, and its rows beside the journal."""

    onboarding: Onboarding
    place: str
    config: Mapping[str, Any]
    certificates: Sequence[Mapping[str, Any]]


async def copy_gateways(data: Path, count: int) -> None:
    """Make ``count`` more gateways ``copy-<number>`` like the only one of a service at rest."""
    rows = RowCodec(DataDirectory(data).sealer(Secret("")))
    engine = open_engine(f"sqlite+aiosqlite:///{data / 'provision.db'}")
    try:
        async with engine.connect() as connection:
            example = await _example(connection, rows)
        for start in range(0, count, AT_ONCE):
            names = [f"copy-{number}" for number in range(start, min(start + AT_ONCE, count))]
            batch = [_copies(example, rows, name) for name in names]
            async with engine.begin() as connection:
                for table in (onboardings, configs, certificates_in_use):
                    copies = [row for each in batch for row in each[table]]
                    await connection.execute(insert(table), copies)
    finally:
        await engine.dispose()


async def _example(connection: AsyncConnection, rows: RowCodec) -> Example:
    found: dict[Table, list[dict[str, Any]]] = {
        table: [dict(row) for row in (await connection.execute(select(table))).mappings()]
        for table in (onboardings, configs, certificates_in_use)
    }
    (onboarding,), (config,) = found[onboardings], found[configs]
    return Example(rows.decode(onboarding), onboarding["place"], config, found[certificates_in_use])


def _copies(example: Example, rows: RowCodec, name: str) -> Mapping[Table, Sequence[Any]]:
    model, config_id = example.onboarding, new_id()
    intent = evolve(model.intent, plan=evolve(model.plan, external_id=name))
    row = rows.encode(evolve(model, id=new_id(), external_id=name, intent=intent))
    place = example.place.removesuffix(model.external_id) + name
    return {
        onboardings: [{**row, "place": place, "lease_owner": None, "lease_until": None}],
        configs: [
            {
                **example.config,
                "id": config_id,
                "external_id": name,
                "name": name,
                "name_folded": name.casefold(),
            }
        ],
        certificates_in_use: list(_certificates(example, name, config_id)),
    }


def _certificates(example: Example, name: str, config_id: str) -> Iterator[Mapping[str, Any]]:
    for each in example.certificates:
        yield {
            **each,
            "client_id": new_id(),
            "external_id": name,
            "config_id": config_id,
            "serial": new_id(),
        }
