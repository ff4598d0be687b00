"""Profiles that come with a layout instead of being made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core import profile_rows
from bootstrap_core.model import BindingSlot, Profile, new_id, new_revision
from bootstrap_core.profile_rows import Origin
from bootstrap_core.rendering import ContentFormat


@frozen
class InlineProfile:
    """A profile that belongs to a layout.

    There is one per domain and ``origin`` (the layout's name). While ``digest`` (the layout's)
    stays the same it is reused; another digest makes it a new version. ``name`` is a wish: should
    another profile have it, the domain's gets a suffix.
    """

    origin: str
    digest: str
    name: str
    content_format: ContentFormat
    content_template: str
    description: str = ""
    defaults: Mapping[str, Any] = field(factory=dict)
    binding_slots: Sequence[BindingSlot] = ()


async def put(
    connection: AsyncConnection, domain_id: str, inline: InlineProfile, at: datetime
) -> Profile:
    """Return the domain's profile for ``inline``, made or brought up to date."""
    found = await profile_rows.find_by_origin(connection, domain_id, inline.origin)
    if found is None:
        return await _add(connection, domain_id, inline, at)
    profile, origin = found
    if origin.digest == inline.digest:
        return profile
    updated = evolve(
        profile,
        version=profile.version + 1,
        revision=new_revision(),
        updated_at=at,
        **_content(inline),
    )
    origin = Origin(inline.origin, inline.digest)
    await profile_rows.replace(connection, updated, origin)
    return updated


async def _add(
    connection: AsyncConnection, domain_id: str, inline: InlineProfile, at: datetime
) -> Profile:
    profile = Profile(
        id=new_id(),
        domain_id=domain_id,
        name=inline.name,
        revision=new_revision(),
        created_at=at,
        updated_at=at,
        **_content(inline),
    )
    if await profile_rows.find_by_name(connection, domain_id, profile.name):
        profile = evolve(profile, name=f"{inline.name}-{profile.id[:8]}")
    origin = Origin(inline.origin, inline.digest)
    try:
        async with connection.begin_nested():
            await profile_rows.add(connection, profile, origin)
    except IntegrityError:
        # Another transaction was first; what it made is the one to use.
        return await put(connection, domain_id, inline, at)
    return profile


def _content(inline: InlineProfile) -> dict[str, Any]:
    return {
        "description": inline.description,
        "content_format": inline.content_format,
        "content_template": inline.content_template,
        "defaults": dict(inline.defaults),
        "binding_slots": tuple(inline.binding_slots),
    }
