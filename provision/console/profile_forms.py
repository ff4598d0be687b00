"""A profile as a form, the form as a profile, and the data that it is tried with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from bootstrap_core.model import (
    ResourceType,
    certificate_resource,
    channel_resource,
    client_resource,
)
from bootstrap_core.rendering import ContentFormat
from bootstrap_core.secret import MASK, Secret
from provision.console.forms import Form

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
    text = form.text(name)
    if not text:
        return {}, form
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return {}, form.wrong(**{name: f"{name}: is not JSON at {place}: {error.msg}"})
    except (ValueError, RecursionError) as error:
        return {}, form.wrong(**{name: f"{name}: is not JSON: {error}"})
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
