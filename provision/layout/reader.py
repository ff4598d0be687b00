"""The strict reader: a layout file of any dialect becomes the model, or all its problems.

The dialect is told by the content: ``[[things]]`` is Mainflux's; else whatever has more of the
keys that only one dialect knows; without any of either it is Magistrala's.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from attrs import frozen

from provision.layout import dialect_magistrala, schema
from provision.layout.checker import check
from provision.layout.checks import check_layout
from provision.layout.dialect_provision import build
from provision.layout.errors import LayoutError, Problem
from provision.layout.fragments import with_fragments
from provision.layout.lint import lint
from provision.layout.model import Dialect, JsonObject, JsonValue, Layout
from provision.layout.report import Report
from provision.layout.schema import Table
from provision.layout.source import parse_source
from provision.layout.templates import TemplateLoader, no_template_files, profile_template

_OWN_TABLES: Final = frozenset(
    {"layout", "parameters", "connections", "certificates", "profile", "bindings"}
)
_OWN_CLIENT_KEYS: Final = frozenset({"key", "bootstrap", "certificate", "tags", "identity"})
_OWN_BOOTSTRAP_KEYS: Final = frozenset({"status", "profile"})
_GO_TABLES: Final = frozenset({"server", "cert", "certs", "file"})
_GO_BOOTSTRAP_KEYS: Final = frozenset({"x509_provision", "provision", "autowhite_list", "bindings"})

SHAPES: Final = {
    Dialect.PROVISION: schema.SHAPE,
    Dialect.MAGISTRALA: dialect_magistrala.SHAPE,
    Dialect.MAINFLUX: dialect_magistrala.MAINFLUX_SHAPE,
}
"""What may stand in a file of each dialect."""


@frozen
class Reading:
    """A layout that was read, and what is legal in it but surely wrong."""

    layout: Layout
    warnings: tuple[Problem, ...]


def read(
    text: str,
    *,
    file: str,
    name: str = "",
    load_template: TemplateLoader = no_template_files,
) -> Reading:
    """Read the layout ``text``.

    ``file`` is what messages call it; ``name`` is the layout's, by default the file's without its
    ending. Raises :class:`LayoutError` with every problem there is.
    """
    report = with_fragments(Report(parse_source(text, file)), load_template)
    source = report.source
    name = name or PurePosixPath(file).stem
    dialect = dialect_of(source.data)
    shape = SHAPES[dialect]
    data = _checked(report, shape)
    match dialect:
        case Dialect.PROVISION:
            layout = build(report, data, name, profile_template(report, data, load_template))
        case Dialect.MAGISTRALA:
            layout = dialect_magistrala.build(report, data, name)
        case Dialect.MAINFLUX:
            layout = dialect_magistrala.build_mainflux(report, data, name)
    check_layout(report, layout)
    if report.problems:
        raise LayoutError(report.problems)
    return Reading(layout, lint(layout, source, shape))


def dialect_of(data: JsonObject) -> Dialect:
    """Return the dialect that the parsed file ``data`` is written in."""
    bootstrap = _keys(data.get("bootstrap"))
    clients = data.get("clients")
    client_keys = [_keys(client) for client in clients] if isinstance(clients, list) else []
    own = len(data.keys() & _OWN_TABLES) + len(bootstrap & _OWN_BOOTSTRAP_KEYS)
    own += sum(bool(keys & _OWN_CLIENT_KEYS) for keys in client_keys)
    if "things" in data and not own:
        return Dialect.MAINFLUX
    go = len(data.keys() & _GO_TABLES) + len(bootstrap & _GO_BOOTSTRAP_KEYS)
    return Dialect.PROVISION if own > go else Dialect.MAGISTRALA


def _keys(value: JsonValue) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def _checked(report: Report, shape: Table) -> JsonObject:
    checked: JsonObject = check(report, report.source.data, shape, ())
    return checked
