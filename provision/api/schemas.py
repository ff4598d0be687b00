"""JSON Schemas of what the service's own routes take and answer, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

TEXT: Final = {"type": "string"}
OBJECT: Final = {"type": "object"}
TIME: Final = {"type": "string", "format": "date-time"}
STATES: Final = ["planned", "done", "undoing", "stuck", "undone"]


def _object(required: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"type": "object", "properties": properties, "required": required.split()}


def _list(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(item)}


LEFTOVER: Final = _object(
    "kind id certain",
    kind={"type": "string", "enum": ["client", "channel"]},
    id=TEXT,
    certain={"type": "boolean", "description": "Whether the platform said that it exists"},
)
CONNECTION: Final = _object(
    "client_id channel_id types", client_id=TEXT, channel_id=TEXT, types=_list(TEXT)
)
ONBOARDING_NOTE: Final = _object(
    "id state outcome layout layout_digest",
    id=TEXT,
    state={"type": "string", "enum": STATES},
    outcome={"type": "string", "enum": ["created", "reused", "repaired", "rotated", "replaced"]},
    layout=TEXT,
    layout_digest=TEXT,
)

DRIFT: Final = _object(
    "what kind key cure fields",
    what={"type": "string", "enum": ["deleted", "disabled", "changed", "revoked"]},
    kind={
        "type": "string",
        "enum": ["client", "channel", "connection", "certificate", "config", "binding"],
    },
    key={"type": "string", "description": "Its key in the layout"},
    cure={
        "type": "string",
        "enum": ["repair", "enable", "edit"],
        "description": 'repair: map again with on_existing "repair". enable: enable it on the '
        "platform. edit: change it back there, or put the change into the layout",
    },
    fields={**OBJECT, "description": "What was changed: before (as made) and after (as found)"},
)
CERTIFICATE: Final = _object(
    "serial_number client_id expiry_time revoked in_use",
    serial_number=TEXT,
    client_id=TEXT,
    expiry_time=TIME,
    revoked={"type": "boolean"},
    in_use={"type": "boolean", "description": "Whether a gateway has it in use"},
    external_id={"type": "string", "description": "The gateway's external ID"},
    due_time={**TIME, "description": "When two thirds of its life have passed"},
    renewal={
        "type": "object",
        "description": "Whether it is renewed automatically, and the last error",
    },
    certificate={"type": "string", "description": "PEM; left out of lists"},
)

SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "Mapping": _object(
        "channels connections onboarding",
        clients={**_list(OBJECT), "description": "With their secrets"},
        things={**_list(OBJECT), "description": "The clients of a layout in Mainflux's dialect"},
        channels=_list(OBJECT),
        connections=_list(CONNECTION),
        client_cert={**OBJECT, "description": "PEM by client ID"},
        client_key={**OBJECT, "description": "PEM by client ID; only keys that the service made"},
        ca_cert={**TEXT, "description": "The authority's chain, PEM, issuer first"},
        whitelisted={**OBJECT, "description": "By client ID: whether its config is enabled"},
        bootstrap={**OBJECT, "description": "Config, profile, bindings, and the device's URL"},
        onboarding=ONBOARDING_NOTE,
        warnings=_list(
            _object(
                "code message",
                code={
                    "type": "string",
                    "enum": [
                        "not_whole",
                        "not_checked",
                        "near_external_id",
                        "left_on_platform",
                        "replaced_still_there",
                    ],
                },
                message=TEXT,
                external_ids=_list(TEXT),
                leftovers=_list(LEFTOVER),
                onboarding_id=TEXT,
            )
        ),
    ),
    "MappingOrPlan": {
        "description": "The gateway that is there; with dry_run, what would be created.",
        "anyOf": [
            {"$ref": "#/components/schemas/Mapping"},
            {"$ref": "#/components/schemas/Plan"},
        ],
    },
    "MappingContent": {"description": "The bootstrap content of the layout; null without one."},
    "Gateway": _object(
        "external_id clients channels connections certificates onboarding",
        external_id=TEXT,
        name=TEXT,
        parameters=OBJECT,
        clients=_list(OBJECT),
        channels=_list(OBJECT),
        connections=_list(CONNECTION),
        certificates=_list(OBJECT),
        bootstrap=OBJECT,
        onboarding=OBJECT,
        record={
            "type": "object",
            "description": "When the record was made (as_of) and how old it is (age_seconds); "
            "later changes on the platform are not in it",
        },
        near={**_list(TEXT), "description": "Gateways whose external ID differs only in spelling"},
        checked_at={**TIME, "description": "With live: when the platform was asked"},
        drift={
            **_list({"$ref": "#/components/schemas/Difference"}),
            "description": "With live: what differs on the platform",
        },
    ),
    "GatewayPage": _object(
        "total offset limit gateways",
        total={"type": "integer"},
        offset={"type": "integer"},
        limit={"type": "integer"},
        gateways=_list(
            _object(
                "external_id state layout onboarding_id updated_at",
                external_id=TEXT,
                state={"type": "string", "enum": STATES},
                layout=TEXT,
                onboarding_id=TEXT,
                updated_at=TIME,
                config_id=TEXT,
                name=TEXT,
                status=TEXT,
                last_fetch=OBJECT,
                certificate_ends={**TIME, "description": "Of the first certificate to end"},
                certificate_due={**TIME, "description": "When the first is due for renewal"},
            )
        ),
    ),
    "Onboarding": _object(
        "id external_id state outcome layout layout_digest actor attempts created_at updated_at "
        "steps",
        id=TEXT,
        external_id=TEXT,
        state={"type": "string", "enum": STATES},
        outcome=TEXT,
        layout=TEXT,
        layout_digest=TEXT,
        actor=TEXT,
        attempts={"type": "integer"},
        created_at=TIME,
        updated_at=TIME,
        finished_at=TIME,
        next_attempt_at=TIME,
        replaces=TEXT,
        error=OBJECT,
        leftovers=_list(LEFTOVER),
        steps=_list(OBJECT),
        audit=_list(OBJECT),
    ),
    "OnboardingPage": _object(
        "total offset limit onboardings",
        total={"type": "integer"},
        offset={"type": "integer"},
        limit={"type": "integer"},
        onboardings=_list({"$ref": "#/components/schemas/Onboarding"}),
    ),
    "Certificate": CERTIFICATE,
    "CertificateList": _object(
        "certificates total",
        certificates=_list({"$ref": "#/components/schemas/Certificate"}),
        total={"type": "integer"},
    ),
    "IssuedCertificate": _object(
        "certificate key ca_cert serial_number expiry_time",
        certificate=TEXT,
        key=TEXT,
        ca_cert=TEXT,
        serial_number=TEXT,
        expiry_time=TIME,
    ),
    "Metrics": {"type": "string", "description": "Prometheus' text format."},
    "Health": _object(
        "status",
        status={"type": "string", "enum": ["pass", "warn", "fail"]},
        checks={**OBJECT, "description": "What is wrong, by part: the store, platform:clients"},
        platform={**OBJECT, "description": "Which platform answers: name, release, features"},
    ),
    "LayoutPage": _object(
        "default layouts",
        default=TEXT,
        layouts=_list({"$ref": "#/components/schemas/Layout"}),
    ),
    "Layout": _object(
        "name file good problems",
        name=TEXT,
        file=TEXT,
        good={"type": "boolean", "description": "Whether the present file is in use"},
        description=TEXT,
        digest=TEXT,
        dialect={"type": "string", "enum": ["provision", "magistrala", "mainflux"]},
        parameters=_list(OBJECT),
        clients=_list(OBJECT),
        channels=_list(OBJECT),
        connections=_list(OBJECT),
        binding_slots=_list(OBJECT),
        bindings=_list(OBJECT),
        problems=_list(TEXT),
        report=_list(OBJECT),
        sources={
            **_list(_object("file text", file=TEXT, text=TEXT)),
            "description": "The layout's file and those that it names, as they are now; "
            "values of passwords and keys are masked",
        },
    ),
    "Plan": _object(
        "dry_run external_id layout layout_digest exists changes summary drift rendered",
        dry_run={"type": "boolean"},
        external_id=TEXT,
        layout=TEXT,
        layout_digest=TEXT,
        exists={"type": "boolean"},
        changes=_list(
            _object(
                "action kind key fields",
                action={"type": "string", "enum": ["add", "change", "remove"]},
                kind=TEXT,
                key=TEXT,
                fields=OBJECT,
            )
        ),
        summary=OBJECT,
        drift=_list({"$ref": "#/components/schemas/Difference"}),
        drift_unknown={
            **OBJECT,
            "description": "Why the platform could not be asked for all of it",
        },
        rendered=OBJECT,
        rendered_before=OBJECT,
        clients=_list(OBJECT),
        channels=_list(OBJECT),
        connections=_list(OBJECT),
        certificates=_list(OBJECT),
        bindings=_list(OBJECT),
    ),
    "Difference": DRIFT,
    "Drift": _object(
        "external_id state checked_at drift",
        external_id=TEXT,
        state={"type": "string", "enum": STATES},
        checked_at=TIME,
        drift=_list({"$ref": "#/components/schemas/Difference"}),
    ),
    "LayoutParameters": {
        "type": "object",
        "description": "A JSON Schema (2020-12) of the layout's parameters, for forms",
    },
}
