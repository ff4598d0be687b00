"""JSON Schemas (2020-12) of what the bootstrap core takes and answers, and shared parameters."""

from __future__ import annotations

from typing import Final

from bootstrap_core.bodies import Schema
from bootstrap_core.configs import CertificateChange, ConfigChange
from bootstrap_core.formats.profile_documents import ProfileChange
from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.http.json_schema import object_schema
from bootstrap_core.http.openapi import Parameter
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


PROFILE_FIELDS: Final = object_schema(ProfileChange)["properties"]
CERTIFICATE_FIELDS: Final = object_schema(CertificateChange)["properties"]
CONFIG_FIELDS: Final = object_schema(ConfigChange)["properties"]

SCHEMAS: Final[dict[str, Schema]] = {
    "Certificates": _object(id=TEXT, **CERTIFICATE_FIELDS),
    "Done": _object(),
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
    "Profile": _object(
        "id domain_id name content_format version",
        id=TEXT,
        domain_id=TEXT,
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
    "Preview": _object("content", content=TEXT),
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
