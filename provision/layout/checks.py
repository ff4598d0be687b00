"""What a layout file is held against: the shape of its dialect, then its parts each other."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from provision.layout.model import (
    SLOT_TYPES,
    Binding,
    BindingSlot,
    Channel,
    Client,
    Dialect,
    InlineProfile,
    JsonObject,
    JsonValue,
    KeyPath,
    Layout,
    Parameter,
    parse_lifetime,
    path_text,
    strings_in,
)
from provision.layout.parameters import PatternError, compile_pattern, value_problem
from provision.layout.report import Report
from provision.layout.schema import (
    Choice,
    Flag,
    Lifetime,
    ListOf,
    MapOf,
    Object,
    Pattern,
    Scalar,
    Shape,
    Table,
    Text,
    templates_of,
)
from provision.layout.templates import is_template, references, template_problems

MISSING: Final = object()
"""Stands for a value that was refused, so that reading goes on without it."""

NAME_PATTERN: Final = "[A-Za-z_][A-Za-z0-9_]*"
"""What names of parameters are like."""

_NAME: Final = re.compile(NAME_PATTERN)
_TYPES: Final = (
    ((Table, MapOf, Object), dict, "a table"),
    (Flag, bool, "a boolean"),
    (Scalar, (str, bool, int, float), "a string, a number or a boolean"),
    ((Text, Choice, Lifetime, Pattern), str, "a string"),
)
"""What TOML has for which shape. A list tells of itself what it should be."""

MAX_NAME: Final = 1024
"""Characters that the platform allows in a name."""

RESERVED_VARIABLES: Final = ("external_id", "name")
"""Variables of the render context that every gateway gets."""


def check(report: Report, value: JsonValue, shape: Shape, path: KeyPath) -> JsonValue:
    """Return ``value`` without the parts that do not fit ``shape``; problems go to ``report``.

    What is left has the types of the shape (a :class:`Lifetime` becomes seconds), though required
    keys may be absent. A value that does not fit at all becomes :data:`MISSING`.
    """
    for shapes, types, name in _TYPES:
        if isinstance(shape, shapes) and not isinstance(value, types):
            return _wrong_type(report, value, name, path)
    match shape:
        case Table():
            return _table(report, value, shape, path)
        case MapOf():
            return _map(report, value, shape, path)
        case ListOf():
            return _list(report, value, shape, path)
        case Text():
            return _text(report, value, shape, path)
        case Choice():
            return _choice(report, value, shape, path)
        case Lifetime():
            return MISSING if shape.blank and not value else _lifetime(report, value, path)
        case Pattern():
            return _pattern(report, value, path)
        case Flag():
            return value
    return _json(report, value, path, template=not isinstance(shape, Scalar) and shape.template)


def table_label(path: KeyPath) -> str:
    """Return a table's name as it is written: ``[[clients]]``, ``[clients.metadata]``."""
    names = ".".join(part for part in path if isinstance(part, str))
    if not names:
        return "the top level"
    return f"[[{names}]]" if isinstance(path[-1], int) else f"[{names}]"


def _table(report: Report, value: JsonObject, shape: Table, path: KeyPath) -> JsonValue:
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


def _map(report: Report, value: JsonObject, shape: MapOf, path: KeyPath) -> JsonValue:
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


def _json(report: Report, value: JsonValue, path: KeyPath, *, template: bool) -> JsonValue:
    unfit = report.source.unfit_within.get(path, ())
    for within in unfit:
        report.at_value(within, "not-json", f"{path_text(within)}: {report.source.unfit[within]}")
    if unfit:
        return MISSING
    if template:
        for within, text in strings_in(path, value):
            _text(report, text, Text(template=True), within)
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
    for choice in shape.values:
        if choice == value:
            return choice
    message = f'{path_text(path)} cannot be "{value}"'
    report.unknown(path, "bad-value", message, value, shape.values)
    return MISSING


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


def _check_secrets(report: Report, layout: Layout) -> None:
    secret = {parameter.name for parameter in layout.parameters if parameter.secret}
    for parameter in layout.parameters:
        if parameter.secret:
            _check_secret_parameter(report, parameter)
    for path, text in layout_texts(layout) if secret else ():
        for reference in references(text):
            match reference.path:
                case ("Vars", name, *_) if name in secret:
                    message = (
                        f"parameter {name} is secret, and this is shown to everybody who may read "
                        "the gateway: use it in the profile's content_template alone"
                    )
                    report.inside(path, reference.index, "secret-shown", message)


def _check_secret_parameter(report: Report, parameter: Parameter) -> None:
    at = parameter.at
    if parameter.type != "string":
        message = f"a secret is a string, but {parameter.name} is of type {parameter.type}"
        report.at_key((*at, "secret"), "secret-type", message)
    for key, given in (("default", parameter.default is not None), ("enum", parameter.enum)):
        if given:
            message = f"{parameter.name} is secret, and its {key} stands here in clear: drop it"
            report.at_key((*at, key), "secret-in-clear", message)


def layout_texts(layout: Layout) -> Iterator[tuple[KeyPath, str]]:
    """Yield every string of ``layout`` that is expanded, with its path."""
    parts: tuple[Client | Channel, ...] = (*layout.clients, *layout.channels)
    for part, at in (*((part, part.at) for part in parts), (layout.bootstrap, ("bootstrap",))):
        for _, key, value in templates_of(part):
            yield from strings_in((*at, key), value)


@frozen
class _Names:
    clients: Collection[str]
    channels: Collection[str]
    without_certificate: Collection[str]
    slots: Mapping[str, BindingSlot]

    @classmethod
    def of(cls, layout: Layout) -> _Names:
        profile = layout.profile
        slots = profile.binding_slots if isinstance(profile, InlineProfile) else ()
        return cls(
            dict.fromkeys(client.key for client in layout.clients),
            dict.fromkeys(channel.key for channel in layout.channels),
            {client.key for client in layout.clients if not client.certificate},
            {slot.name: slot for slot in slots},
        )


def check_layout(report: Report, layout: Layout) -> None:
    """Note in ``report`` what contradicts itself or leads nowhere in ``layout``."""
    for parameter in layout.parameters:
        _check_parameter(report, parameter)
    _check_secrets(report, layout)
    if layout.dialect is Dialect.PROVISION:
        _check_names(report, "client", layout.clients)
        _check_names(report, "channel", layout.channels)
        _check_connections(report, layout)
        _check_profile(report, layout)
    _check_gateway(report, layout)
    _check_bindings(report, layout)


def _check_parameter(report: Report, parameter: Parameter) -> None:
    at = parameter.at
    if parameter.name in RESERVED_VARIABLES:
        message = f'"{parameter.name}" is a variable that every gateway has; choose another name'
        report.at_key(at, "reserved-name", message)
    if parameter.pattern is not None and parameter.type != "string":
        message = f"pattern is for strings, but {parameter.name} is of type {parameter.type}"
        report.at_key((*at, "pattern"), "pattern-type", message)
    if parameter.required and parameter.default is not None:
        message = f"{parameter.name} is required, so its default is never used: drop one of them"
        report.at_key((*at, "default"), "default-required", message)
    for index, value in enumerate(parameter.enum):
        if problem := value_problem(Parameter(parameter.name, parameter.type), value):
            report.at_value((*at, "enum", index), "bad-enum", f"enum: {problem.message}")
    if parameter.default is not None and (problem := value_problem(parameter, parameter.default)):
        path = (*at, "default")
        message = f"default: {problem.message}"
        report.at_value(path, "bad-default", message, problem.allowed)


def _check_names(report: Report, kind: str, items: Sequence[Client | Channel]) -> None:
    keys: dict[str, KeyPath] = {}
    names: dict[str, KeyPath] = {}
    for item in items:
        derived = not report.source.has((*item.at, "key"))
        if not item.key and item.name:
            message = f'no key can be made of the {kind}\'s name; add one, as in key = "{kind}"'
            report.at_key((*item.at, "name"), "no-key", message)
        elif item.key and (first := keys.get(item.key)):
            _duplicate(report, item.at, kind, "key", item.key, first, derived=derived)
        if item.name and (first := names.get(item.name)):
            _duplicate(report, item.at, kind, "name", item.name, first)
        if len(item.name) > MAX_NAME and not is_template(item.name):
            message = f"name has {len(item.name):,} characters; the platform allows {MAX_NAME:,}"
            report.at_value((*item.at, "name"), "too-long", message)
        keys.setdefault(item.key, item.at)
        names.setdefault(item.name, item.at)


def _duplicate(
    report: Report,
    at: KeyPath,
    kind: str,
    field: str,
    value: str,
    first: KeyPath,
    *,
    derived: bool = False,
) -> None:
    line = report.source.line_name(first)
    message = f'{kind} {field} "{value}" is taken by the {kind} in {line}'
    if derived:
        message += f'; it was made of the name: add key = "..." to the {kind}'
    path = (*at, "name" if derived else field)
    report.at_value(path, f"duplicate-{field}", message)


def _check_connections(report: Report, layout: Layout) -> None:
    names = _Names.of(layout)
    for connection in layout.connections:
        if connection.at:
            for path, key in report.source.strings((*connection.at, "clients")):
                _check_reference(report, path, "client", key, names.clients)
            for path, key in report.source.strings((*connection.at, "channels")):
                _check_reference(report, path, "channel", key, names.channels)


def _check_reference(
    report: Report, path: KeyPath, kind: str, key: str, known: Collection[str]
) -> None:
    if key in known or report.refused(f"{kind}s"):
        return
    message = f'{path_text(path)}: there is no {kind} "{key}"'
    report.unknown(path, "dangling-reference", message, key, known)


def _check_gateway(report: Report, layout: Layout) -> None:
    gateways = [client for client in layout.clients if client.bootstrap]
    for extra in gateways[1:]:
        first = report.source.line_name(gateways[0].at)
        path = next(
            path
            for path in ((*extra.at, "bootstrap"), (*extra.at, "metadata", "external_id"), extra.at)
            if report.source.has(path)
        )
        message = (
            "a second client with a bootstrap config; the first is in "
            f"{first}, and one gateway has one config: its external ID is unique"
        )
        report.at_key(path, "two-gateways", message)
    if layout.dialect is not Dialect.PROVISION or gateways:
        return
    for path in (("profile",), ("bootstrap",), ("bindings",)):
        if report.source.has(path):
            message = f"[{path[0]}] needs a gateway: set bootstrap = true on one of the clients"
            report.at_key(path, "no-gateway", message)


def _check_profile(report: Report, layout: Layout) -> None:
    ways: tuple[KeyPath, ...] = (
        ("profile",),
        ("bootstrap", "profile_id"),
        ("bootstrap", "profile"),
    )
    given = [path for path in ways if report.source.has(path)]
    for path in given[1:]:
        message = "the profile is given twice; one of [profile], bootstrap.profile_id and "
        report.at_key(path, "two-profiles", f"{message}bootstrap.profile")
    if not isinstance(layout.profile, InlineProfile):
        return
    slots: set[str] = set()
    for index, slot in enumerate(layout.profile.binding_slots):
        if slot.name and slot.name in slots:
            path = ("profile", "binding_slots", index, "name")
            report.at_value(path, "duplicate-name", f'slot "{slot.name}" is declared twice')
        slots.add(slot.name)


def _check_bindings(report: Report, layout: Layout) -> None:
    bound: set[str] = set()
    names = _Names.of(layout)
    for binding in layout.bindings:
        path = (*binding.at, "slot")
        if binding.slot and binding.slot in bound:
            message = f'slot "{binding.slot}" is bound twice'
            report.at_value(path, "duplicate-binding", message)
        bound.add(binding.slot)
        if binding.metadata_value and not binding.metadata_key:
            message = "metadata_value needs a metadata_key"
            report.at_key((*binding.at, "metadata_value"), "missing-key", message)
        if layout.dialect is Dialect.PROVISION:
            _check_targets(report, binding)
            _check_target(report, names, binding)
            _check_slot(report, layout, names, binding)
    if isinstance(layout.profile, InlineProfile):
        for index, slot in enumerate(layout.profile.binding_slots):
            if slot.required and slot.name and slot.name not in bound:
                message = f'required slot "{slot.name}" is not bound; add [[bindings]] for it'
                at = ("profile", "binding_slots", index, "name")
                report.at_value(at, "unbound-slot", message)


def _check_targets(report: Report, binding: Binding) -> None:
    given = [target for target in SLOT_TYPES if report.source.has((*binding.at, target))]
    if len(given) != 1:
        message = f"[[bindings]] must name exactly one of {', '.join(SLOT_TYPES)}, not "
        message += " and ".join(given) or "none"
        report.at_key(binding.at, "binding-target", message)


def _check_target(report: Report, names: _Names, binding: Binding) -> None:
    path = (*binding.at, binding.type)
    if not binding.resource:
        return
    if binding.type == "channel":
        _check_reference(report, path, "channel", binding.resource, names.channels)
        return
    _check_reference(report, path, "client", binding.resource, names.clients)
    if binding.type == "certificate" and binding.resource in names.without_certificate:
        message = f'client "{binding.resource}" gets no certificate; set certificate = true on it'
        report.at_value(path, "no-certificate", message)


def _check_slot(report: Report, layout: Layout, names: _Names, binding: Binding) -> None:
    path = (*binding.at, "slot")
    if layout.profile is None:
        message = "a binding needs a profile: add [profile], bootstrap.profile_id or "
        report.at_key(binding.at, "no-profile", f"{message}bootstrap.profile")
    if not isinstance(layout.profile, InlineProfile) or not binding.slot:
        return
    slot = names.slots.get(binding.slot)
    if slot is None:
        message = f'the profile has no slot "{binding.slot}"'
        report.unknown(path, "dangling-reference", message, binding.slot, names.slots)
    elif binding.resource and slot.type != binding.type:
        message = f'slot "{slot.name}" takes a {slot.type}, not a {binding.type}'
        report.at_key((*binding.at, binding.type), "slot-type", message)
