"""Profiles as their owners manage them: create, view, list, change, remove."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import asdict, evolve, field, frozen
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.errors import NotFound, ProfileInUse, ProfileInvalid, RenderError
from bootstrap_core.formats.profile_documents import NewProfile, ProfileChange
from bootstrap_core.formats.rendering import ContentFormat, Renderer
from bootstrap_core.model import BindingSlot, Page, Profile, new_id, new_revision, utc_now
from bootstrap_core.store import config_rows, profile_rows
from bootstrap_core.store.profile_rows import Origin
from bootstrap_core.store.tables import configs, conflicts_named


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


NAMED_CONFIGS: Final = 100


class Profiles:
    """The profiles of all domains; callers have been let in already."""

    def __init__(
        self, engine: AsyncEngine, renderer: Renderer, now: Callable[[], datetime] = utc_now
    ) -> None:
        """Check templates with ``renderer`` before they are stored."""
        self._engine = engine
        self._renderer = renderer
        self._now = now

    async def create(self, domain_id: str, new: NewProfile) -> Profile:
        """Create a profile.

        Raises ``ProfileInvalid``: the template does not parse; ``Conflict``: the name is taken.
        """
        at = self._now()
        profile = Profile(
            id=new_id(),
            domain_id=domain_id,
            created_at=at,
            updated_at=at,
            revision=new_revision(),
            **asdict(new, recurse=False),
        )
        await self._check(profile)
        with conflicts_named(name=profile.name):
            async with self._engine.begin() as connection:
                await profile_rows.add(connection, profile)
        return profile

    async def view(self, domain_id: str, profile_id: str) -> Profile:
        """Return a profile. Raises ``NotFound``."""
        async with self._engine.connect() as connection:
            return await _find(connection, domain_id, profile_id)

    async def list(self, domain_id: str, name: str, offset: int, limit: int) -> Page[Profile]:
        """List profiles, newest first; ``name`` matches a part in any case."""
        async with self._engine.connect() as connection:
            return await profile_rows.page(connection, domain_id, name, offset, limit)

    async def change(self, domain_id: str, profile_id: str, change: ProfileChange) -> Profile:
        """Change what is named and raise the version, even when nothing is named.

        Raises ``NotFound``, ``ProfileInvalid``; ``Conflict``: the name is taken.
        """
        return await self._write(
            domain_id,
            profile_id,
            change.named(),
        )

    async def replace(self, domain_id: str, profile_id: str, new: NewProfile) -> Profile:
        """Give a profile all of ``new``, what is empty in it too, and raise the version.

        Raises ``NotFound``, ``ProfileInvalid``; ``Conflict``: the name is taken.
        """
        return await self._write(domain_id, profile_id, asdict(new, recurse=False))

    async def versions(self, domain_id: str, profile_id: str) -> Sequence[Profile]:
        """Return the versions that are known, newest first: the present one and former ones.

        Raises ``NotFound``.
        """
        async with self._engine.connect() as connection:
            profile = await _find(connection, domain_id, profile_id)
            return await profile_rows.versions_of(connection, profile)

    async def view_version(self, domain_id: str, profile_id: str, version: int) -> Profile:
        """Return a profile as it was in one version. Raises ``NotFound``."""
        async with self._engine.connect() as connection:
            profile = await _find(connection, domain_id, profile_id)
            found = await profile_rows.find_version(connection, profile, version)
        if found is None:
            raise NotFound(
                f"version {version} of profile {profile_id!r} is not known; the last "
                f"{profile_rows.KEPT} versions are kept"
            )
        return found

    async def _write(self, domain_id: str, profile_id: str, values: dict[str, Any]) -> Profile:
        with conflicts_named(name=values.get("name", "")):
            async with self._engine.begin() as connection:
                profile = await profile_rows.find_for_update(connection, domain_id, profile_id)
                if profile is None:
                    raise not_found(profile_id)
                changed = evolve(
                    profile,
                    version=profile.version + 1,
                    revision=new_revision(),
                    updated_at=self._now(),
                    **values,
                )
                await self._check(changed)
                await profile_rows.replace(connection, changed)
        return changed

    async def remove(self, domain_id: str, profile_id: str) -> None:
        """Delete a profile; one that is not there is no error.

        Raises ``ProfileInUse``, which names the configs that have it.
        """
        async with self._removing(profile_id) as connection:
            users = await config_rows.made_with(connection, domain_id, profile_id)
            if users:
                named = [
                    {"id": config_id, "external_id": external_id}
                    for config_id, external_id in users[:NAMED_CONFIGS]
                ]
                ids = ", ".join(each["id"] for each in named)
                raise ProfileInUse(
                    f"profile {profile_id} is assigned to {len(users)} "
                    f"{'config' if len(users) == 1 else 'configs'}: {ids}; give them another one "
                    "first, or add force=true to leave them without a profile",
                    details={"configs": named, "total": len(users)},
                )
            await profile_rows.remove(connection, domain_id, profile_id)

    async def remove_by_force(self, domain_id: str, profile_id: str) -> None:
        """Delete a profile; configs that have it are left with their own content."""
        async with self._removing(profile_id) as connection:
            await self._leave(connection, domain_id, profile_id)
            await profile_rows.remove(connection, domain_id, profile_id)

    @contextlib.asynccontextmanager
    async def _removing(self, profile_id: str) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise ProfileInUse(
                f"profile {profile_id} was assigned to a config in this moment; try again"
            ) from error

    async def _leave(self, connection: AsyncConnection, domain_id: str, profile_id: str) -> None:
        # One revision for all is enough: it is new to every one of them.
        await connection.execute(
            update(configs)
            .where(configs.c.domain_id == domain_id, configs.c.profile_id == profile_id)
            .values(profile_id=None, revision=new_revision(), updated_at=self._now())
        )

    async def _check(self, profile: Profile) -> None:
        try:
            await self._renderer.checked(profile.content_format, profile.content_template)
        except RenderError as error:
            raise ProfileInvalid(
                f"content_template: {error}",
                details={"field": "content_template", "line": error.line},
            ) from error


async def _find(connection: AsyncConnection, domain_id: str, profile_id: str) -> Profile:
    profile = await profile_rows.find(connection, domain_id, profile_id)
    if profile is None:
        raise not_found(profile_id)
    return profile


def not_found(profile_id: str) -> NotFound:
    """Return the error for a profile that is not in the caller's domain."""
    return NotFound(f"there is no profile {profile_id!r} in this domain")
