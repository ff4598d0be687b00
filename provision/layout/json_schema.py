"""JSON Schemas (2020-12): of layout files, for editors, and of a layout's parameters, for forms.

They are written from the same shapes that the reader holds files against. What a schema cannot
say is left to the reader: Go templates, references between parts, the least duration of a second.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from provision.layout.checks import NAME_PATTERN
from provision.layout.dialects import SHAPES
from provision.layout.model import Dialect, Layout, Parameter
from provision.layout.schema import (
    Choice,
    Field,
    Flag,
    Json,
    Lifetime,
    ListOf,
    MapOf,
    Object,
    Pattern,
    Scalar,
    Shape,
    Table,
    Text,
)

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
DURATION: Final = r"^\+?(0|((\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)$"
NOT_BLANK: Final = r"\S"

Schema = dict[str, Any]

_INCLUDES: Final[Schema] = {
    "required": ["layout"],
    "properties": {
        "layout": {
            "type": "object",
            "required": ["include"],
            "properties": {"include": {"type": "array", "minItems": 1}},
        }
    },
}


def layout_schema(dialect: Dialect = Dialect.PROVISION) -> Schema:
    """Return the JSON Schema of layout files in ``dialect``.

    What is required may be missing in a layout that includes fragments: they may have it.
    """
    schema: Schema = {"$schema": DRAFT, "title": f"Layout ({dialect.value} dialect)"}
    shape = SHAPES[dialect]
    if dialect is not Dialect.PROVISION:
        return schema | _schema(shape)
    return schema | _schema(_part_of(shape)) | {"if": {"not": _INCLUDES}, "then": _demands(shape)}


def fragment_schema() -> Schema:
    """Return the JSON Schema of fragments, which layouts include: parts of a layout."""
    part = _part_of(SHAPES[Dialect.PROVISION])
    fields = {key: field for key, field in part.fields.items() if key != "layout"}
    return {"$schema": DRAFT, "title": "Fragment of layouts", **_schema(Table(fields))}


def parameters_schema(layout: Layout) -> Schema:
    """Return the JSON Schema of what a request for ``layout`` gives as ``parameters``."""
    required = [parameter.name for parameter in layout.parameters if parameter.required]
    return {
        "$schema": DRAFT,
        "title": f"Parameters of layout {layout.name}",
        "type": "object",
        "properties": {parameter.name: _parameter(parameter) for parameter in layout.parameters},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _parameter(parameter: Parameter) -> Schema:
    schema: Schema = {"type": parameter.type}
    if parameter.description:
        schema["description"] = parameter.description
    if parameter.default is not None:
        schema["default"] = parameter.default
    if parameter.enum:
        schema["enum"] = list(parameter.enum)
    if parameter.pattern is not None:
        schema["pattern"] = parameter.pattern
    if parameter.secret:
        schema |= {"format": "password", "writeOnly": True}
    return schema


def _schema(shape: Shape) -> Schema:
    match shape:
        case Table():
            return _table(shape)
        case MapOf():
            return {
                "type": "object",
                "propertyNames": {"pattern": f"^{NAME_PATTERN}$"},
                "additionalProperties": _schema(shape.item),
            }
        case ListOf():
            least = {"minItems": shape.least} if shape.least else {}
            return {"type": "array", "items": _schema(shape.item), **least}
        case Object():
            return {"type": "object"}
        case Json():
            return {}
        case Flag():
            return {"type": "boolean"}
        case Scalar():
            return {"type": ["string", "number", "boolean"]}
        case Choice():
            return {"type": "string", "enum": list(shape.values)}
        case Lifetime():
            return {"type": "string", "pattern": f"^$|{DURATION}" if shape.blank else DURATION}
        case Pattern():
            return {"type": "string", "format": "regex"}
        case Text():
            return _text(shape)


def _text(shape: Text) -> Schema:
    schema: Schema = {"type": "string"}
    if shape.pattern:
        schema["pattern"] = f"^{shape.pattern}$"
    elif not shape.blank:
        schema["pattern"] = NOT_BLANK
    return schema


def _table(shape: Table) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {key: _field(field) for key, field in shape.fields.items()},
        "additionalProperties": shape.lenient,
        **_needs(shape),
    }
    if shape.at_most_one:
        schema["not"] = {"required": list(shape.at_most_one)}
    return schema


def _part_of(shape: Table) -> Table:
    """Return the shape of a table of which another file may have the rest.

    The elements of a list are not merged with others, so they must be whole.
    """
    fields = {
        key: evolve(
            field,
            required=False,
            shape=_part_of(field.shape) if isinstance(field.shape, Table) else field.shape,
        )
        for key, field in shape.fields.items()
    }
    return evolve(shape, fields=fields, exactly_one=())


def _demands(shape: Table) -> Schema:
    within = {
        key: demands
        for key, field in shape.fields.items()
        if isinstance(field.shape, Table) and (demands := _demands(field.shape))
    }
    return _needs(shape) | ({"properties": within} if within else {})


def _needs(shape: Table) -> Schema:
    needs: Schema = {}
    if required := [key for key, field in shape.fields.items() if field.required]:
        needs["required"] = required
    if shape.exactly_one:
        needs["oneOf"] = [{"required": [key]} for key in shape.exactly_one]
    return needs


def _field(field: Field) -> Schema:
    unused = {"deprecated": True} if field.unused else {}
    return {"description": field.unused or field.description, **_schema(field.shape), **unused}
