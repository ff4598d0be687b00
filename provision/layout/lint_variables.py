"""Template variables: those that nothing gives, and parameters that nothing uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from provision.layout.checks import RESERVED_VARIABLES
from provision.layout.model import (
    Channel,
    Client,
    InlineProfile,
    JsonValue,
    KeyPath,
    Layout,
    ProfileReference,
)
from provision.layout.report import Report, nearest
from provision.layout.templates import Reference, references

_DEVICE_FIELDS: Final = ("ID", "ExternalID", "DomainID")


def lint_variables(report: Report, layout: Layout) -> None:
    """Note template variables that nothing gives, and parameters that nothing uses."""
    names = [each.name for each in layout.parameters]
    unset = {each.name for each in layout.parameters if each.default is None and not each.required}
    used: set[str] = set()
    for path, text in _texts(layout):
        for reference in references(text):
            used |= _variables_used(reference, names)
            if problem := _layout_reference(reference, names, unset):
                rule, message = problem
                report.inside(path, reference.index, rule, message)
    profile = layout.profile
    if isinstance(profile, InlineProfile) and profile.content_format != "raw":
        for reference in references(profile.content_template):
            used |= _variables_used(reference, names)
        _lint_profile_template(report, layout, profile, unset)
    for parameter in layout.parameters:
        if parameter.name not in used and not isinstance(profile, ProfileReference):
            message = f'parameter "{parameter.name}" is used nowhere'
            report.at_key(parameter.at, "unused-parameter", message)


def _variables_used(reference: Reference, names: list[str]) -> set[str]:
    match reference.path:
        case ("Vars",):
            return set(names)
        case ("Vars", name, *_):
            return {name}
    return set()


def _layout_reference(
    reference: Reference, names: list[str], unset: set[str]
) -> tuple[str, str] | None:
    """Return the rule and the message for a reference of the layout's own strings."""
    match reference.path:
        case ("Vars", name, *_) if name not in names:
            return "unknown-variable", _no_source(name, names, "no parameter gives")
        case ("Vars", name, *_) if name in unset and not reference.lenient:
            return "unset-variable", _unset(name)
    return None


def _lint_profile_template(
    report: Report, layout: Layout, profile: InlineProfile, unset: set[str]
) -> None:
    given = {*profile.defaults, *layout.bootstrap.render_context, *RESERVED_VARIABLES}
    variables = {*given, *(each.name for each in layout.parameters)}
    slots = [slot.name for slot in profile.binding_slots]
    inline = ("profile", "content_template")
    for reference in references(profile.content_template):
        problem = _profile_reference(reference, variables, unset - given, slots)
        if problem is None:
            continue
        rule, message = problem
        if inline in report.source.marks:
            report.inside(inline, reference.index, rule, message)
        else:
            line = profile.content_template.count("\n", 0, reference.index) + 1
            path = ("profile", "content_template_file")
            report.at_value(path, rule, f"line {line} of the template: {message}")


def _profile_reference(
    reference: Reference, variables: set[str], unset: set[str], slots: list[str]
) -> tuple[str, str] | None:
    """Return the rule and the message for a reference of the profile's template."""
    if not reference.certain or reference.lenient:
        return None
    match reference.path:
        case ("Vars", name, *_) if name not in variables:
            return "unknown-variable", _no_source(name, variables, "nothing gives")
        case ("Vars", name, *_) if name in unset:
            return "unset-variable", _unset(name)
        case ("Bindings", name, *_) if name not in slots:
            return "unknown-slot", f'the profile has no slot "{name}"'
        case ("Device", name, *_) if name not in _DEVICE_FIELDS:
            known = ", ".join(f".Device.{field}" for field in _DEVICE_FIELDS)
            return "unknown-variable", f"there is no .Device.{name}; allowed: {known}"
        case (name, *_) if name not in {"Vars", "Bindings", "Device"}:
            message = f"there is no .{name}; allowed: .Device, .Vars, .Bindings"
            return "unknown-variable", message
    return None


def _unset(name: str) -> str:
    return (
        f'.Vars.{name} fails when a request does not give parameter "{name}": '
        f'use index .Vars "{name}", or give it a default'
    )


def _no_source(name: str, known: Iterable[str], what: str) -> str:
    hint = nearest(name, known)
    return f"{what} .Vars.{name}" + (f'; did you mean ".Vars.{hint}"?' if hint else "")


def _texts(layout: Layout) -> Iterator[tuple[KeyPath, str]]:
    """Yield every string of ``layout`` that is expanded, with its path."""
    parts: tuple[Client | Channel, ...] = (*layout.clients, *layout.channels)
    for part in parts:
        yield (*part.at, "name"), part.name
        yield from _strings((*part.at, "metadata"), part.metadata)
        yield from _strings((*part.at, "tags"), list(part.tags))
        extra = part.identity if isinstance(part, Client) else part.route
        if extra is not None:
            yield (*part.at, "identity" if isinstance(part, Client) else "route"), extra
    yield from _strings(("bootstrap", "render_context"), layout.bootstrap.render_context)


def _strings(path: KeyPath, value: JsonValue) -> Iterator[tuple[KeyPath, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _strings((*path, key), item)
        case list():
            for index, item in enumerate(value):
                yield from _strings((*path, index), item)
