"""The routes of profiles (Magistrala's bootstrap document, "Profile Endpoints")."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.delivery.preview import DraftPreviewRequest, PreviewRequest, Previews
from bootstrap_core.errors import Malformed
from bootstrap_core.formats.documents import read_json
from bootstrap_core.formats.profile_documents import NewProfile, ProfileChange, read_toml, read_yaml
from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.http.answers import (
    JsonAnswer,
    empty,
    page,
    profile_view,
    slots_view,
    version_view,
)
from bootstrap_core.http.openapi import Group, Operation, Parameter, Reply
from bootstrap_core.http.requests import JSON, Bodies, Door, Query, path_id
from bootstrap_core.http.schemas import CHANGING, LIMIT, LISTING, NAME, OFFSET, READING, RENDERING
from bootstrap_core.model import Caller, Profile
from bootstrap_core.profiles import Profiles

T = TypeVar("T")

VERSION_DIGITS: Final = 10
COLLECTION: Final = "/{domain_id}/clients/bootstrap/profiles"
ONE: Final = COLLECTION + "/{profile_id}"


def _of(
    content_format: ContentFormat, read: Callable[[bytes], Mapping[Any, Any]]
) -> Callable[[bytes], Mapping[Any, Any]]:
    """Return a reader of profiles whose content has the format of the document, if none is told."""

    def reader(body: bytes) -> Mapping[Any, Any]:
        document = read(body)
        told = document.get("content_format") or document.get("template_format")
        return document if told else {**document, "content_format": content_format.value}

    return reader


_YAML: Final = _of(ContentFormat.YAML, read_yaml)
_TOML: Final = _of(ContentFormat.TOML, read_toml)
UPLOADS: Final[Mapping[str, Callable[[bytes], object]]] = {
    JSON: read_json,
    "application/yaml": _YAML,
    "application/x-yaml": _YAML,
    "text/yaml": _YAML,
    "text/x-yaml": _YAML,
    "application/toml": _TOML,
    "application/x-toml": _TOML,
    "text/toml": _TOML,
    "text/x-toml": _TOML,
}
CREATED: Final = Reply("Created", "Profile", headers={"Location": "Where it is"})
PAGE: Final = Reply("A page of profiles", "ProfilePage")
FORCE: Final = Parameter(
    "force", {"type": "boolean", "default": False}, "Delete it even if configs use it"
)


class ProfileRoutes:
    """Decodes requests about profiles, calls, and encodes what comes back."""

    def __init__(self, door: Door, profiles: Profiles, previews: Previews, bodies: Bodies) -> None:
        """Let callers in at ``door`` and read their bodies with ``bodies``."""
        self._door = door
        self._profiles = profiles
        self._previews = previews
        self._bodies = bodies

    async def create(self, request: Request) -> Response:
        """Create a profile."""
        caller, new = await self._read(request, NewProfile)
        return _created(await self._profiles.create(caller.domain_id, new))

    async def upload(self, request: Request) -> Response:
        """Create a profile from a JSON, YAML or TOML document."""
        caller, new = await self._door.member_with(request, self._uploaded(request))
        return _created(await self._profiles.create(caller.domain_id, new))

    async def list(self, request: Request) -> Response:
        """List profiles."""
        caller, (name, offset, limit) = await self._door.member_with(request, _query(request))
        found = await self._profiles.list(caller.domain_id, name, offset, limit)
        return page("profiles", found, [profile_view(profile) for profile in found.items])

    async def view(self, request: Request) -> Response:
        """Show a profile."""
        caller = await self._door.member(request)
        return JsonAnswer(profile_view(await self._profiles.view(caller.domain_id, _id(request))))

    async def slots(self, request: Request) -> Response:
        """Show a profile's binding slots."""
        caller = await self._door.member(request)
        profile = await self._profiles.view(caller.domain_id, _id(request))
        return JsonAnswer({"binding_slots": slots_view(profile)})

    async def preview(self, request: Request) -> Response:
        """Render a profile without changing anything."""
        caller, wanted = await self._read(request, PreviewRequest)
        if wanted.config_id:
            conditions = ("config", "secrets") if wanted.show_secrets else ("config",)
            await self._door.permit(caller, request, *conditions, config_id=wanted.config_id)
        content = await self._previews.render(caller.domain_id, _id(request), wanted)
        return JsonAnswer({"content": content})

    async def change(self, request: Request) -> Response:
        """Change the fields that are sent; the version is raised."""
        caller, change = await self._read(request, ProfileChange)
        profile = await self._profiles.change(caller.domain_id, _id(request), change)
        return JsonAnswer(profile_view(profile))

    async def replace(self, request: Request) -> Response:
        """Replace a profile; its version is raised."""
        caller, new = await self._read(request, NewProfile)
        profile = await self._profiles.replace(caller.domain_id, _id(request), new)
        return JsonAnswer(profile_view(profile))

    async def versions(self, request: Request) -> Response:
        """List the stored versions of a profile, newest first."""
        caller = await self._door.member(request)
        found = await self._profiles.versions(caller.domain_id, _id(request))
        return JsonAnswer({"versions": [version_view(each) for each in found]})

    async def version(self, request: Request) -> Response:
        """Show a profile as it was in one version."""
        caller = await self._door.member(request)
        number = _version(request)
        found = await self._profiles.view_version(caller.domain_id, _id(request), number)
        return JsonAnswer(profile_view(found))

    async def preview_draft(self, request: Request) -> Response:
        """Render a profile that is sent along and not stored."""
        caller, wanted = await self._read(request, DraftPreviewRequest)
        content = await self._previews.render_draft(caller.domain_id, wanted.draft(), wanted)
        return JsonAnswer({"content": content})

    async def remove(self, request: Request) -> Response:
        """Delete a profile."""
        caller, force = await self._door.member_with(request, _force(request))
        remove = self._profiles.remove_by_force if force else self._profiles.remove
        await remove(caller.domain_id, _id(request))
        return empty(204)

    def operations(self) -> Sequence[Operation]:
        """Return what is served."""
        group = Group("profiles")
        one = {200: Reply("The profile", "Profile")}
        listed = (OFFSET, LIMIT, NAME)
        versions = {200: Reply("The versions, newest first", "ProfileVersions")}
        slots = {200: Reply("The profile's slots", "BindingSlots")}
        rendered = {200: Reply("The rendered content", "Preview")}
        removing = (*LISTING, 409)
        return [
            group.on("POST", COLLECTION, self.create, {201: CREATED}, CHANGING, body=NewProfile),
            group.on("GET", COLLECTION, self.list, {200: PAGE}, LISTING, parameters=listed),
            group.on(
                "POST",
                COLLECTION + "/upload",
                self.upload,
                {201: CREATED},
                CHANGING,
                body=NewProfile,
                kinds=[*UPLOADS],
            ),
            group.on(
                "POST",
                COLLECTION + "/render-preview",
                self.preview_draft,
                rendered,
                RENDERING,
                body=DraftPreviewRequest,
            ),
            group.on("GET", ONE, self.view, one, READING),
            group.on("PUT", ONE, self.replace, one, CHANGING, body=NewProfile),
            group.on("GET", ONE + "/versions", self.versions, versions, READING),
            group.on("GET", ONE + "/versions/{version}", self.version, one, LISTING),
            group.on("PATCH", ONE, self.change, one, CHANGING, body=ProfileChange),
            group.on(
                "DELETE", ONE, self.remove, {204: Reply("Gone")}, removing, parameters=(FORCE,)
            ),
            group.on("GET", ONE + "/slots", self.slots, slots, READING),
            group.on(
                "POST",
                ONE + "/render-preview",
                self.preview,
                rendered,
                RENDERING,
                body=PreviewRequest,
            ),
        ]

    async def _read(self, request: Request, kind: type[T]) -> tuple[Caller, T]:
        return await self._door.member_with(request, self._bodies.read(request, kind))

    async def _uploaded(self, request: Request) -> NewProfile:
        return await self._bodies.read_as(request, {**UPLOADS, JSON: self._bodies.json}, NewProfile)


def _version(request: Request) -> int:
    written = request.path_params["version"]
    if not (written.isascii() and written.isdigit() and len(written) < VERSION_DIGITS):
        raise Malformed(f"version: a whole number is wanted, not {written!r:.40}")
    return int(written)


async def _query(request: Request) -> tuple[str, int, int]:
    query = Query.of(request)
    return query.single("name"), query.offset(), query.limit(least=1)


async def _force(request: Request) -> bool:
    return Query.of(request).boolean("force")


def _created(profile: Profile) -> Response:
    location = f"{COLLECTION.format(domain_id=profile.domain_id)}/{profile.id}"
    return JsonAnswer(profile_view(profile), 201, {"Location": location})


def _id(request: Request) -> str:
    return path_id(request, "profile_id")
