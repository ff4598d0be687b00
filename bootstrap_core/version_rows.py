"""Former versions of profiles in their table, on a connection that the caller gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attrs import evolve
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.model import Profile
from bootstrap_core.profile_slots import slots_from_json
from bootstrap_core.rendering import ContentFormat
from bootstrap_core.tables import profile_versions, profiles

KEPT: Final = 100
"""Former versions of one profile that are kept, the newest ones."""
COPIED: Final = [column.name for column in profile_versions.c if column.name != "profile_id"]


async def keep(connection: AsyncConnection, profile_id: str, next_version: int) -> None:
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


async def of_profile(connection: AsyncConnection, profile: Profile) -> Sequence[Profile]:
    """Return the versions of a profile that are known, newest first, the present one too."""
    query = (
        select(profile_versions)
        .where(profile_versions.c.profile_id == profile.id)
        .order_by(profile_versions.c.version.desc())
    )
    rows = await connection.execute(query)
    return [profile, *(_version(profile, dict(row)) for row in rows.mappings())]


async def find(connection: AsyncConnection, profile: Profile, version: int) -> Profile | None:
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
