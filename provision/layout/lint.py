"""What is legal in a layout but surely not meant."""

from __future__ import annotations

import re
import uuid
from typing import Final

from provision.layout.errors import Problem
from provision.layout.lint_variables import lint_variables
from provision.layout.model import Dialect, Layout, ProfileReference
from provision.layout.report import Report
from provision.layout.source import Source
from provision.layout.templates import is_template

YEAR_SECONDS: Final = 365 * 86_400
ISSUER_SECONDS: Final = 10 * YEAR_SECONDS
"""How long the service's own certificate authority lives."""

_GATEWAY_METADATA: Final = (
    "cfg_id", "ctrl_channel_id", "data_channel_id", "export_channel_id", "type",
)  # fmt: skip


def lint(layout: Layout, source: Source) -> tuple[Problem, ...]:
    """Return warnings about ``layout``, which was read from ``source``, by their places."""
    report = Report(source, severity="warning")
    _lint_completeness(report, layout)
    _lint_channels(report, layout)
    _lint_gateway(report, layout)
    lint_variables(report, layout)
    if layout.dialect is Dialect.PROVISION:
        _lint_name(report, layout)
        _lint_certificates(report, layout)
    else:
        _lint_legacy(report, layout)
    return tuple(sorted(report.problems, key=lambda each: (each.line, each.column)))


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
    connected = {key for each in layout.connections for key in each.channels}
    for channel in layout.channels:
        if layout.clients and channel.key not in connected:
            message = f'nobody is connected to channel "{channel.key}"'
            report.at_key(channel.at, "unconnected-channel", message)
    connected = {key for each in layout.connections for key in each.clients}
    for client in layout.clients:
        if layout.channels and client.key not in connected:
            message = f'client "{client.key}" is connected to no channel'
            report.at_key(client.at, "unconnected-client", message)


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
    reached = {
        key for each in layout.connections if gateway.key in each.clients for key in each.channels
    }
    kinds = [each.metadata.get("type") for each in layout.channels if each.key in reached]
    for kind in ("control", "data"):
        if kind not in kinds and not any(is_template(str(each)) for each in kinds):
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
    if ("certificates",) in report.source.marks and not any(
        client.certificate for client in layout.clients
    ):
        message = "no client has certificate = true, so [certificates] has no effect"
        report.at_key(("certificates",), "unused-certificates", message)


def _lint_legacy(report: Report, layout: Layout) -> None:
    if layout.bindings and layout.profile is None:
        message = "bindings have no effect without bootstrap.profile_id"
        report.at_key(layout.bindings[0].at, "no-profile", message)
    if isinstance(layout.profile, ProfileReference):
        _lint_profile_id(report, layout.profile.id)
    for path in report.source.marks:
        value = report.source.value(path)
        expanded = isinstance(value, str) and re.search(r"\{\{-?\s*\.[A-Z]", value)
        if expanded and path[0] in {"clients", "things", "channels"}:
            message = "this dialect expands no templates: the text is taken as it is"
            report.at_value(path, "literal-template", message)


def _lint_profile_id(report: Report, profile_id: str) -> None:
    try:
        uuid.UUID(profile_id)
    except ValueError:
        message = f'bootstrap.profile_id "{profile_id}" is not a UUID'
        report.at_value(("bootstrap", "profile_id"), "profile-id", message)
