"""Writing a profile: its form beside a preview of what it makes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.model import (
    ResourceType,
    certificate_resource,
    channel_resource,
    client_resource,
)
from bootstrap_core.secrets import MASK, Secret
from provision.console.addresses import address
from provision.console.errors import Refused
from provision.console.forms import Form, NotJson
from provision.console.page import Line, Page, lines_of
from provision.console.visit import Visit

FIELDS: Final = ("name", "description", "content_format", "content_template", "defaults")
OBJECTS: Final = ("defaults", "variables")
FORMATS: Final = [
    (ContentFormat.JSON.value, "JSON"),
    (ContentFormat.YAML.value, "YAML"),
    (ContentFormat.TOML.value, "TOML"),
    (ContentFormat.GO_TEMPLATE.value, "Text, as the template writes it"),
    (ContentFormat.RAW.value, "Raw: the template itself"),
]
TYPES: Final = [(each.value, each.value) for each in ResourceType]
SAMPLE: Final = "sample"
FREE_ROWS: Final = 2
ROWS_MOST: Final = 200
SAMPLE_ID: Final = "00000000-0000-4000-8000-000000000000"


@frozen
class SlotRow:
    """One row of the form's slots; an empty name is a row that is free."""

    name: str = ""
    type: str = ResourceType.CLIENT.value
    required: bool = False
    fields: str = ""

    def to_document(self) -> dict[str, Any]:
        """Return the slot as the API takes it."""
        fields = [each.strip() for each in self.fields.split(",") if each.strip()]
        named = {"name": self.name, "type": self.type, "required": self.required}
        return named | ({"fields": fields} if fields else {})


def form_of(profile: Mapping[str, Any]) -> Form:
    """Return the form filled in with a profile of the API."""
    values = {
        "name": str(profile["name"]),
        "description": str(profile.get("description", "")),
        "content_format": str(profile["content_format"]),
        "content_template": str(profile.get("content_template", "")),
        "defaults": written(profile.get("defaults", {})),
        "version": str(profile["version"]),
    }
    for index, slot in enumerate(profile.get("binding_slots", ())):
        values[f"slot_name_{index}"] = slot["name"]
        values[f"slot_type_{index}"] = slot["type"]
        values[f"slot_fields_{index}"] = ", ".join(slot.get("fields", ()))
        if slot["required"]:
            values[f"slot_required_{index}"] = "yes"
    return Form.of(**values)


def rows_of(form: Form) -> Sequence[SlotRow]:
    """Return the rows of slots that are filled in, and some that are free."""
    return [*_filled_rows(form), *([SlotRow()] * FREE_ROWS)]


def document_of(form: Form) -> tuple[Mapping[str, Any], Form]:
    """Return the profile as the API takes it, and the form with what can't be read of it."""
    defaults, form = _object(form, "defaults")
    document = {
        "name": form.text("name"),
        "description": form.text("description"),
        "content_format": form.text("content_format") or ContentFormat.JSON.value,
        "content_template": form.raw("content_template"),
        "defaults": defaults,
        "binding_slots": [row.to_document() for row in _filled_rows(form)],
    }
    return document, form


def trial_of(form: Form) -> tuple[Mapping[str, Any], Form]:
    """Return what a preview is asked with: the draft, and a gateway's or sample data."""
    document, form = document_of(form)
    variables, form = _object(form, "variables")
    profile = {**document, "name": document["name"] or "draft"}
    trial: dict[str, Any] = {"profile": profile, "render_context": variables}
    if form.text("config_id") not in ("", SAMPLE):
        return trial | {"config_id": form.text("config_id")}, form
    return trial | {
        "config": {"id": SAMPLE_ID, "external_id": "sample-gateway"},
        "bindings": [_sample(row) for row in _filled_rows(form)],
    }, form


def written(values: Mapping[str, Any]) -> str:
    """Write an object as people read it; nothing where it is empty."""
    return json.dumps(values, indent=2, ensure_ascii=False) if values else ""


def _filled_rows(form: Form) -> Sequence[SlotRow]:
    return [
        SlotRow(
            form.text(f"slot_name_{index}"),
            form.text(f"slot_type_{index}"),
            form.checked(f"slot_required_{index}"),
            form.text(f"slot_fields_{index}"),
        )
        for index in range(ROWS_MOST)
        if form.text(f"slot_name_{index}")
    ]


def _object(form: Form, name: str) -> tuple[Mapping[str, Any], Form]:
    try:
        value = form.json(name)
    except NotJson as error:
        return {}, form.wrong(**{name: f"{name}: {error}"})
    if not isinstance(value, dict):
        return {}, form.wrong(**{name: f'{name}: a JSON object is wanted, such as {{"a": 1}}'})
    return value, form


def _sample(row: SlotRow) -> Mapping[str, Any]:
    """Return a binding as a gateway could have it; its secrets are masked."""
    kind, name = row.type, f"sample-{row.name}"
    if kind == ResourceType.CHANNEL.value:
        found = channel_resource(SAMPLE_ID, name=name, domain_id=SAMPLE_ID, route=name)
    elif kind == ResourceType.CERTIFICATE.value:
        found = certificate_resource(
            "00", client_id=SAMPLE_ID, certificate="(certificate)", private_key=Secret(MASK)
        )
    else:
        found = client_resource(
            SAMPLE_ID, name=name, domain_id=SAMPLE_ID, identity=name, secret=Secret(MASK)
        )
    return {
        "slot": row.name,
        "type": kind,
        "resource_id": found.id,
        "snapshot": dict(found.snapshot),
        "secret_snapshot": dict.fromkeys(found.secret, MASK),
    }


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
            "message": "rendering stops at this line",
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
