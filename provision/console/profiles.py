"""Profiles: the list, each of them, uploads, and removal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.formats.toml import read_toml
from provision.console.addresses import address
from provision.console.differences import differences
from provision.console.errors import Refused
from provision.console.page import PAGE, Page, lines_of, offset_of, pager
from provision.console.profile_editor import PLACE, written
from provision.console.visit import Visit

VERSIONS: Final = "/console/profiles/{profile_id}/versions"
ONE_VERSION: Final = VERSIONS + "/{version}"


@frozen
class ProfileVersions:
    """The pages about former versions."""

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", VERSIONS, self.list),
            Page("GET", ONE_VERSION, self.show),
            Page("POST", ONE_VERSION + "/restore", self.restore),
        ]

    async def list(self, visit: Visit) -> Response:
        """List the versions of a profile, newest first."""
        profile_id = visit.path("profile_id")
        profile = await visit.api.in_domain.get(*PLACE, profile_id)
        found = await visit.api.in_domain.get(*PLACE, profile_id, "versions")
        context = {"profile": profile, "versions": found["versions"]}
        return await visit.page("profiles/versions.html", context)

    async def show(self, visit: Visit) -> Response:
        """Show what changed from one version to another, by default to the present one."""
        profile_id, number = visit.path("profile_id"), visit.path("version")
        profile = await visit.api.in_domain.get(*PLACE, profile_id)
        known = await visit.api.in_domain.get(*PLACE, profile_id, "versions")
        old = await visit.api.in_domain.get(*PLACE, profile_id, "versions", number)
        other = visit.query("with", str(profile["version"]))
        new = await visit.api.in_domain.get(*PLACE, profile_id, "versions", other)
        context = {
            "profile": profile,
            "old": old,
            "new": new,
            "versions": [str(each["version"]) for each in known["versions"]],
            "difference": differences(text_of(old).split("\n"), text_of(new).split("\n")),
            "text": text_of(old),
        }
        return await visit.page("profiles/version.html", context)

    async def restore(self, visit: Visit) -> Response:
        """Save an old version as a new one."""
        profile_id, number = visit.path("profile_id"), visit.path("version")
        old = await visit.api.in_domain.get(*PLACE, profile_id, "versions", number)
        saved = await visit.api.in_domain.put(*PLACE, profile_id, body=old)
        said = f"Version {number} was saved again, as version {saved['version']}."
        return await visit.done(address("profiles", profile_id), said)


def text_of(profile: Mapping[str, Any]) -> str:
    """Write all that a version says as one text, whose lines can be compared."""
    slots = [
        f"  {each['name']}: {each['type']}{', required' if each['required'] else ''}"
        + (f", fields {', '.join(each['fields'])}" if each.get("fields") else "")
        for each in profile.get("binding_slots", ())
    ]
    lines = [
        f"name: {profile['name']}",
        f"description: {profile.get('description', '')}",
        f"format: {profile['content_format']}",
        *(["slots:", *slots] if slots else ["slots: none"]),
        *(f"defaults: {written(profile.get('defaults', {})) or 'none'}".split("\n")),
        "template:",
        *profile.get("content_template", "").split("\n"),
    ]
    return "\n".join(lines)


LIST: Final = "/console/profiles"
UPLOAD: Final = "/console/profiles/upload"
ONE: Final = "/console/profiles/{profile_id}"
USERS_SHOWN: Final = 50
CONFLICT: Final = 409
MEDIA_TYPES: Final = {
    "json": "application/json",
    "yaml": "application/yaml",
    "toml": "application/toml",
}
LOOKS_LIKE_TOML: Final = re.compile(r"^\s*(?:\[+[\w.\"'-]+\]+|[\w.\"'-]+\s*=.*)\s*(?:#.*)?$")


@frozen
class Profiles:
    """The pages about profiles as they are."""

    def pages(self) -> Sequence[Page]:
        """Return the pages; that of one profile goes after those with names of their own."""
        return [
            Page("GET", LIST, self.list),
            Page("GET", UPLOAD, self.choose_file),
            Page("POST", UPLOAD, self.upload),
            Page("GET", ONE, self.show),
            Page("GET", ONE + "/delete", self.ask),
            Page("POST", ONE + "/delete", self.delete),
        ]

    async def list(self, visit: Visit) -> Response:
        """List the profiles, newest first."""
        wanted = visit.query("q")
        query: dict[str, str | int] = {
            "offset": offset_of(visit.request),
            "limit": PAGE,
            "name": wanted,
        }
        found = await visit.api.in_domain.get(*PLACE, query=query)
        context = {
            "profiles": found["profiles"],
            "total": found["total"],
            "q": wanted,
            "pager": pager(visit.request, found, {"q": wanted}),
        }
        return await visit.page("profiles/list.html", context)

    async def show(self, visit: Visit) -> Response:
        """Show a profile with the gateways that use it."""
        profile = await visit.api.in_domain.get(*PLACE, visit.path("profile_id"))
        context = {
            "profile": profile,
            "lines": lines_of(profile.get("content_template", ""), ()),
            "defaults": written(profile.get("defaults", {})),
            "users": await _users(visit),
        }
        return await visit.page("profiles/show.html", context)

    async def choose_file(self, visit: Visit) -> Response:
        """Show the form of an upload."""
        return await visit.page("profiles/upload.html")

    async def upload(self, visit: Visit) -> Response:
        """Make a profile from a document, in the format that it is written in."""
        text = visit.form.file_or_text("document")
        form = visit.form.with_values(document=text)
        kind = MEDIA_TYPES.get(form.text("kind")) or MEDIA_TYPES[_kind_of(text)]
        try:
            made = await visit.api.in_domain.upload(*PLACE, "upload", text=text, media_type=kind)
        except Refused as error:
            form = form.wrong(document=error.message)
            return await visit.form_again("profiles/upload.html", form)
        return await visit.done(address("profiles", made["id"]), f"{made['name']} was made.")

    async def ask(self, visit: Visit) -> Response:
        """Ask before a profile is deleted."""
        return await self._question(visit, "")

    async def delete(self, visit: Visit) -> Response:
        """Delete a profile that nobody uses."""
        try:
            await visit.api.in_domain.delete(*PLACE, visit.path("profile_id"))
        except Refused as error:
            if error.status != CONFLICT:
                raise
            return await self._question(visit, error.message.partition(";")[0])
        return await visit.done(LIST, "The profile was deleted.")

    async def _question(self, visit: Visit, refusal: str) -> Response:
        profile = await visit.api.in_domain.get(*PLACE, visit.path("profile_id"))
        context = {"profile": profile, "users": await _users(visit), "refusal": refusal}
        status = CONFLICT if refusal else 200
        return await visit.page("profiles/delete.html", context, status=status)


async def _users(visit: Visit) -> Mapping[str, Any]:
    """Return the first gateways that have the profile of the path, and how many there are."""
    query: dict[str, str | int] = {
        "profile_id": visit.path("profile_id"),
        "status": "all",
        "limit": USERS_SHOWN,
    }
    found: Mapping[str, Any] = await visit.api.in_domain.get("clients", "configs", query=query)
    return found


def _kind_of(text: str) -> str:
    """Guess how a document is written; the API says what is wrong with it in that format."""
    if text.lstrip().startswith("{"):
        return "json"
    try:
        read_toml(text)
    except ValueError:
        return "toml" if any(map(LOOKS_LIKE_TOML.match, text.split("\n")[:20])) else "yaml"
    return "toml"
