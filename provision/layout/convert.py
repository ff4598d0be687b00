"""From the dialects of the Go service and Mainflux to this project's, comments kept.

The text is changed in place with tomlkit, so what people wrote around the values stays. What this
project's dialect has no place for is said, and not lost in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

import tomlkit
from attrs import define, field, frozen
from tomlkit import TOMLDocument
from tomlkit.items import AoT, Item, Table

from bootstrap_core.formats.documents import without_mark
from provision.layout.dialects import PART_KEYS, TOP_KEYS, key_choice
from provision.layout.errors import LayoutError, Problem
from provision.layout.model import Binding, Channel, Client, Dialect, Layout, path_text
from provision.layout.reader import dialect_of, read
from provision.layout.source import parse_source
from provision.layout.templates import is_template, literal

_THINGS: Final = re.compile(r"^([ \t]*\[{1,2}[ \t]*)things(?=[ \t]*[\].])", re.MULTILINE)
_ENVIRONMENT: Final = (
    "settings of the environment (MG_PROVISION_X509_PROVISIONING, _BS_CONFIG_PROVISIONING, "
    "_BS_AUTO_WHITELIST, _BS_PROFILE_ID, _BS_CONTENT, _CERTS_HOURS_VALID) no longer win over it"
)

Entry = MutableMapping[str, Any]


@frozen
class Conversion:
    """A layout in this project's dialect, and what of the old file it does not carry."""

    text: str
    notes: tuple[str, ...]


@define
class _Work:
    layout: Layout
    document: TOMLDocument
    notes: list[str] = field(factory=list)


def convert(text: str, *, file: str, name: str) -> Conversion:
    """Return the layout ``text`` of any dialect in this project's.

    ``file`` is what messages call it, ``name`` the layout's. Raises
    :class:`provision.layout.errors.LayoutError` if the file is not a layout, or has no clients.
    """
    text = without_mark(text).replace("\r\n", "\n")
    if dialect_of(parse_source(text, file).data) is Dialect.PROVISION:
        return Conversion(text, ("the file is in this project's dialect already",))
    layout = read(text, file=file, name=name).layout
    if layout.dialect is Dialect.MAINFLUX:
        text = _THINGS.sub(r"\1clients", text)
    if not layout.clients:
        message = "there is nothing to convert: a layout needs at least one client"
        raise LayoutError([Problem(file, 1, 1, "no-clients", message)])
    work = _Work(layout, tomlkit.parse(text))
    if "things" in work.document:
        work.document["clients"] = work.document.pop("things")
    _settings(work)
    _clients(work)
    _channels(work)
    _certificates(work)
    _bootstrap(work)
    if layout.bootstrap.content is None:
        work.notes.append("a config without content delivers an empty text, no longer null")
    work.notes.append(_ENVIRONMENT)
    if layout.dialect is Dialect.MAINFLUX:
        work.notes.append('answers say "clients" with "credentials", no longer "things" with "key"')
    return Conversion(_with_header(work), tuple(work.notes))


def _settings(work: _Work) -> None:
    for key in ("server", "layouts"):
        if key in work.document:
            work.document.remove(key)
            work.notes.append(f"[{key}] is no part of a layout: keep it in the settings' file")
    for key, known in TOP_KEYS.items():
        if key in work.document:
            work.document.remove(key)
            work.notes.append(f"{key}: {known.unused or 'a layout is called as its file is'}")


def _clients(work: _Work) -> None:
    for client, entry in zip(work.layout.clients, _entries(work.document, "clients"), strict=True):
        _tidy_part(work, entry, "clients")
        metadata = entry.get("metadata", {})
        if client.bootstrap and work.layout.bootstrap.provision:
            metadata.pop("external_id", None)
        elif client.bootstrap:
            metadata["external_id"] = "{{ .ExternalID }}"
        _escape(metadata, spared="external_id")
        if "metadata" in entry and not metadata:
            entry.pop("metadata")
        extra: dict[str, Any] = {"key": client.key}
        if client.bootstrap:
            extra["bootstrap"] = work.layout.bootstrap.provision
        if client.certificate:
            extra["certificate"] = True
        _put_first(entry, {**extra, "name": client.name or client.key})
    named = work.layout.gateway is not None and work.layout.bootstrap.provision
    if len(work.layout.clients) > named:
        work.notes.append(
            "a request's name goes to the gateway alone; the other clients are called by the layout"
        )


def _tidy_part(work: _Work, entry: Entry, table: str) -> None:
    for key in [key for key in entry if key in PART_KEYS and PART_KEYS[key].unused]:
        del entry[key]
        work.notes.append(f"[[{table}]]: {key} had no effect: left out")
    for key in ("Name", "Metadata"):
        if key in entry:
            entry.setdefault(key.lower(), entry.pop(key))


def _channels(work: _Work) -> None:
    for channel, entry in zip(
        work.layout.channels, _entries(work.document, "channels"), strict=True
    ):
        _tidy_part(work, entry, "channels")
        _escape(entry.get("metadata", {}))
        _put_first(entry, {"key": channel.key, "name": f"{{{{ .Name }}}}_{channel.name}"})
    if work.layout.channels:
        work.notes.append(
            "channels are called after the request's name or, without one, after the external ID "
            "alone, no longer after the client's name and the external ID"
        )


def _certificates(work: _Work) -> None:
    tables = [table for table in ("cert", "certs") if table in work.document]
    said: dict[str, Any] = {}
    for table in reversed(tables):
        said |= work.document.pop(table)
        if not any(client.certificate for client in work.layout.clients):
            work.notes.append(
                f"[{table}] had no effect, since no client gets a certificate: left out"
            )
            said = {}
    certificates = tomlkit.table()
    if ttl := said.get("ttl") or said.get("days_valid"):
        certificates["ttl"] = ttl
    if key_choice(said).key_type:
        certificates["key_type"] = work.layout.certificates.key_type
    if certificates:
        work.document["certificates"] = certificates


def _bootstrap(work: _Work) -> None:
    entry = work.document.get("bootstrap")
    if entry is None:
        return
    _tidy_bootstrap(entry)
    layout = work.layout
    if not layout.bootstrap.provision or layout.gateway is None:
        work.document.remove("bootstrap")
        if entry:
            work.notes.append("[bootstrap] had no effect, since no config is made: left out")
        return
    if layout.bootstrap.status == "disabled":
        entry["status"] = "disabled"
    if layout.profile is not None:
        _bindings(work)
    elif layout.bindings:
        work.notes.append("[[bootstrap.bindings]] had no effect without a profile_id: left out")
    if not entry:
        work.document.remove("bootstrap")


def _tidy_bootstrap(entry: Entry) -> None:
    for key in ("x509_provision", "provision", "autowhite_list", "bindings"):
        entry.pop(key, None)
    if entry.get("profile_id") == "":
        entry.pop("profile_id")
    content = entry.get("content")
    if isinstance(content, str):
        entry.pop("content")
        decoded = json.loads(without_mark(content)) if content.strip() else None
        if decoded is not None:
            entry["content"] = decoded
    _escape(entry.get("render_context", {}))


def _bindings(work: _Work) -> None:
    made = tomlkit.aot()
    for binding in work.layout.bindings:
        key = _resource(work.layout, binding)
        if key is None:
            work.notes.append(
                f'{path_text(binding.at)}: slot "{binding.slot}" is left unbound, since nothing in '
                "the layout is as its binding describes; add [[bindings]] for it"
            )
            continue
        table = tomlkit.table()
        table["slot"] = binding.slot
        table[binding.type] = key
        made.append(table)
    if made:
        work.document["bindings"] = made


def _resource(layout: Layout, binding: Binding) -> str | None:
    clients = sorted(layout.clients, key=lambda client: not client.bootstrap)
    candidates: Mapping[str, Sequence[Client | Channel]] = {
        "client": clients,
        "certificate": [client for client in clients if client.certificate],
        "channel": layout.channels,
    }
    fitting = (part.key for part in candidates[binding.type] if _fits(binding, part))
    return next(fitting, None)


def _fits(binding: Binding, candidate: Client | Channel) -> bool:
    created = binding.name.endswith(f"_{candidate.name}") and isinstance(candidate, Channel)
    if binding.name and binding.name != candidate.name and not created:
        return False
    return binding.fits(candidate.metadata)


def _entries(document: TOMLDocument, table: str) -> list[Entry]:
    found = document.get(table)
    return list(found) if isinstance(found, AoT | list) else []


def _put_first(entry: Entry, values: Mapping[str, object]) -> None:
    missing = {key: value for key, value in values.items() if key not in entry}
    for key, value in values.items():
        if key in entry and entry[key] != value:
            entry[key] = value
    if not isinstance(entry, Table):
        for key, value in missing.items():
            entry[key] = value
        return
    indent = _indent(entry)
    subtables = [key for key, value in entry.items() if isinstance(value, Table)]
    moved = {key: entry.item(key) for key in subtables}
    for key in subtables:
        entry.remove(key)
    for key, value in missing.items():
        item = tomlkit.item(value)
        item.trivia.indent = indent
        entry.append(key, item)
    for key, subtable in moved.items():
        entry.append(key, subtable)


def _indent(entry: Table) -> str:
    for value in entry.values():
        if isinstance(value, Item) and not isinstance(value, Table | AoT):
            return value.trivia.indent
    return ""


def _escape(value: Any, *, spared: str = "") -> None:  # noqa: ANN401 - any TOML
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, item in list(pairs):
        if isinstance(item, str):
            if is_template(item) and key != spared:
                value[key] = literal(str(item))
        elif isinstance(item, Mapping | list):
            _escape(item)


def _with_header(work: _Work) -> str:
    text = tomlkit.dumps(work.document)
    head = re.match(r"(?:[ \t]*#[^\n]*\n|[ \t]*\n)*", text)
    comments = head.group().rstrip("\n") if head else ""
    body = text[len(head.group()) :] if head else text
    tidy = re.sub(r"\n{3,}", "\n\n", body).strip("\n")
    # After a header, what stands outside of any table would be part of the header's.
    table = "[layout]\n" if tidy.lstrip().startswith("[") else "layout."
    header = f'{table}name = "{work.layout.name}"'
    return "\n\n".join(part for part in (comments, header, tidy) if part) + "\n"
