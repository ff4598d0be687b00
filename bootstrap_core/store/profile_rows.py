"""Profiles in their table: reading, writing and listing, on a connection that the caller gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attrs import evolve, frozen
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.model import Page, Profile, slot_to_json, slots_from_json
from bootstrap_core.store.config_rows import name_matches
from bootstrap_core.store.tables import profile_versions, profiles

KEPT: Final = 100
"""Former versions of one profile that are kept, the newest ones."""
COPIED: Final = [column.name for column in profile_versions.c if column.name != "profile_id"]


async def keep_version(connection: AsyncConnection, profile_id: str, next_version: int) -> None:
    """Keep a profile as it is stored now; it is about to become ``next_version``."""
    present = select(profiles.c.id, *(profiles.c[name] for name in COPIED)).where(
        profiles.c.id == profile_id
    )
    await connection.execute(insert(profile_versions).from_select(["profile_id", *COPIED], present))
    await connection.execute(
        delete(profile_versions).where(
            profile_versions.c.profile_id == profile_id,
            profile_versions.c.version < next_version - KEPT,
        )
    )


async def versions_of(connection: AsyncConnection, profile: Profile) -> Sequence[Profile]:
    """Return the versions of a profile that are known, newest first, the present one too."""
    query = (
        select(profile_versions)
        .where(profile_versions.c.profile_id == profile.id)
        .order_by(profile_versions.c.version.desc())
    )
    rows = await connection.execute(query)
    return [profile, *(_version(profile, dict(row)) for row in rows.mappings())]


async def find_version(
    connection: AsyncConnection, profile: Profile, version: int
) -> Profile | None:
    """Return one version of a profile, the present one or a former one."""
    if version == profile.version:
        return profile
    query = select(profile_versions).where(
        profile_versions.c.profile_id == profile.id, profile_versions.c.version == version
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return _version(profile, dict(row)) if row is not None else None


def _version(profile: Profile, values: dict[str, Any]) -> Profile:
    del values["profile_id"]
    values["content_format"] = ContentFormat(values["content_format"])
    values["binding_slots"] = slots_from_json(values["binding_slots"])
    return evolve(profile, revision="", **values)


PROFILE = [
    column for column in profiles.c if column.name not in ("name_folded", "origin", "origin_digest")
]

# What every enrollment runs is built once: building a statement costs more than running it.
_IN_DOMAIN: Final = profiles.c.domain_id == bindparam("domain")
_BY_ID: Final = select(*PROFILE).where(_IN_DOMAIN, profiles.c.id == bindparam("wanted"))
_BY_ID_FOR_UPDATE: Final = _BY_ID.with_for_update()
_BY_NAME: Final = select(*PROFILE).where(_IN_DOMAIN, profiles.c.name == bindparam("wanted"))
_BY_ORIGIN: Final = (
    select(*PROFILE, profiles.c.origin_digest)
    .where(_IN_DOMAIN, profiles.c.origin == bindparam("wanted"))
    .with_for_update()
)


@frozen
class Origin:
    """Where an inline profile comes from: the layout's name and the layout's digest."""

    name: str
    digest: str


async def find(connection: AsyncConnection, domain_id: str, profile_id: str) -> Profile | None:
    """Return the profile with this ID in this domain."""
    return await _one(connection, _BY_ID, domain_id, profile_id)


async def find_for_update(
    connection: AsyncConnection, domain_id: str, profile_id: str
) -> Profile | None:
    """Return the profile and keep others from changing it until the transaction ends."""
    return await _one(connection, _BY_ID_FOR_UPDATE, domain_id, profile_id)


async def find_by_name(connection: AsyncConnection, domain_id: str, name: str) -> Profile | None:
    """Return the profile with this name in this domain."""
    return await _one(connection, _BY_NAME, domain_id, name)


async def find_by_origin(
    connection: AsyncConnection, domain_id: str, origin: str
) -> tuple[Profile, Origin] | None:
    """Return the profile that a layout of this name made, and what was last taken over."""
    named = {"domain": domain_id, "wanted": origin}
    row = (await connection.execute(_BY_ORIGIN, named)).mappings().one_or_none()
    if row is None:
        return None
    values = {key: value for key, value in row.items() if key != "origin_digest"}
    return _from_values(values), Origin(origin, row["origin_digest"])


async def add(connection: AsyncConnection, profile: Profile, origin: Origin | None = None) -> None:
    """Insert a profile."""
    await connection.execute(insert(profiles).values(to_row(profile) | _origin(origin)))


async def replace(
    connection: AsyncConnection, profile: Profile, origin: Origin | None = None
) -> None:
    """Write a profile that exists, and keep what it was; without an origin the stored one stays.

    Its version is another one than the stored one.
    """
    await keep_version(connection, profile.id, profile.version)
    values = to_row(profile) | (_origin(origin) if origin else {})
    await connection.execute(update(profiles).where(profiles.c.id == profile.id).values(values))


async def remove(connection: AsyncConnection, domain_id: str, profile_id: str) -> None:
    """Delete a profile that no config has any more."""
    await connection.execute(
        delete(profiles).where(profiles.c.domain_id == domain_id, profiles.c.id == profile_id)
    )


async def page(
    connection: AsyncConnection, domain_id: str, name: str, offset: int, limit: int
) -> Page[Profile]:
    """List profiles, newest first; ``name`` matches as in ``ConfigQuery``."""
    conditions: list[ColumnElement[bool]] = [profiles.c.domain_id == domain_id]
    if name:
        conditions.append(name_matches(profiles.c.name_folded, name))
    total = await connection.scalar(select(func.count()).select_from(profiles).where(*conditions))
    rows = await connection.execute(
        select(*PROFILE)
        .where(*conditions)
        .order_by(profiles.c.created_at.desc(), profiles.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return Page([from_row(row) for row in rows.mappings()], total or 0, offset, limit)


def from_row(row: RowMapping) -> Profile:
    """Read a profile from its row."""
    return _from_values(dict(row))


def to_row(profile: Profile) -> dict[str, Any]:
    """Write a profile as its row."""
    return {
        "id": profile.id,
        "domain_id": profile.domain_id,
        "name": profile.name,
        "name_folded": profile.name.casefold(),
        "description": profile.description,
        "content_format": profile.content_format.value,
        "content_template": profile.content_template,
        "defaults": dict(profile.defaults),
        "binding_slots": [slot_to_json(slot) for slot in profile.binding_slots],
        "version": profile.version,
        "revision": profile.revision,
        "created_at": profile.created_at,
        "updated_at": profile.updated_at,
    }


def _from_values(values: dict[str, Any]) -> Profile:
    values["content_format"] = ContentFormat(values["content_format"])
    values["binding_slots"] = slots_from_json(values["binding_slots"])
    return Profile(**values)


def _origin(origin: Origin | None) -> dict[str, Any]:
    if origin is None:
        return {"origin": None, "origin_digest": None}
    return {"origin": origin.name, "origin_digest": origin.digest}


async def _one(
    connection: AsyncConnection, query: Select[Any], domain_id: str, wanted: str
) -> Profile | None:
    named = {"domain": domain_id, "wanted": wanted}
    row = (await connection.execute(query, named)).mappings().one_or_none()
    return from_row(row) if row is not None else None
