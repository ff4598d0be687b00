"""JSON Schemas (2020-12) of bodies (``bootstrap_core.bodies``), for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, get_args, get_origin

import attrs
from attrs import Attribute

from bootstrap_core.bodies import (
    SAID_TO_BE_REQUIRED,
    AlsoCalled,
    Described,
    Read,
    Schema,
    bare_type,
    fields_of,
    is_annotated,
    is_marked,
    is_optional,
    marks_of,
    rules_of,
    without_none,
)
from bootstrap_core.secrets import Secret

SCALARS: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    Secret: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
}


def schemas_of(*kinds: type[Any]) -> dict[str, Schema]:
    """Return the JSON Schemas (2020-12) of bodies, and of those within them, by their names."""
    found: dict[str, Schema] = {}
    for kind in kinds:
        if name_of(kind) not in found:
            found |= {name_of(kind): object_schema(kind)} if name_of(kind) else {}
            found |= schemas_of(
                *(part for attribute in fields_of(kind) for part in _parts(attribute.type))
            )
    return found


def name_of(kind: type[Any]) -> str:
    """Return the name of a body's JSON Schema; one that is described where it is used has none."""
    return rules_of(kind).name


def _parts(kind: Any) -> Iterator[type[Any]]:  # noqa: ANN401 - a type
    bare = bare_type(kind)
    if isinstance(bare, type) and attrs.has(bare) and bare not in SCALARS:
        yield bare
    for argument in get_args(bare):
        yield from _parts(argument)


def object_schema(kind: type[Any]) -> Schema:
    """Return the JSON Schema of one body."""
    properties: dict[str, Schema] = {}
    fields = fields_of(kind)
    for attribute in fields:
        properties[attribute.name] = _schema(attribute.type)
        for other in marks_of(attribute, AlsoCalled):
            alias = {"description": f"Another name of {attribute.name}"}
            properties[other.name] = {**_schema(attribute.type), **alias}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required := [attribute.name for attribute in fields if _is_required(attribute)]:
        schema["required"] = required
    if rules_of(kind).known is None:
        schema["additionalProperties"] = False
    return schema


def _is_required(attribute: Attribute[Any]) -> bool:
    return attribute.default is attrs.NOTHING or is_marked(attribute, SAID_TO_BE_REQUIRED)


def _schema(kind: Any) -> Schema:  # noqa: ANN401 - a type
    if is_annotated(kind):
        inner, *marks = get_args(kind)
        if any(isinstance(mark, Read) for mark in marks):
            inner = None
        schema = dict(_schema(inner)) if inner is not None else {}
        for mark in marks:
            schema |= mark.schema if isinstance(mark, Described) else {}
        return schema
    if is_optional(kind):
        return _schema(without_none(kind))
    if kind in SCALARS:
        return SCALARS[kind]
    if get_origin(kind) is Mapping:
        value = get_args(kind)[1]
        return {"type": "object"} | (
            {} if value is Any else {"additionalProperties": _schema(value)}
        )
    if arguments := get_args(kind):
        return {"type": "array", "items": _schema(arguments[0])}
    if issubclass(kind, StrEnum):
        return {"enum": [member.value for member in kind]}
    name = rules_of(kind).name
    return {"$ref": f"#/components/schemas/{name}"} if name else object_schema(kind)
