"""The reference of the API: the OpenAPI document that the service serves, as Markdown to read."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen

from bootstrap_core.errors import BootstrapError
from provision.errors import ProvisionError
from provision.layout.errors import LayoutFault
from provision.onboarding.errors import OnboardingError
from provision.pki.errors import PkiError
from provision.platform.errors import PlatformError
from tests.cli.served import ROOT, serving

GROUPS = {
    "mapping": "Gateways",
    "onboardings": "Onboardings",
    "certificates": "Certificates",
    "layouts": "Layouts",
    "devices": "Devices",
    "configs": "Configs",
    "profiles": "Profiles",
    "enrollments": "Enrollments",
    "things": "Mainflux's things",
    "operations": "The service itself",
}
"""Headings by the document's tags, in the order of reading."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ERRORS = (BootstrapError, LayoutFault, OnboardingError, PkiError, PlatformError, ProvisionError)
CALLERS = {"bearer": "member", "token": "member", "externalKey": "device", "thingKey": "device"}
Document = Mapping[str, Any]


@frozen
class Route:
    """One method of one path, as the OpenAPI document has it."""

    method: str
    path: str
    told: Mapping[str, Any]

    @property
    def group(self) -> str:
        return str(self.told["tags"][0])

    @property
    def security(self) -> str:
        return next((name for each in self.told["security"] for name in each), "")

    @property
    def body(self) -> str:
        """The schema's name; media types of one route share it."""
        content = self.told.get("requestBody", {}).get("content", {})
        return next((_name(each["schema"]) for each in content.values()), "")

    def answers(self) -> Iterator[tuple[int, str, str]]:
        """Yield the status, meaning and schema's name of each answer, refusals too."""
        for status, reply in self.told["responses"].items():
            content = reply.get("content", {}).values()
            schema = next((_name(each["schema"]) for each in content), "")
            yield int(status), reply["description"], schema


def read_document() -> Document:
    """Ask a service for its OpenAPI document."""
    with tempfile.TemporaryDirectory() as data, serving(Path(data), ROOT / "layouts") as service:
        document: Document = httpx.get(f"{service.url}/openapi.json").json()
        return document


def routes_of(document: Document) -> list[Route]:
    """Return all routes, in the document's order."""
    return [
        Route(method.upper(), path, told)
        for path, item in document["paths"].items()
        for method, told in item.items()
        if method != "parameters"
    ]


def write() -> str:
    """Return the part of the document that is made from the OpenAPI document."""
    return write_reference(read_document())


def write_reference(document: Document) -> str:
    """Return the reference. Raises ``LookupError``: a route's group has no heading."""
    routes = sorted(
        routes_of(document), key=lambda route: (route.path, METHODS.index(route.method))
    )
    schemas = document["components"]["schemas"]
    if unknown := {route.group for route in routes} - set(GROUPS):
        raise LookupError(f"groups without a heading: {sorted(unknown)}")
    blocks = [_authorisation(document), _refusals(routes, schemas)]
    told: set[str] = {"Error"}
    for group, heading in GROUPS.items():
        inside = [route for route in routes if route.group == group]
        names = [name for name in _schemas_of(inside, schemas) if name not in told]
        told |= set(names)
        blocks += [f"## {heading}", _table_of(inside)]
        blocks += [text for text in (_parameters_of(inside), _fields_of(names, schemas)) if text]
    return "\n\n".join(blocks)


def _authorisation(document: Document) -> str:
    rows = ["## Who may call", "", "| caller | header |", "|---|---|"]
    for name, scheme in document["components"]["securitySchemes"].items():
        header = scheme.get("description", "Bearer <token or API key>")
        rows.append(f"| {CALLERS[name]} (`{name}`) | `Authorization:` {_escaped(header)} |")
    return "\n".join(rows)


def _refusals(routes: list[Route], schemas: Document) -> str:
    meanings = {
        status: meaning
        for route in routes
        for status, meaning, schema in route.answers()
        if schema == "Error"
    }
    codes = {
        (error.status, error.code)
        for base in ERRORS
        for error in _and_below(base)
        if error is not base
    }
    rows = ["## Refusals", "", _fields_of(["Error"], schemas), ""]
    rows += ["| status | meaning | codes |", "|---|---|---|"]
    for status in sorted(meanings):
        named = ", ".join(sorted(f"`{code}`" for of, code in codes if of == status))
        rows.append(f"| {status} | {meanings[status]} | {named} |")
    return "\n".join(rows)


def _and_below(error: type[Any]) -> Iterator[type[Any]]:
    yield error
    for below in error.__subclasses__():
        if below.__module__.startswith(("provision.", "bootstrap_core.")):
            yield from _and_below(below)


def _table_of(routes: list[Route]) -> str:
    callers = {route.security for route in routes}
    who = len(callers) > 1
    rows = [] if who else [f"Called by {_caller(*callers)}.\n"]
    head = ["route", "what it does", *["who"] * who, "takes", "answers"]
    rows += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for route in routes:
        parameters = [f"`{each['name']}`" for each in route.told.get("parameters", ())]
        cells = [
            f"`{route.method} {route.path}`",
            route.told["summary"],
            *[f"`{route.security}`"] * who,
            ", ".join([f"`{route.body}`"] * bool(route.body) + parameters),
            _answers_of(route),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _caller(security: str) -> str:
    return f"a {CALLERS[security]} (`{security}`)" if security else "anybody"


def _answers_of(route: Route) -> str:
    answers = list(route.answers())
    meant = [
        f"{status} {meaning[:1].lower()}{meaning[1:]}" + (f": `{schema}`" if schema else "")
        for status, meaning, schema in answers
        if schema != "Error"
    ]
    refused = [str(status) for status, _, schema in answers if schema == "Error"]
    return "; ".join(meant) + (f". {' '.join(refused)}" if refused else "")


def _parameters_of(routes: list[Route]) -> str:
    found: dict[tuple[str, str], list[str]] = {}
    for route in routes:
        for each in route.told.get("parameters", ()):
            meanings = found.setdefault((each["name"], each["in"]), [])
            if each["description"] not in meanings:
                meanings.append(each["description"])
    return "\n".join(
        f"- `{name}` ({place}): {' / '.join(meanings)}"
        for (name, place), meanings in sorted(found.items())
    )


def _schemas_of(routes: list[Route], schemas: Document) -> list[str]:
    """Return the schemas of requests and answers, and those that they name, in order."""
    found: list[str] = []
    names = [
        name
        for route in routes
        for name in (route.body, *(schema for _, _, schema in route.answers()))
    ]
    while names:
        name = names.pop(0)
        if name and name not in found:
            found.append(name)
            names += re.findall(r"#/components/schemas/(\w+)", str(schemas[name]))
    return found


def _fields_of(names: list[str], schemas: Document) -> str:
    rows = ["| body | fields (* always there) |", "|---|---|"]
    for name in names:
        schema = schemas[name]
        fields = [
            _field(field, told, always=field in schema.get("required", ()))
            for field, told in schema.get("properties", {}).items()
        ]
        said = [_escaped(schema["description"])] if "description" in schema else []
        rows.append(f"| `{name}` | {'; '.join([*said, *fields]) or _without_fields(schema)} |")
    return "\n".join(rows) if names else ""


def _without_fields(schema: Mapping[str, Any]) -> str:
    return "bytes" if schema.get("contentEncoding") else "an empty object"


def _field(name: str, schema: Mapping[str, Any], *, always: bool) -> str:
    kind = _kind(schema)
    description = schema.get("description", "")
    return (
        f"`{name}`{'*' if always else ''}"
        + (f" {kind}" if kind else "")
        + (f" ({_escaped(description)})" if description else "")
    )


def _kind(schema: Mapping[str, Any]) -> str:
    """Return a field's type in words; nothing for a text, which most are."""
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if "$ref" in schema:
        return f"`{_name(schema)}`"
    match schema.get("type"):
        case "array":
            inner = schema["items"]
            return f"list of {_kind(inner) or 'texts'}"
        case "object" if "properties" in schema:
            inside = ", ".join(f"`{name}`" for name in schema["properties"])
            return f"object of {inside}"
        case [*kinds]:
            return " or ".join(kinds)
        case "string":
            return "time" if schema.get("format") == "date-time" else ""
        case kind:
            return str(kind or "any JSON")


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _escaped(text: str) -> str:
    return re.sub(r"<[^>]*>", lambda found: f"`{found.group()}`", text).replace("|", "\\|")
