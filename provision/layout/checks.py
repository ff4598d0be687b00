"""What must hold between the parts of a layout, whatever the request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from provision.layout.model import (
    Binding,
    Channel,
    Client,
    Dialect,
    InlineProfile,
    KeyPath,
    Layout,
    Parameter,
)
from provision.layout.parameters import value_problem
from provision.layout.report import Report
from provision.layout.shape_provision import TARGETS
from provision.layout.source import path_text
from provision.layout.templates import is_template

MAX_NAME: Final = 1024
"""Characters that the platform allows in a name."""

RESERVED_VARIABLES: Final = ("external_id", "name")
"""Variables of the render context that every gateway gets."""

_PROFILE_WAYS: Final[tuple[KeyPath, ...]] = (
    ("profile",),
    ("bootstrap", "profile_id"),
    ("bootstrap", "profile"),
)


def check_layout(report: Report, layout: Layout) -> None:
    """Note in ``report`` what contradicts itself or leads nowhere in ``layout``."""
    for parameter in layout.parameters:
        _check_parameter(report, parameter)
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
        report.at_value(path, "bad-default", message, allowed=problem.allowed)


def _check_names(report: Report, kind: str, items: Sequence[Client | Channel]) -> None:
    keys: dict[str, KeyPath] = {}
    names: dict[str, KeyPath] = {}
    for item in items:
        if not item.name:
            continue
        derived = (*item.at, "key") not in report.source.marks
        if not item.key:
            message = f'no key can be made of the {kind}\'s name; add one, as in key = "{kind}"'
            report.at_key((*item.at, "name"), "no-key", message)
        elif first := keys.get(item.key):
            _duplicate(report, item.at, kind, "key", item.key, first, derived=derived)
        if first := names.get(item.name):
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
    for connection in layout.connections:
        if connection.at:
            for path, key in report.source.strings((*connection.at, "clients")):
                _check_client(report, layout, path, key)
            for path, key in report.source.strings((*connection.at, "channels")):
                _check_channel(report, layout, path, key)


def _check_client(report: Report, layout: Layout, path: KeyPath, key: str) -> None:
    _check_reference(report, path, "client", key, [each.key for each in layout.clients])


def _check_channel(report: Report, layout: Layout, path: KeyPath, key: str) -> None:
    _check_reference(report, path, "channel", key, [each.key for each in layout.channels])


def _check_reference(
    report: Report, path: KeyPath, kind: str, key: str, known: Iterable[str]
) -> None:
    if key in known or report.refused(f"{kind}s"):
        return
    message = f'{path_text(path)}: there is no {kind} "{key}"'
    report.unknown(path, "dangling-reference", message, key, known)


def _check_gateway(report: Report, layout: Layout) -> None:
    gateways = [each for each in layout.clients if each.bootstrap]
    for extra in gateways[1:]:
        first = report.source.line_name(gateways[0].at)
        path = next(
            path
            for path in ((*extra.at, "bootstrap"), (*extra.at, "metadata", "external_id"), extra.at)
            if path in report.source.marks
        )
        message = (
            "a second client with a bootstrap config; the first is in "
            f"{first}, and one gateway has one config: its external ID is unique"
        )
        report.at_key(path, "two-gateways", message)
    if layout.dialect is not Dialect.PROVISION or gateways:
        return
    for path in (("profile",), ("bootstrap",), ("bindings",)):
        if path in report.source.marks:
            message = f"[{path[0]}] needs a gateway: set bootstrap = true on one of the clients"
            report.at_key(path, "no-gateway", message)


def _check_profile(report: Report, layout: Layout) -> None:
    ways: tuple[KeyPath, ...] = (
        ("profile",),
        ("bootstrap", "profile_id"),
        ("bootstrap", "profile"),
    )
    given = [path for path in ways if path in report.source.marks]
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
            _check_target(report, layout, binding)
            _check_slot(report, layout, binding)
    if isinstance(layout.profile, InlineProfile):
        for index, slot in enumerate(layout.profile.binding_slots):
            if slot.required and slot.name and slot.name not in bound:
                message = f'required slot "{slot.name}" is not bound; add [[bindings]] for it'
                at = ("profile", "binding_slots", index, "name")
                report.at_value(at, "unbound-slot", message)


def _check_targets(report: Report, binding: Binding) -> None:
    given = [target for target in TARGETS if (*binding.at, target) in report.source.marks]
    if len(given) != 1:
        message = f"[[bindings]] must name exactly one of {', '.join(TARGETS)}, not "
        message += " and ".join(given) or "none"
        report.at_key(binding.at, "binding-target", message)


def _check_target(report: Report, layout: Layout, binding: Binding) -> None:
    path = (*binding.at, binding.type)
    if not binding.resource:
        return
    if binding.type == "channel":
        _check_channel(report, layout, path, binding.resource)
        return
    _check_client(report, layout, path, binding.resource)
    if binding.type == "certificate" and any(
        each.key == binding.resource and not each.certificate for each in layout.clients
    ):
        message = f'client "{binding.resource}" gets no certificate; set certificate = true on it'
        report.at_value(path, "no-certificate", message)


def _check_slot(report: Report, layout: Layout, binding: Binding) -> None:
    path = (*binding.at, "slot")
    if layout.profile is None:
        message = "a binding needs a profile: add [profile], bootstrap.profile_id or "
        report.at_key(binding.at, "no-profile", f"{message}bootstrap.profile")
    if not isinstance(layout.profile, InlineProfile) or not binding.slot:
        return
    slots = {slot.name: slot for slot in layout.profile.binding_slots}
    slot = slots.get(binding.slot)
    if slot is None:
        message = f'the profile has no slot "{binding.slot}"'
        report.unknown(path, "dangling-reference", message, binding.slot, slots)
    elif binding.resource and slot.type != binding.type:
        message = f'slot "{slot.name}" takes a {slot.type}, not a {binding.type}'
        report.at_key((*binding.at, binding.type), "slot-type", message)
