"""The strict reader: a layout file of any dialect becomes the model, or all its problems.

The dialect is told by the content: ``[[things]]`` is Mainflux's; else whatever has more of the
keys that only one dialect knows; without any of either it is Magistrala's.

A file may include fragments: tables that several layouts share, in files that ``layout.include``
names. What a fragment holds is added to the layout: clients, channels and the like after the
layout's own, tables key by key. Where both have a value, the layout's wins.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from attrs import frozen

from provision.layout.checks import check, check_layout
from provision.layout.dialects import BOOTSTRAP_KEYS, SHAPES, build
from provision.layout.errors import LayoutError, Problem, TemplateFileError
from provision.layout.lint import lint
from provision.layout.model import (
    Bootstrap,
    Client,
    Dialect,
    JsonObject,
    JsonValue,
    KeyPath,
    Layout,
    ProfileReference,
)
from provision.layout.report import Report
from provision.layout.schema import table_of
from provision.layout.source import Part, Source, moved, parse_source
from provision.layout.templates import TemplateLoader, no_template_files

INCLUDE: Final[KeyPath] = ("layout", "include")

MOST_INCLUDED: Final = 100
"""Fragments of one layout."""

_SHARED_CLIENT_KEYS: Final = frozenset({"name", "metadata"})
_OWN_TABLES: Final = SHAPES[Dialect.PROVISION].fields.keys() - SHAPES[Dialect.MAGISTRALA].fields
_OWN_CLIENT_KEYS: Final = table_of(Client).keys() - _SHARED_CLIENT_KEYS
_BOOTSTRAP_KEYS: Final = table_of(Bootstrap).keys() | table_of(ProfileReference).keys()
_OWN_BOOTSTRAP_KEYS: Final = _BOOTSTRAP_KEYS - BOOTSTRAP_KEYS.keys()
_GO_TABLES: Final = frozenset({"server", "cert", "certs", "file"})
_GO_BOOTSTRAP_KEYS: Final = BOOTSTRAP_KEYS.keys() - _BOOTSTRAP_KEYS


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
    report = _with_fragments(Report(parse_source(text, file)), load_template)
    source = report.source
    dialect = dialect_of(source.data)
    shape = SHAPES[dialect]
    data = check(report, source.data, shape, ())
    layout = build(dialect, report, data, name or PurePosixPath(file).stem, load_template)
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


def _with_fragments(report: Report, load: TemplateLoader) -> Report:
    """Return ``report`` about its source and the fragments that this includes.

    A fragment that cannot be read is noted as a problem.
    """
    merged = report.source
    incomplete = False
    for count, (path, name) in enumerate(report.source.strings(INCLUDE)):
        if count == MOST_INCLUDED:
            report.at_value(path, "include", f"at most {MOST_INCLUDED} files are included")
            break
        file = str(PurePosixPath(report.source.file).parent / name)
        if any(part.source.file == file for part in merged.parts):
            report.at_value(path, "include", f'"{name}" is included twice')
            continue
        try:
            fragment = parse_source(load(name), file)
        except TemplateFileError as error:
            incomplete = True
            report.at_value(path, "include", f"include: {error}")
        except LayoutError as error:
            incomplete = True
            report.take(error.problems)
        else:
            merged = _merged(merged, fragment)
            if "layout" in fragment.data:
                message = "a fragment has no [layout] of its own; put it into the layout's file"
                own = Report(fragment)
                own.at_key(("layout",), "fragment-layout", message)
                report.take(own.problems)
    return Report(merged, problems=report.problems, is_incomplete=incomplete)


def _merged(source: Source, fragment: Source) -> Source:
    moves: dict[KeyPath, KeyPath | None] = {(): ()}
    data = _merge(source.data, fragment.data, (), moves)
    return Source(
        file=source.file,
        text=f"{source.text}\n{fragment.text}",
        data=data,
        unfit={**moved(fragment.unfit, moves), **source.unfit},
        parts=(*source.parts, Part(fragment, len(source.lines), len(source.text) + 1, moves)),
    )


def _merge(
    own: JsonObject, added: JsonObject, at: KeyPath, moves: dict[KeyPath, KeyPath | None]
) -> dict[str, JsonValue]:
    """Return both tables, which stand ``at`` a path, as one.

    ``moves`` notes where else a part of what was added stands now: None for one that gave way.
    """
    merged = dict(own)
    for key, value in added.items():
        path = (*at, key)
        match own.get(key), value:
            case None, _:
                merged[key] = value
            case dict() as mine, dict():
                merged[key] = _merge(mine, value, path, moves)
            case list() as mine, list() if all(isinstance(item, dict) for item in (*mine, *value)):
                merged[key] = [*mine, *value]
                for index in range(len(value)):
                    moves[(*path, index)] = (*path, len(mine) + index)
            case _:
                moves[path] = None
    return merged
