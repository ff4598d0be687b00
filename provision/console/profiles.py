"""The section Profiles: the list, each profile and its versions, uploads, and the editor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.formats.toml import read_toml
from bootstrap_core.model import (
    ResourceType,
    certificate_resource,
    channel_resource,
    client_resource,
)
from bootstrap_core.secrets import MASK, Secret
from provision.console.errors import Refused
from provision.console.forms import Form, NotJson
from provision.console.pages import Page, PageRequest
from provision.console.widgets import PAGE, Line, address, differences, lines_of, offset_of, pager

LIST: Final = "/console/profiles"
UPLOAD: Final = "/console/profiles/upload"
ONE: Final = "/console/profiles/{profile_id}"
VERSIONS: Final = "/console/profiles/{profile_id}/versions"
ONE_VERSION: Final = VERSIONS + "/{version}"
NEW: Final = "/console/profiles/new"
PREVIEW: Final = "/console/profiles/preview"
EDIT: Final = "/console/profiles/{profile_id}/edit"
PROFILES: Final = ("clients", "bootstrap", "profiles")
EDITOR: Final = "profiles/editor.html"
GATEWAYS_OFFERED: Final = 100
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

    async def list(self, request: PageRequest) -> Response:
        searched = request.query("q")
        query: dict[str, str | int] = {
            "offset": offset_of(request.http),
            "limit": PAGE,
            "name": searched,
        }
        found = await request.api.in_domain.get(*PROFILES, query=query)
        context = {
            "profiles": found["profiles"],
            "total": found["total"],
            "q": searched,
            "pager": pager(request.http, found, {"q": searched}),
        }
        return await request.page("profiles/list.html", context)

    async def show(self, request: PageRequest) -> Response:
        profile = await request.api.in_domain.get(*PROFILES, request.path("profile_id"))
        context = {
            "profile": profile,
            "lines": lines_of(profile.get("content_template", ""), ()),
            "defaults": written(profile.get("defaults", {})),
            "users": await _users(request),
        }
        return await request.page("profiles/show.html", context)

    async def choose_file(self, request: PageRequest) -> Response:
        return await request.page("profiles/upload.html")

    async def upload(self, request: PageRequest) -> Response:
        """Make a profile from a document, in the format that it is written in."""
        text = request.form.file_or_text("document")
        form = request.form.with_values(document=text)
        kind = MEDIA_TYPES.get(form.text("kind")) or MEDIA_TYPES[_kind_of(text)]
        try:
            made = await request.api.in_domain.upload(
                *PROFILES, "upload", text=text, media_type=kind
            )
        except Refused as error:
            form = form.wrong(document=error.message)
            return await request.page("profiles/upload.html", form=form)
        return await request.done(address("profiles", made["id"]), f"{made['name']} was made.")

    async def ask(self, request: PageRequest) -> Response:
        return await self._question(request, "")

    async def delete(self, request: PageRequest) -> Response:
        try:
            await request.api.in_domain.delete(*PROFILES, request.path("profile_id"))
        except Refused as error:
            if error.status != CONFLICT:
                raise
            return await self._question(request, error.message.partition(";")[0])
        return await request.done(LIST, "The profile was deleted.")

    async def _question(self, request: PageRequest, refusal: str) -> Response:
        profile = await request.api.in_domain.get(*PROFILES, request.path("profile_id"))
        context = {"profile": profile, "users": await _users(request), "refusal": refusal}
        status = CONFLICT if refusal else 200
        return await request.page("profiles/delete.html", context, status=status)


async def _users(request: PageRequest) -> Mapping[str, Any]:
    """Return the first gateways that have the profile of the path, and how many there are."""
    query: dict[str, str | int] = {
        "profile_id": request.path("profile_id"),
        "status": "all",
        "limit": USERS_SHOWN,
    }
    found: Mapping[str, Any] = await request.api.in_domain.get("clients", "configs", query=query)
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


@frozen
class ProfileVersions:
    """The pages about former versions."""

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", VERSIONS, self.list),
            Page("GET", ONE_VERSION, self.show),
            Page("POST", ONE_VERSION + "/restore", self.restore),
        ]

    async def list(self, request: PageRequest) -> Response:
        profile_id = request.path("profile_id")
        profile = await request.api.in_domain.get(*PROFILES, profile_id)
        found = await request.api.in_domain.get(*PROFILES, profile_id, "versions")
        context = {"profile": profile, "versions": found["versions"]}
        return await request.page("profiles/versions.html", context)

    async def show(self, request: PageRequest) -> Response:
        """Show what changed from one version to another, by default to the present one."""
        profile_id, number = request.path("profile_id"), request.path("version")
        profile = await request.api.in_domain.get(*PROFILES, profile_id)
        known = await request.api.in_domain.get(*PROFILES, profile_id, "versions")
        old = await request.api.in_domain.get(*PROFILES, profile_id, "versions", number)
        other = request.query("with", str(profile["version"]))
        new = await request.api.in_domain.get(*PROFILES, profile_id, "versions", other)
        context = {
            "profile": profile,
            "old": old,
            "new": new,
            "versions": [str(version["version"]) for version in known["versions"]],
            "difference": differences(text_of(old).split("\n"), text_of(new).split("\n")),
            "text": text_of(old),
        }
        return await request.page("profiles/version.html", context)

    async def restore(self, request: PageRequest) -> Response:
        profile_id, number = request.path("profile_id"), request.path("version")
        old = await request.api.in_domain.get(*PROFILES, profile_id, "versions", number)
        saved = await request.api.in_domain.put(*PROFILES, profile_id, body=old)
        message = f"Version {number} was saved again, as version {saved['version']}."
        return await request.done(address("profiles", profile_id), message)


def text_of(profile: Mapping[str, Any]) -> str:
    """Write all that a version says as one text, whose lines can be compared."""
    slots = [
        f"  {slot['name']}: {slot['type']}{', required' if slot['required'] else ''}"
        + (f", fields {', '.join(slot['fields'])}" if slot.get("fields") else "")
        for slot in profile.get("binding_slots", ())
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


FIELDS: Final = ("name", "description", "content_format", "content_template", "defaults")
OBJECTS: Final = ("defaults", "variables")
FORMATS: Final = [
    (ContentFormat.JSON.value, "JSON"),
    (ContentFormat.YAML.value, "YAML"),
    (ContentFormat.TOML.value, "TOML"),
    (ContentFormat.GO_TEMPLATE.value, "Text, as the template writes it"),
    (ContentFormat.RAW.value, "Raw: the template itself"),
]
TYPES: Final = [(kind.value, kind.value) for kind in ResourceType]
SAMPLE: Final = "sample"
FREE_ROWS: Final = 2
MAX_ROWS: Final = 200
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
        fields = [name.strip() for name in self.fields.split(",") if name.strip()]
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
        for index in range(MAX_ROWS)
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
        return [
            Page("GET", NEW, self.new),
            Page("POST", NEW, self.create),
            Page("POST", PREVIEW, self.preview),
            Page("GET", EDIT, self.edit),
            Page("POST", EDIT, self.save),
        ]

    async def new(self, request: PageRequest) -> Response:
        form = Form.of(content_format="json", content_template=STARTER)
        return await request.page(EDITOR, await _shown(request, form))

    async def create(self, request: PageRequest) -> Response:
        document, form = document_of(request.form)
        if form.is_wrong:
            return await request.page(EDITOR, await _shown(request, form), form=form)
        try:
            made = await request.api.in_domain.post(*PROFILES, body=document)
        except Refused as error:
            form = form.refused(error, FIELDS)
            return await request.page(EDITOR, await _shown(request, form), form=form)
        return await request.done(address("profiles", made["id"]), f"{made['name']} was made.")

    async def preview(self, request: PageRequest) -> Response:
        """Show the form again with what it would make; nothing is stored."""
        return await request.page(EDITOR, await _shown(request, request.form))

    async def edit(self, request: PageRequest) -> Response:
        profile = await request.api.in_domain.get(*PROFILES, request.path("profile_id"))
        form = form_of(profile).with_values(profile_id=profile["id"])
        return await request.page(EDITOR, await _shown(request, form))

    async def save(self, request: PageRequest) -> Response:
        """Save a profile as its next version, unless somebody else has saved one meanwhile."""
        profile_id = request.path("profile_id")
        present = await request.api.in_domain.get(*PROFILES, profile_id)
        document, form = document_of(request.form.with_values(profile_id=profile_id))
        if form.text("version") != str(present["version"]):
            form = form.wrong(
                name=f"version {present['version']} was saved while you were writing: look at it "
                "in the profile's versions; saving again puts yours above it"
            ).with_values(version=str(present["version"]))
        if form.is_wrong:
            return await request.page(EDITOR, await _shown(request, form), form=form)
        try:
            saved = await request.api.in_domain.put(*PROFILES, profile_id, body=document)
        except Refused as error:
            form = form.refused(error, FIELDS)
            return await request.page(EDITOR, await _shown(request, form), form=form)
        message = f"Saved as version {saved['version']}."
        return await request.done(address("profiles", profile_id), message)


async def _shown(request: PageRequest, form: Form) -> dict[str, Any]:
    """Return what the editor's page shows: the form's own errors are added to it."""
    trial, form = trial_of(form)
    unreadable = "; ".join(form.errors[name] for name in OBJECTS if name in form.errors)
    return {
        "form": form,
        "rows": rows_of(form),
        "formats": FORMATS,
        "types": TYPES,
        "gateways": [(SAMPLE, "Sample data"), *await _gateways(request)],
        "preview": Preview(unreadable=unreadable) if unreadable else await _preview(request, trial),
    }


async def _gateways(request: PageRequest) -> Sequence[tuple[str, str]]:
    query: dict[str, str | int] = {"status": "all", "limit": GATEWAYS_OFFERED}
    found = await request.api.in_domain.get("clients", "configs", query=query)
    return [
        (
            config["id"],
            f"{config['external_id']} ({config['name']})"
            if "name" in config
            else config["external_id"],
        )
        for config in found["configs"]
    ]


async def _preview(request: PageRequest, trial: Mapping[str, Any]) -> Preview:
    try:
        answer = await request.api.in_domain.post(*PROFILES, "render-preview", body=trial)
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


STARTER: Final = """\
{
  "device_id": {{ toJSON .Device.ID }},
  "external_id": {{ toJSON .Device.ExternalID }}
}
"""
