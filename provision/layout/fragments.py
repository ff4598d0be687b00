"""Fragments: tables that several layouts share, in files that ``layout.include`` names.

What a fragment holds is added to the layout: clients, channels and the like after the layout's
own, tables key by key. Where both have a value, the layout's wins.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from provision.layout.errors import LayoutError, TemplateFileError
from provision.layout.model import JsonObject, JsonValue, KeyPath
from provision.layout.report import Report
from provision.layout.source import Part, Source, moved, parse_source
from provision.layout.templates import TemplateLoader

INCLUDE: Final[KeyPath] = ("layout", "include")

MOST_INCLUDED: Final = 100
"""Fragments of one layout."""


def with_fragments(report: Report, load: TemplateLoader) -> Report:
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
                place = Report(fragment)
                place.at_key(("layout",), "fragment-layout", message)
                report.take(place.problems)
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
            case list() as mine, list() if all(isinstance(each, dict) for each in (*mine, *value)):
                merged[key] = [*mine, *value]
                for index in range(len(value)):
                    moves[(*path, index)] = (*path, len(mine) + index)
            case _:
                moves[path] = None
    return merged
