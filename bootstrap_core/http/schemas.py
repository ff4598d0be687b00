"""JSON Schemas (2020-12) of what the bootstrap core takes and answers, and shared parameters."""

from __future__ import annotations

from typing import Final

from bootstrap_core.credentials import EXTERNAL_ID_BYTES, EXTERNAL_KEY_BYTES
from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.http.openapi import Parameter, Schema
from bootstrap_core.model import ResourceType, Status

READING: Final = (401, 403, 404)
LISTING: Final = (400, *READING)
CHANGING: Final = (400, *READING, 409, 413, 415, 422)
REGISTERING: Final = (*CHANGING, 429)
RENDERING: Final = (*CHANGING, 429)

WHOLE_NUMBER: Final[Schema] = {"type": "integer", "minimum": 0}
OFFSET: Final = Parameter("offset", {**WHOLE_NUMBER, "default": 0}, "How many to skip")
LIMIT: Final = Parameter(
    "limit", {**WHOLE_NUMBER, "maximum": 100, "default": 10}, "How many to show"
)
NAME: Final = Parameter("name", {"type": "string"}, "A part of the name, in any case")

TEXT: Final[Schema] = {"type": "string"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
CHANNEL_IDS: Final[Schema] = {"type": "array", "items": TEXT}
OBJECT: Final[Schema] = {"type": "object"}
STATUS: Final[Schema] = {"enum": [status.value for status in Status]}
FORMAT: Final[Schema] = {"enum": [each.value for each in ContentFormat]}
TYPE: Final[Schema] = {"enum": [each.value for each in ResourceType]}


def _object(required: str = "", /, **properties: Schema) -> Schema:
    schema: dict[str, object] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required.split()
    return schema


def _named(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> Schema:
    return {"type": "array", "items": _named(name)}


def _page(of: str, name: str) -> Schema:
    numbers = {"total": WHOLE_NUMBER, "offset": WHOLE_NUMBER, "limit": WHOLE_NUMBER}
    return _object(f"total offset limit {of}", **numbers, **{of: _list(name)})


PROFILE_FIELDS: Final[dict[str, Schema]] = {
    "description": TEXT,
    "content_format": FORMAT,
    "template_format": {**FORMAT, "description": "Another name of content_format"},
    "content_template": {**TEXT, "description": "A Go text/template"},
    "defaults": OBJECT,
    "binding_slots": _list("BindingSlot"),
}
CERTIFICATE_FIELDS: Final[dict[str, Schema]] = {
    "client_cert": TEXT,
    "client_key": TEXT,
    "ca_cert": TEXT,
}
CONFIG_FIELDS: Final[dict[str, Schema]] = {
    "name": TEXT,
    "content": TEXT,
    "render_context": OBJECT,
}
IDENTITY_FIELDS: Final[dict[str, Schema]] = {
    "external_id": {**TEXT, "minLength": 1, "maxLength": EXTERNAL_ID_BYTES},
    "external_key": {**TEXT, "minLength": 1, "maxLength": EXTERNAL_KEY_BYTES},
}
PREVIEW_BINDING: Final = _object(
    "slot", slot=TEXT, type=TEXT, resource_id=TEXT, snapshot=OBJECT, secret_snapshot=OBJECT
)

PREVIEW_FIELDS: Final[dict[str, Schema]] = {
    "config_id": TEXT,
    "config": _object(id=TEXT, external_id=TEXT, render_context=OBJECT, status={}),
    "render_context": OBJECT,
    "bindings": {"type": "array", "items": PREVIEW_BINDING},
    "show_secrets": {"type": "boolean", "description": "Show the stored bindings' secrets"},
}

SCHEMAS: Final[dict[str, Schema]] = {
    "NewConfig": _object(
        "external_id external_key",
        **IDENTITY_FIELDS,
        **CONFIG_FIELDS,
        **CERTIFICATE_FIELDS,
        profile_id=TEXT,
        client_id={**TEXT, "description": "The config's client, as in SuperMQ's releases"},
        channels={**CHANNEL_IDS, "description": "Connected when the state is set to 1"},
    ),
    "NewClientConfig": _object(
        "external_id external_key",
        **IDENTITY_FIELDS,
        **CONFIG_FIELDS,
        **CERTIFICATE_FIELDS,
        profile_id=TEXT,
        status={**STATUS, "description": "Default: enabled"},
        client_id={**TEXT, "description": "The config's client; empty: one is made"},
        channels={**CHANNEL_IDS, "description": "What the client is connected to"},
    ),
    "ConfigConnections": _object("channels", channels=CHANNEL_IDS),
    "ConfigChange": _object(**CONFIG_FIELDS),
    "Done": _object(),
    "Certificates": _object(id=TEXT, **CERTIFICATE_FIELDS),
    "Config": _object(
        "id external_id status",
        id=TEXT,
        domain_id=TEXT,
        external_id=TEXT,
        status=STATUS,
        profile_id=TEXT,
        created_at=TIME,
        updated_at=TIME,
        last_fetch=_object("at outcome", at=TIME, outcome=TEXT, digest=TEXT),
        client_id={**TEXT, "description": "Of a client's config: the client"},
        channels=_list("ThingChannel"),
        state={"enum": [0, 1], "description": "1: the client is connected to the channels"},
        **CONFIG_FIELDS,
        **CERTIFICATE_FIELDS,
    ),
    "ConfigPage": _page("configs", "Config"),
    "Delivery": _object(
        "id external_id status digest content client_cert client_key ca_cert updated_at",
        id=TEXT,
        external_id=TEXT,
        status=STATUS,
        digest={**TEXT, "description": "SHA-256 of the whole answer to the device, in hex"},
        content=TEXT,
        updated_at=TIME,
        last_fetch=_object(
            "at outcome",
            at=TIME,
            outcome=TEXT,
            digest=TEXT,
            content={**TEXT, "description": "What the device got last, with secrets masked"},
        ),
        unchanged={"type": "boolean", "description": "Whether the last fetch gave the same"},
        **CERTIFICATE_FIELDS,
    ),
    "BindingSlot": _object(
        "name type",
        name={**TEXT, "minLength": 1, "maxLength": 256},
        type=TYPE,
        required={"type": "boolean"},
        fields={"type": "array", "items": TEXT},
    ),
    "NewProfile": _object("name", name={**TEXT, "minLength": 1}, **PROFILE_FIELDS),
    "ProfileChange": _object(name=TEXT, **PROFILE_FIELDS),
    "Profile": _object(
        "id domain_id name content_format version",
        id=TEXT,
        domain_id=TEXT,
        name=TEXT,
        version={"type": "integer", "minimum": 1},
        created_at=TIME,
        updated_at=TIME,
        **PROFILE_FIELDS,
    ),
    "ProfilePage": _page("profiles", "Profile"),
    "ProfileVersions": _object("versions", versions=_list("ProfileVersion")),
    "ProfileVersion": _object(
        "version name content_format updated_at",
        version={"type": "integer", "minimum": 1},
        name=TEXT,
        content_format=FORMAT,
        updated_at=TIME,
    ),
    "BindingSlots": _object("binding_slots", binding_slots=_list("BindingSlot")),
    "PreviewRequest": _object(**PREVIEW_FIELDS),
    "DraftPreviewRequest": _object("profile", profile=_named("ProfileChange"), **PREVIEW_FIELDS),
    "Preview": _object("content", content=TEXT),
    "ProfileAssignment": _object("profile_id", profile_id=TEXT),
    "BindRequest": _object("bindings", bindings={**_list("BindingRequest"), "minItems": 1}),
    "BindingRequest": _object("slot type resource_id", slot=TEXT, type=TYPE, resource_id=TEXT),
    "Binding": _object(
        "config_id slot type resource_id snapshot updated_at",
        config_id=TEXT,
        slot=TEXT,
        type=TYPE,
        resource_id=TEXT,
        snapshot=OBJECT,
        updated_at=TIME,
    ),
    "Bindings": _object("bindings", bindings=_list("Binding")),
    "DeviceConfiguration": _object(
        "id content client_cert client_key ca_cert",
        id=TEXT,
        content=TEXT,
        client_id={**TEXT, "description": "The same as id, if the config has its client's ID"},
        client_secret={**TEXT, "description": "That client's secret"},
        channels=_list("ThingChannel"),
        **CERTIFICATE_FIELDS,
    ),
    "NewThing": _object(
        "external_id external_key",
        thing_id=TEXT,
        channels={"type": "array", "items": {**TEXT, "format": "uuid"}},
        **IDENTITY_FIELDS,
        **CONFIG_FIELDS,
        **CERTIFICATE_FIELDS,
    ),
    "Thing": _object(
        "thing_id external_id channels state",
        thing_id=TEXT,
        external_id=TEXT,
        name=TEXT,
        content=TEXT,
        client_cert=TEXT,
        ca_cert=TEXT,
        channels=_list("ThingChannel"),
        state={"enum": [0, 1]},
    ),
    "ThingChannel": _object("id", id=TEXT, name=TEXT, metadata=OBJECT),
    "ThingPage": _page("configs", "Thing"),
    "State": _object("state", state={"enum": [0, 1]}),
    "ThingConfiguration": _object(
        "thing_id thing_key channels mainflux_id mainflux_key mainflux_channels content",
        thing_id=TEXT,
        thing_key=TEXT,
        channels=_list("ThingChannel"),
        mainflux_id=TEXT,
        mainflux_key=TEXT,
        mainflux_channels=_list("ThingChannel"),
        content=TEXT,
        **CERTIFICATE_FIELDS,
    ),
    "Encrypted": {"type": "string", "contentEncoding": "binary"},
}

SECURITY_SCHEMES: Final[dict[str, Schema]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The token, with or without Bearer before it",
    },
    "externalKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "Client <external_key>; on the secure route the key is encrypted, in hex",
    },
    "thingKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "Thing <external_key>, or the external key alone",
    },
}
