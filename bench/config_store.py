"""Many configs in a store, written with the rows that the core itself writes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from attrs import evolve
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.keys import Cost, KeyHasher
from bootstrap_core.model import Config, Profile, new_id, new_revision, utc_now
from bootstrap_core.secrets import Sealer, SealingKey, Secret
from bootstrap_core.store import config_rows, profile_rows
from bootstrap_core.store.tables import configs, metadata, profiles

KEY = "a-device-key"
CHEAP = Cost(ln=1, r=1, p=1)
SEALER = Sealer([SealingKey(bytes(32))])
TEMPLATE = '{"id": "{{ .Device.ID }}", "site": "{{ .Vars.site }}", "filler": "' + "x" * 2900 + '"}'
AT_ONCE = 5_000


@contextlib.asynccontextmanager
async def store(directory: Path, cost: Cost, per_domain: dict[str, int]) -> AsyncIterator[str]:
    """Make a database with so many configs in each domain; give its URL."""
    url = f"sqlite+aiosqlite:///{directory / f'{new_id()}.db'}"
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            await connection.run_sync(metadata.create_all)
        hashed = await hashed_key(cost)
        for domain_id, count in per_domain.items():
            await add_configs(engine, await add_profile(engine, domain_id), hashed, range(count))
        yield url
    finally:
        await engine.dispose()


async def hashed_key(cost: Cost) -> str:
    """Return the hash of the key that all devices here share."""
    hasher = KeyHasher(cost)
    try:
        return await hasher.hash(Secret(KEY))
    finally:
        hasher.close()


async def add_profile(engine: AsyncEngine, domain_id: str) -> Profile:
    """Write and return the profile of a domain's configs."""
    profile = _profile(domain_id)
    async with engine.begin() as connection:
        await connection.execute(insert(profiles).values(profile_rows.to_row(profile)))
    return profile


async def add_configs(engine: AsyncEngine, profile: Profile, hashed: str, numbers: range) -> None:
    """Write the configs of devices ``gw-<number>``."""
    for start in range(0, len(numbers), AT_ONCE):
        rows = [_row(profile, hashed, number) for number in numbers[start : start + AT_ONCE]]
        async with engine.begin() as connection:
            await connection.execute(insert(configs), rows)


def _profile(domain_id: str) -> Profile:
    at = utc_now()
    return Profile(
        id=new_id(),
        domain_id=domain_id,
        name="bench",
        content_format=ContentFormat.JSON,
        created_at=at,
        updated_at=at,
        content_template=TEMPLATE,
        defaults={"site": "north"},
        revision=new_revision(),
    )


def _row(profile: Profile, hashed: str, number: int) -> dict[str, object]:
    at = utc_now()
    config = Config(
        id=new_id(),
        domain_id=profile.domain_id,
        external_id=f"gw-{number}",
        external_key_hash=hashed,
        created_at=at,
        updated_at=at,
        name=f"gateway-{number}",
        profile_id=profile.id,
    )
    return dict(config_rows.to_row(evolve(config, revision=new_revision())))
