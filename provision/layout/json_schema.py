"""JSON Schemas (2020-12): of layout files, for editors, and of a layout's parameters, for forms.

They are written from the same shapes that the reader holds files against. What a schema cannot
say is left to the reader: Go templates, references between parts, the least duration of a second.
"""

from __future__ import annotations

from typing import Any, Final

from provision.layout import dialect_magistrala, dialect_mainflux, shape_provision
from provision.layout.checker import NAME_PATTERN
from provision.layout.model import Dialect, Layout, Parameter
from provision.layout.shapes import (
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

_SHAPES: Final = {
    Dialect.PROVISION: shape_provision.SHAPE,
    Dialect.MAGISTRALA: dialect_magistrala.SHAPE,
    Dialect.MAINFLUX: dialect_mainflux.SHAPE,
}


def layout_schema(dialect: Dialect = Dialect.PROVISION) -> Schema:
    """Return the JSON Schema of layout files in ``dialect``."""
    return {
        "$schema": DRAFT,
        "title": f"Layout ({dialect.value} dialect)",
        **_schema(_SHAPES[dialect]),
    }


def parameters_schema(layout: Layout) -> Schema:
    """Return the JSON Schema of what a request for ``layout`` gives as ``parameters``."""
    required = [each.name for each in layout.parameters if each.required]
    return {
        "$schema": DRAFT,
        "title": f"Parameters of layout {layout.name}",
        "type": "object",
        "properties": {each.name: _parameter(each) for each in layout.parameters},
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
            return {"type": "string", "pattern": DURATION}
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
        "additionalProperties": False,
    }
    if required := [key for key, field in shape.fields.items() if field.required]:
        schema["required"] = required
    if shape.exactly_one:
        schema["oneOf"] = [{"required": [key]} for key in shape.exactly_one]
    if shape.at_most_one:
        schema["not"] = {"required": list(shape.at_most_one)}
    return schema


def _field(field: Field) -> Schema:
    return {"description": field.description, **_schema(field.shape)}
