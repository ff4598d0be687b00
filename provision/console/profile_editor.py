"""Writing a profile: its form beside a preview of what it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from provision.console.addresses import address
from provision.console.errors import Refused
from provision.console.forms import Form
from provision.console.listing import Line, lines_of
from provision.console.page import Page
from provision.console.profile_forms import (
    FIELDS,
    FORMATS,
    OBJECTS,
    SAMPLE,
    TYPES,
    document_of,
    form_of,
    rows_of,
    trial_of,
)
from provision.console.visit import Visit

PLACE: Final = ("clients", "bootstrap", "profiles")
NEW: Final = "/console/profiles/new"
PREVIEW: Final = "/console/profiles/preview"
EDIT: Final = "/console/profiles/{profile_id}/edit"
EDITOR: Final = "profiles/editor.html"
GATEWAYS_OFFERED: Final = 100


@frozen
class Preview:
    """What a template makes, or why it makes nothing, with the template's lines."""

    content: str = ""
    error: str = ""
    unreadable: str = ""
    lines: Sequence[Line] = ()


@frozen
class ProfileEditor:
    """Making profiles and changing them."""

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", NEW, self.new),
            Page("POST", NEW, self.create),
            Page("POST", PREVIEW, self.preview),
            Page("GET", EDIT, self.edit),
            Page("POST", EDIT, self.save),
        ]

    async def new(self, visit: Visit) -> Response:
        """Show an empty form."""
        form = Form.of(content_format="json", content_template=_STARTER)
        return await visit.page(EDITOR, await _shown(visit, form))

    async def create(self, visit: Visit) -> Response:
        """Make a profile."""
        document, form = document_of(visit.form)
        if form.is_wrong:
            return await visit.form_again(EDITOR, form, await _shown(visit, form))
        try:
            made = await visit.api.in_domain.post(*PLACE, body=document)
        except Refused as error:
            form = form.refused(error, FIELDS)
            return await visit.form_again(EDITOR, form, await _shown(visit, form))
        return await visit.done(address("profiles", made["id"]), f"{made['name']} was made.")

    async def preview(self, visit: Visit) -> Response:
        """Show the form again with what it would make; nothing is stored."""
        return await visit.page(EDITOR, await _shown(visit, visit.form))

    async def edit(self, visit: Visit) -> Response:
        """Show a profile's form."""
        profile = await visit.api.in_domain.get(*PLACE, visit.path("profile_id"))
        form = form_of(profile).with_values(profile_id=profile["id"])
        return await visit.page(EDITOR, await _shown(visit, form))

    async def save(self, visit: Visit) -> Response:
        """Save a profile as its next version, unless somebody else has saved one meanwhile."""
        profile_id = visit.path("profile_id")
        present = await visit.api.in_domain.get(*PLACE, profile_id)
        document, form = document_of(visit.form.with_values(profile_id=profile_id))
        if form.text("version") != str(present["version"]):
            form = form.wrong(
                name=f"version {present['version']} was saved while you were writing: look at it "
                "in the profile's versions; saving again puts yours above it"
            ).with_values(version=str(present["version"]))
        if form.is_wrong:
            return await visit.form_again(EDITOR, form, await _shown(visit, form))
        try:
            saved = await visit.api.in_domain.put(*PLACE, profile_id, body=document)
        except Refused as error:
            form = form.refused(error, FIELDS)
            return await visit.form_again(EDITOR, form, await _shown(visit, form))
        said = f"Saved as version {saved['version']}."
        return await visit.done(address("profiles", profile_id), said)


async def _shown(visit: Visit, form: Form) -> dict[str, Any]:
    """Return what the editor's page shows: the form's own errors are added to it."""
    trial, form = trial_of(form)
    unreadable = "; ".join(form.errors[name] for name in OBJECTS if name in form.errors)
    return {
        "form": form,
        "rows": rows_of(form),
        "formats": FORMATS,
        "types": TYPES,
        "gateways": [(SAMPLE, "Sample data"), *await _gateways(visit)],
        "preview": Preview(unreadable=unreadable) if unreadable else await _preview(visit, trial),
    }


async def _gateways(visit: Visit) -> Sequence[tuple[str, str]]:
    query: dict[str, str | int] = {"status": "all", "limit": GATEWAYS_OFFERED}
    found = await visit.api.in_domain.get("clients", "configs", query=query)
    return [
        (
            each["id"],
            f"{each['external_id']} ({each['name']})" if "name" in each else each["external_id"],
        )
        for each in found["configs"]
    ]


async def _preview(visit: Visit, trial: Mapping[str, Any]) -> Preview:
    try:
        answer = await visit.api.in_domain.post(*PLACE, "render-preview", body=trial)
    except Refused as error:
        details = error.details if isinstance(error.details, Mapping) else {}
        line = details.get("line") or 0
        if not line:
            return Preview(error=error.message)
        problem = {
            "line": line,
            "column": details.get("column") or 0,
            "severity": "error",
            "message": "it does not get beyond this line",
            "rule": "",
            "suggestion": "",
            "allowed": (),
        }
        lines = lines_of(trial["profile"]["content_template"], [problem])
        return Preview(error=error.message, lines=lines)
    return Preview(content=answer["content"])


_STARTER: Final = """\
{
  "device_id": {{ toJSON .Device.ID }},
  "external_id": {{ toJSON .Device.ExternalID }}
}
"""
