"""What a profile was: its versions, what changed between them, and bringing one back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from provision.console.addresses import address
from provision.console.differences import differences
from provision.console.page import Page
from provision.console.profile_editor import PLACE
from provision.console.profile_forms import written
from provision.console.visit import Visit

VERSIONS: Final = "/console/profiles/{profile_id}/versions"
ONE: Final = VERSIONS + "/{version}"


@frozen
class ProfileVersions:
    """The pages about former versions."""

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", VERSIONS, self.list),
            Page("GET", ONE, self.show),
            Page("POST", ONE + "/restore", self.restore),
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
