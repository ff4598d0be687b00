"""What is legal in a layout but surely not meant."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from provision.layout.checks import RESERVED_VARIABLES, layout_texts, table_label
from provision.layout.dialects import key_choice
from provision.layout.errors import Problem
from provision.layout.model import (
    Channel,
    Dialect,
    InlineProfile,
    JsonValue,
    KeyPath,
    Layout,
    ProfileReference,
    strings_in,
)
from provision.layout.report import Report
from provision.layout.schema import ListOf, Shape, Table
from provision.layout.source import Source
from provision.layout.templates import Reference, is_template, references

_DEVICE_FIELDS: Final = ("ID", "ExternalID", "DomainID")


def lint_variables(report: Report, layout: Layout) -> None:
    """Note template variables that nothing gives, and parameters that nothing uses."""
    names = dict.fromkeys(parameter.name for parameter in layout.parameters)
    unset = {
        parameter.name
        for parameter in layout.parameters
        if parameter.default is None and not parameter.required
    }
    used: set[str] = set()
    for path, text in layout_texts(layout):
        for reference in references(text):
            used |= _variables_used(reference, names)
            if problem := _layout_reference(report, reference, names, unset):
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


def _variables_used(reference: Reference, names: Collection[str]) -> set[str]:
    match reference.path:
        case ("Vars",):
            return set(names)
        case ("Vars", name, *_):
            return {name}
    return set()


def _layout_reference(
    report: Report, reference: Reference, names: Collection[str], unset: set[str]
) -> tuple[str, str] | None:
    match reference.path:
        case ("Vars", name, *_) if name not in names:
            return "unknown-variable", _no_source(report, name, names, "no parameter gives")
        case ("Vars", name, *_) if name in unset and not reference.lenient:
            return "unset-variable", _unset(name)
    return None


def _lint_profile_template(
    report: Report, layout: Layout, profile: InlineProfile, unset: set[str]
) -> None:
    given = {*profile.defaults, *layout.bootstrap.render_context, *RESERVED_VARIABLES}
    variables = {*given, *(parameter.name for parameter in layout.parameters)}
    slots = {slot.name for slot in profile.binding_slots}
    inline = ("profile", "content_template")
    for reference in references(profile.content_template):
        problem = _profile_reference(report, reference, variables, unset - given, slots)
        if problem is None or report.full:
            continue
        rule, message = problem
        if report.source.has(inline):
            report.inside(inline, reference.index, rule, message)
        else:
            line = profile.content_template.count("\n", 0, reference.index) + 1
            path = ("profile", "content_template_file")
            report.at_value(path, rule, f"line {line} of the template: {message}")


def _profile_reference(
    report: Report,
    reference: Reference,
    variables: set[str],
    unset: set[str],
    slots: Collection[str],
) -> tuple[str, str] | None:
    if not reference.certain or reference.lenient:
        return None
    match reference.path:
        case ("Vars", name, *_) if name not in variables:
            return "unknown-variable", _no_source(report, name, variables, "nothing gives")
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


def _no_source(report: Report, name: str, known: Iterable[str], what: str) -> str:
    hint = report.nearest(name, known)
    return f"{what} .Vars.{name}" + (f'; did you mean ".Vars.{hint}"?' if hint else "")


YEAR_SECONDS: Final = 365 * 86_400
ISSUER_SECONDS: Final = 10 * YEAR_SECONDS
"""How long the service's own certificate authority lives."""

_AGENT_KINDS: Final = ("control", "data")
"""What a device agent calls the channels that it works with."""
_GATEWAY_METADATA: Final = (
    "cfg_id", "ctrl_channel_id", "data_channel_id", "export_channel_id", "type",
)  # fmt: skip


def lint(layout: Layout, source: Source, shape: Table) -> tuple[Problem, ...]:
    """Return warnings about ``layout``, read from ``source`` of ``shape``, by their positions."""
    report = Report(source, severity="warning")
    _lint_keys(report, source.data, shape, ())
    _lint_completeness(report, layout)
    _lint_channels(report, layout)
    _lint_gateway(report, layout)
    lint_variables(report, layout)
    if layout.dialect is Dialect.PROVISION:
        _lint_name(report, layout)
        _lint_certificates(report, layout)
    else:
        _lint_legacy(report, layout)
    return tuple(sorted(report.problems, key=lambda problem: (problem.line, problem.column)))


def _lint_keys(report: Report, value: JsonValue, shape: Shape, path: KeyPath) -> None:
    if isinstance(shape, ListOf) and isinstance(value, list):
        for index, item in enumerate(value):
            _lint_keys(report, item, shape.item, (*path, index))
    if not isinstance(shape, Table) or not isinstance(value, dict):
        return
    for key, item in value.items():
        known = shape.fields.get(key)
        at = (*path, key)
        if known is None:
            message = f'unknown key "{key}" in {table_label(path)}: it has no effect'
            suggestion = report.nearest(key, shape.fields)
            report.at_key(at, "unknown-setting", message, suggestion=suggestion)
        elif known.unused:
            message = f'"{key}" in {table_label(path)} has no effect: {known.unused}'
            report.at_key(at, "unused-key", message)
        else:
            _lint_keys(report, item, known.shape, at)


def _lint_completeness(report: Report, layout: Layout) -> None:
    if not layout.clients:
        report.at_key((), "no-clients", "no clients: every request will be refused")
    if not layout.channels:
        refused = layout.dialect is not Dialect.PROVISION
        outcome = (
            "every request will be refused" if refused else "clients will have nobody to talk to"
        )
        report.at_key((), "no-channels", f"no channels: {outcome}")


def _lint_channels(report: Report, layout: Layout) -> None:
    connected = {channel for _, channel in layout.pairs}
    for channel in layout.channels:
        if layout.clients and channel.key not in connected:
            message = f'nobody is connected to channel "{channel.key}"'
            report.at_key(channel.at, "unconnected-channel", message)
    connected = {client for client, _ in layout.pairs}
    for client in layout.clients:
        if layout.channels and client.key not in connected:
            message = f'client "{client.key}" is connected to no channel'
            report.at_key(client.at, "unconnected-client", message)


def _lint_content(report: Report, layout: Layout) -> None:
    gateway = layout.gateway
    if gateway is None or not layout.bootstrap.provision or layout.profile is not None:
        return
    if layout.bootstrap.content is None:
        path: KeyPath = ("bootstrap", "content")
        message = (
            "the gateway's device is given null as its content: add bootstrap.content or "
            "bootstrap.profile_id"
        )
        report.at_key(path if report.source.has(path) else gateway.at, "no-content", message)


def _lint_kinds(report: Report, channels: Sequence[Channel]) -> None:
    first: dict[str, Channel] = {}
    for channel in channels:
        kind = str(channel.metadata.get("type", ""))
        if kind not in _AGENT_KINDS:
            continue
        if kind in first:
            message = (
                f'the gateway\'s metadata name the last channel with type = "{kind}" alone, so '
                f'"{first[kind].name}" is left out: give one of them another type'
            )
            report.at_key(channel.at, "two-channels", message)
        first.setdefault(kind, channel)


def _lint_gateway(report: Report, layout: Layout) -> None:
    gateway = layout.gateway
    if gateway is None:
        if layout.clients and layout.bootstrap.provision:
            message = "no client is the gateway, so there will be no bootstrap config"
            report.at_key(layout.clients[0].at, "no-gateway", message)
        return
    for key in _GATEWAY_METADATA:
        if key in gateway.metadata:
            message = f'metadata "{key}" of the gateway is set by the service: this value is lost'
            report.at_key((*gateway.at, "metadata", key), "reserved-metadata", message)
    if not layout.channels:
        return
    reached = [channel for channel in layout.channels if (gateway.key, channel.key) in layout.pairs]
    kinds = [channel.metadata.get("type") for channel in reached]
    _lint_kinds(report, reached)
    for kind in _AGENT_KINDS:
        if kind not in kinds and not any(map(is_template, map(str, kinds))):
            message = (
                f'gateway "{gateway.key}" is connected to no {kind} channel '
                f'(one with metadata type = "{kind}"), which a device agent needs'
            )
            report.at_key(gateway.at, f"no-{kind}-channel", message)


def _lint_name(report: Report, layout: Layout) -> None:
    path = ("layout", "name")
    given = report.source.value(path)
    if given is not None and given != layout.name:
        message = f'the layout is called "{layout.name}", as its file is, not "{given}"'
        report.at_value(path, "layout-name", message)


def _lint_certificates(report: Report, layout: Layout) -> None:
    if layout.certificates.ttl_seconds > ISSUER_SECONDS:
        years = ISSUER_SECONDS // YEAR_SECONDS
        message = (
            f"certificates outlive their issuer: the service's own authority lives {years} years, "
            "and what it issues ends with it at the latest"
        )
        report.at_value(("certificates", "ttl"), "outlives-issuer", message)
    if report.source.has(("certificates",)) and not any(
        client.certificate for client in layout.clients
    ):
        message = "no client has certificate = true, so [certificates] has no effect"
        report.at_key(("certificates",), "unused-certificates", message)
    _lint_delivery(report, layout)


def _lint_delivery(report: Report, layout: Layout) -> None:
    bound = {(binding.type, binding.resource) for binding in layout.bindings}
    for client in layout.clients:
        delivered = client.bootstrap or ("certificate", client.key) in bound
        if client.certificate and not delivered and ("client", client.key) in bound:
            message = (
                f'client "{client.key}" gets a certificate that no binding delivers: bind a slot '
                f'of type certificate to it (certificate = "{client.key}"), and use it in the '
                "template"
            )
            report.at_key(client.at, "undelivered-certificate", message)


def _lint_legacy(report: Report, layout: Layout) -> None:
    _lint_content(report, layout)
    if layout.bindings and layout.profile is None:
        message = "bindings have no effect without bootstrap.profile_id"
        report.at_key(layout.bindings[0].at, "no-profile", message)
    for table in ("cert", "certs"):
        certificates = report.source.value((table,))
        if isinstance(certificates, dict) and (note := key_choice(certificates).note):
            report.at_key((table,), "key-bits", f"[{table}]: {note}")
    if isinstance(layout.profile, ProfileReference):
        _lint_profile_id(report, layout.profile.id)
    for table in ("clients", "things", "channels"):
        for path, text in strings_in((table,), report.source.value((table,))):
            if re.search(r"\{\{-?\s*\.[A-Z]", text):
                message = "this dialect expands no templates: the text is taken as it is"
                report.at_value(path, "literal-template", message)


def _lint_profile_id(report: Report, profile_id: str) -> None:
    try:
        uuid.UUID(profile_id)
    except ValueError:
        message = f'bootstrap.profile_id "{profile_id}" is not a UUID'
        report.at_value(("bootstrap", "profile_id"), "profile-id", message)
