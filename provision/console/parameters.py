"""A layout's parameters as fields of a form, written from their JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from provision.console.errors import Refused
from provision.console.forms import Form

PREFIX: Final = "parameter_"
YES, NO = "true", "false"


@frozen
class ParameterField:
    """How one parameter is asked for; ``options`` are values and labels where it is a choice."""

    name: str
    label: str
    kind: str
    required: bool
    hint: str
    default: str
    options: Sequence[tuple[str, str]] = field(default=())

    @property
    def input_type(self) -> str:
        """The type of the HTML input."""
        return "number" if self.kind in ("integer", "number") else "text"

    @property
    def more(self) -> Mapping[str, str]:
        """Further attributes of the HTML input."""
        steps = {"integer": "1", "number": "any"}
        return {"step": steps[self.kind]} if self.kind in steps else {"autocomplete": "off"}


def fields_of(schema: Mapping[str, Any]) -> Sequence[ParameterField]:
    """Return the fields for a schema as ``GET /layouts/{layout}/schema`` answers it."""
    required = schema.get("required", ())
    return [
        _field(name, each, required=name in required)
        for name, each in schema.get("properties", {}).items()
    ]


def defaults_of(fields: Sequence[ParameterField]) -> Mapping[str, str]:
    """Return what the fields are filled in with at first."""
    return {each.name: each.default for each in fields}


def values_of(fields: Sequence[ParameterField], form: Form) -> Mapping[str, Any]:
    """Return the parameters that were filled in; those left empty keep their defaults."""
    return {
        each.label: _value(each, form.text(each.name)) for each in fields if form.text(each.name)
    }


def with_refusal(form: Form, error: Refused) -> Form:
    """Return the form with the API's refusals of parameters at their fields."""
    named: dict[str, str] = {}
    for each in error.details if isinstance(error.details, Sequence) else ():
        where, _, name = str(each.get("field", "")).partition(".")
        if where == "parameters" and name:
            near = each.get("suggestion")
            hint = f"; did you mean {near!r}?" if near else ""
            named[PREFIX + name] = f"{name}: {each['message']}{hint}"
    return form.wrong(**named)


def _field(name: str, schema: Mapping[str, Any], *, required: bool) -> ParameterField:
    kind, default = str(schema.get("type", "string")), schema.get("default")
    hints = [str(schema.get("description", ""))]
    if "pattern" in schema:
        hints.append(f"Must match {schema['pattern']}")
    options = [(_written(each), _written(each)) for each in schema.get("enum", ())]
    if kind == "boolean" and not options:
        options = [(YES, "Yes"), (NO, "No")]
    if options and default is None:
        options = [("", "Choose one" if required else "Not given"), *options]
    return ParameterField(
        name=PREFIX + name,
        label=name,
        kind=kind,
        required=required,
        hint=". ".join(hint.rstrip(".") for hint in hints if hint),
        default="" if default is None else _written(default),
        options=options,
    )


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(parameter: ParameterField, text: str) -> object:
    """Return a value of the parameter's type; what is none is left to the API to refuse."""
    if parameter.kind == "boolean":
        return {YES: True, NO: False}.get(text, text)
    try:
        if parameter.kind == "integer":
            return int(text)
        if parameter.kind == "number":
            return float(text)
    except ValueError:
        return text
    return text
