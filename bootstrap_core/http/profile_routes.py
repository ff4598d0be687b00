"""The routes of profiles (Magistrala's bootstrap document, "Profile Endpoints")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.delivery.preview import PreviewRequest, Previews, read_draft
from bootstrap_core.errors import Malformed
from bootstrap_core.formats.documents import Document
from bootstrap_core.formats.profile_documents import NewProfile, ProfileChange, read_toml, read_yaml
from bootstrap_core.formats.rendering import ContentFormat, RenderProfile
from bootstrap_core.http.answers import (
    JsonAnswer,
    empty,
    page,
    profile_view,
    slots_view,
    version_view,
)
from bootstrap_core.http.openapi import Group, Operation, Parameter, Reply
from bootstrap_core.http.requests import JSON, Bodies, Door, Query, media_type, path_id, read_json
from bootstrap_core.http.schemas import CHANGING, LIMIT, LISTING, NAME, OFFSET, READING, RENDERING
from bootstrap_core.model import Profile
from bootstrap_core.profiles import Profiles

VERSION_DIGITS: Final = 10
COLLECTION: Final = "/{domain_id}/clients/bootstrap/profiles"
ONE: Final = COLLECTION + "/{profile_id}"
UPLOADS: Final = {
    JSON: (read_json, ContentFormat.JSON),
    "application/yaml": (read_yaml, ContentFormat.YAML),
    "application/x-yaml": (read_yaml, ContentFormat.YAML),
    "text/yaml": (read_yaml, ContentFormat.YAML),
    "text/x-yaml": (read_yaml, ContentFormat.YAML),
    "application/toml": (read_toml, ContentFormat.TOML),
    "application/x-toml": (read_toml, ContentFormat.TOML),
    "text/toml": (read_toml, ContentFormat.TOML),
    "text/x-toml": (read_toml, ContentFormat.TOML),
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
        caller, new = await self._door.member_with(request, self._new(request))
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
        caller, wanted = await self._door.member_with(request, self._preview(request))
        if wanted.config_id:
            conditions = ("config", "secrets") if wanted.show_secrets else ("config",)
            await self._door.permit(caller, request, *conditions, config_id=wanted.config_id)
        content = await self._previews.render(caller.domain_id, _id(request), wanted)
        return JsonAnswer({"content": content})

    async def change(self, request: Request) -> Response:
        """Change the fields that are sent; the version is raised."""
        caller, change = await self._door.member_with(request, self._change(request))
        profile = await self._profiles.change(caller.domain_id, _id(request), change)
        return JsonAnswer(profile_view(profile))

    async def replace(self, request: Request) -> Response:
        """Replace a profile; its version is raised."""
        caller, new = await self._door.member_with(request, self._new(request))
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
        caller, (profile, wanted) = await self._door.member_with(request, self._draft(request))
        content = await self._previews.render_draft(caller.domain_id, profile, wanted)
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
        new, change, preview, draft = (
            {JSON: name}
            for name in ("NewProfile", "ProfileChange", "PreviewRequest", "DraftPreviewRequest")
        )
        versions = {200: Reply("The versions, newest first", "ProfileVersions")}
        upload = dict.fromkeys(UPLOADS, "NewProfile")
        slots = {200: Reply("The profile's slots", "BindingSlots")}
        rendered = {200: Reply("The rendered content", "Preview")}
        removing = (*LISTING, 409)
        return [
            group.on("POST", COLLECTION, self.create, {201: CREATED}, CHANGING, body=new),
            group.on("GET", COLLECTION, self.list, {200: PAGE}, LISTING, parameters=listed),
            group.on(
                "POST", COLLECTION + "/upload", self.upload, {201: CREATED}, CHANGING, body=upload
            ),
            group.on(
                "POST",
                COLLECTION + "/render-preview",
                self.preview_draft,
                rendered,
                RENDERING,
                body=draft,
            ),
            group.on("GET", ONE, self.view, one, READING),
            group.on("PUT", ONE, self.replace, one, CHANGING, body=new),
            group.on("GET", ONE + "/versions", self.versions, versions, READING),
            group.on("GET", ONE + "/versions/{version}", self.version, one, LISTING),
            group.on("PATCH", ONE, self.change, one, CHANGING, body=change),
            group.on(
                "DELETE", ONE, self.remove, {204: Reply("Gone")}, removing, parameters=(FORCE,)
            ),
            group.on("GET", ONE + "/slots", self.slots, slots, READING),
            group.on(
                "POST", ONE + "/render-preview", self.preview, rendered, RENDERING, body=preview
            ),
        ]

    async def _new(self, request: Request) -> NewProfile:
        return await self._bodies.json_as(request, NewProfile.read)

    async def _uploaded(self, request: Request) -> NewProfile:
        def make(document: Document) -> NewProfile:
            return NewProfile.read(document, default_format=UPLOADS[media_type(request)][1])

        readers = {kind: reader for kind, (reader, _) in UPLOADS.items()}
        return await self._bodies.read_as(request, readers, make)

    async def _change(self, request: Request) -> ProfileChange:
        return await self._bodies.json_as(request, ProfileChange.read)

    async def _preview(self, request: Request) -> PreviewRequest:
        return await self._bodies.json_as(request, PreviewRequest.read)

    async def _draft(self, request: Request) -> tuple[RenderProfile, PreviewRequest]:
        return await self._bodies.json_as(
            request, lambda document: (read_draft(document), PreviewRequest.read(document))
        )


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
