"""A request's parameters, held against the ones that its layout declares."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from provision.layout.errors import ParameterError, ParameterProblem
from provision.layout.model import JsonObject, JsonValue, Layout, Parameter
from provision.layout.report import MOST_HINTED, nearest

MAX_CHARACTERS: Final = 4096
"""Characters in a string parameter."""


@frozen
class ValueProblem:
    """What is wrong with a value, and what would be right where that can be listed."""

    message: str
    allowed: tuple[str, ...] = ()


def validate_parameters(layout: Layout, given: JsonObject) -> dict[str, JsonValue]:
    """Return the parameters of a request, defaults filled in, in the order of the layout.

    One without a default that the request does not give stays absent. Raises
    :class:`ParameterError` with everything that is wrong, but no more than ten unknown names.
    """
    declared = {parameter.name: parameter for parameter in layout.parameters}
    unknown = [name for name in given if name not in declared]
    problems = [
        ParameterProblem(
            f"parameters.{name}",
            f'layout "{layout.name}" has no such parameter',
            allowed=tuple(declared),
            suggestion=nearest(name, declared),
        )
        for name in unknown[:MOST_HINTED]
    ]
    values: dict[str, JsonValue] = {}
    for name, parameter in declared.items():
        if name not in given:
            if parameter.required:
                problems.append(_missing(parameter))
            elif parameter.default is not None:
                values[name] = parameter.default
            continue
        value = given[name]
        if problem := value_problem(parameter, value):
            problems.append(
                ParameterProblem(f"parameters.{name}", problem.message, problem.allowed)
            )
        else:
            values[name] = int(value) if parameter.type == "integer" else value
    if problems:
        raise ParameterError(layout.name, problems)
    return values


def value_problem(parameter: Parameter, value: JsonValue) -> ValueProblem | None:
    """Return why ``value`` cannot be that of ``parameter``, or ``None`` if it can."""
    if not _has_type(value, parameter):
        article = "an" if parameter.type == "integer" else "a"
        return ValueProblem(f"must be {article} {parameter.type}, not {_json_type(value)}")
    if parameter.enum and not any(_same(value, each) for each in parameter.enum):
        allowed = tuple(map(_as_text, parameter.enum))
        return ValueProblem(f"must be one of {', '.join(allowed)}", allowed)
    if not isinstance(value, str):
        return None
    if len(value) > MAX_CHARACTERS:
        return ValueProblem(f"has {len(value):,} characters; at most {MAX_CHARACTERS:,}")
    if parameter.pattern is not None and not re.search(parameter.pattern, value):
        return ValueProblem(f"must match the pattern {parameter.pattern}", (parameter.pattern,))
    return None


def _missing(parameter: Parameter) -> ParameterProblem:
    return ParameterProblem(
        f"parameters.{parameter.name}",
        f"is required, of type {parameter.type}",
        allowed=tuple(map(_as_text, parameter.enum)),
    )


def _has_type(value: JsonValue, parameter: Parameter) -> bool:
    match parameter.type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool) and -(2**63) <= value < 2**63
        case "number":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and abs(value) <= 1.7976931348623157e308


def _same(value: JsonValue, other: JsonValue) -> bool:
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _as_text(value: JsonValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _json_type(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return f"{value}"
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"
