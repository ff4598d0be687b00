"""Holding a file against its shape: unknown keys, wrong types, what is missing or badly formed."""

from __future__ import annotations

import re
from typing import Final

from provision.layout.model import JsonValue, KeyPath, parse_lifetime
from provision.layout.parameters import PatternError, compile_pattern
from provision.layout.report import Report
from provision.layout.schema import (
    Choice,
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
from provision.layout.source import path_text
from provision.layout.templates import template_problems

MISSING: Final = object()
"""Stands for a value that was refused, so that reading goes on without it."""

NAME_PATTERN: Final = "[A-Za-z_][A-Za-z0-9_]*"
"""What names of parameters are like."""

_NAME: Final = re.compile(NAME_PATTERN)


def check(report: Report, value: JsonValue, shape: Shape, path: KeyPath) -> JsonValue:
    """Return ``value`` without the parts that do not fit ``shape``; problems go to ``report``.

    What is left has the types of the shape (a :class:`Lifetime` becomes seconds), though required
    keys may be absent. A value that does not fit at all becomes :data:`MISSING`.
    """
    match shape:
        case Table():
            return _table(report, value, shape, path)
        case MapOf():
            return _map(report, value, shape, path)
        case ListOf():
            return _list(report, value, shape, path)
        case Object() | Json():
            return _json(report, value, shape, path)
        case Flag():
            return (
                value if isinstance(value, bool) else _wrong_type(report, value, "a boolean", path)
            )
        case Scalar():
            return _scalar(report, value, path)
    if not isinstance(value, str):
        return _wrong_type(report, value, "a string", path)
    match shape:
        case Text():
            return _text(report, value, shape, path)
        case Choice():
            return _choice(report, value, shape, path)
        case Lifetime():
            return MISSING if shape.blank and not value else _lifetime(report, value, path)
        case Pattern():
            return _pattern(report, value, path)


def table_label(path: KeyPath) -> str:
    """Return a table's name as it is written: ``[[clients]]``, ``[clients.metadata]``."""
    names = ".".join(part for part in path if isinstance(part, str))
    if not names:
        return "the top level"
    return f"[[{names}]]" if isinstance(path[-1], int) else f"[{names}]"


def _table(report: Report, value: JsonValue, shape: Table, path: KeyPath) -> JsonValue:
    if not isinstance(value, dict):
        return _wrong_type(report, value, "a table", path)
    kept: dict[str, JsonValue] = {}
    meant: set[str] = set()
    for key, item in value.items():
        known = shape.fields.get(key)
        if known is None and shape.lenient:
            continue
        if known is None:
            suggestion = report.nearest(key, shape.fields)
            meant.add(suggestion)
            report.at_key(
                (*path, key),
                "unknown-key",
                f'unknown key "{key}" in {table_label(path)}',
                allowed=shape.fields,
                suggestion=suggestion,
            )
            continue
        checked = check(report, item, known.shape, (*path, key))
        if checked is not MISSING:
            kept[key] = checked
    for key, field in shape.fields.items():
        if field.required and key not in value and key not in meant:
            message = f'missing key "{key}" in {table_label(path)}'
            report.at_key((*path, key), "missing-key", message)
    return kept


def _map(report: Report, value: JsonValue, shape: MapOf, path: KeyPath) -> JsonValue:
    if not isinstance(value, dict):
        return _wrong_type(report, value, "a table", path)
    kept: dict[str, JsonValue] = {}
    for key, item in value.items():
        if not _NAME.fullmatch(key):
            report.at_key(
                (*path, key),
                "bad-name",
                f'"{key}" is not a name: letters, digits and underscores, no digit first',
            )
        checked = check(report, item, shape.item, (*path, key))
        if checked is not MISSING:
            kept[key] = checked
    return kept


def _list(report: Report, value: JsonValue, shape: ListOf, path: KeyPath) -> JsonValue:
    if not isinstance(value, list):
        what = "an array of tables" if isinstance(shape.item, Table) else "an array"
        return _wrong_type(report, value, what, path)
    if len(value) < shape.least:
        report.at_value(path, "too-few", f"{path_text(path)} must have at least {shape.least}")
    checked = (check(report, item, shape.item, (*path, at)) for at, item in enumerate(value))
    if isinstance(shape.item, Table):
        return [{} if item is MISSING else item for item in checked]
    return [item for item in checked if item is not MISSING]


def _json(report: Report, value: JsonValue, shape: Object | Json, path: KeyPath) -> JsonValue:
    if isinstance(shape, Object) and not isinstance(value, dict):
        return _wrong_type(report, value, "a table", path)
    unfit = report.source.unfit_within.get(path, ())
    for place in unfit:
        report.at_value(place, "not-json", f"{path_text(place)}: {report.source.unfit[place]}")
    if unfit:
        return MISSING
    if shape.template:
        _templates_inside(report, value, path)
    return value


def _templates_inside(report: Report, value: JsonValue, path: KeyPath) -> None:
    match value:
        case str():
            _text(report, value, Text(template=True), path)
        case dict():
            for key, item in value.items():
                _templates_inside(report, item, (*path, key))
        case list():
            for index, item in enumerate(value):
                _templates_inside(report, item, (*path, index))


def _scalar(report: Report, value: JsonValue, path: KeyPath) -> JsonValue:
    if not isinstance(value, str | bool | int | float):
        return _wrong_type(report, value, "a string, a number or a boolean", path)
    if path in report.source.unfit:
        report.at_value(path, "not-json", f"{path_text(path)}: {report.source.unfit[path]}")
        return MISSING
    return value


def _text(report: Report, value: str, shape: Text, path: KeyPath) -> JsonValue:
    if not shape.blank and not value.strip():
        report.at_value(path, "blank", f"{path_text(path)} must not be blank")
        return MISSING
    if shape.pattern and not re.fullmatch(shape.pattern, value):
        message = f'{path_text(path)} is "{value}", but must be {shape.pattern_meaning}'
        report.at_value(path, "bad-text", message)
        return MISSING
    if shape.template:
        found = template_problems(value)
        for problem in found:
            report.inside(path, problem.index, problem.rule, problem.message)
        if found:
            return MISSING
    return value


def _choice(report: Report, value: str, shape: Choice, path: KeyPath) -> JsonValue:
    if value not in shape.values:
        message = f'{path_text(path)} cannot be "{value}"'
        report.unknown(path, "bad-value", message, value, shape.values)
        return MISSING
    return value


def _lifetime(report: Report, value: str, path: KeyPath) -> JsonValue:
    try:
        return parse_lifetime(value)
    except ValueError as error:
        report.at_value(path, "bad-duration", f"{path_text(path)}: {error}")
        return MISSING


def _pattern(report: Report, value: str, path: KeyPath) -> JsonValue:
    try:
        compile_pattern(value)
    except PatternError as error:
        message = f"{path_text(path)} is not a regular expression: {error}"
        report.inside(path, error.index, "bad-pattern", message)
        return MISSING
    return value


def _wrong_type(report: Report, value: JsonValue, wanted: str, path: KeyPath) -> JsonValue:
    message = f"{path_text(path) or 'the file'} must be {wanted}, not {type_name(value)}"
    report.at_value(path, "wrong-type", message)
    return MISSING


def type_name(value: JsonValue) -> str:
    """Return what TOML calls the type of ``value``."""
    match value:
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a float"
        case dict():
            return "a table"
        case list():
            return "an array"
    return "a string"
