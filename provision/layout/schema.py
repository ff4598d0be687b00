"""Shapes: what may stand in a layout file, as data, and the keys that set a class's attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias, TypeVar

from attrs import NOTHING, AttrsInstance, field, fields, frozen

_Made = TypeVar("_Made", bound=AttrsInstance)


@frozen
class Text:
    """A string. ``template``: a Go template; ``blank``: may be empty or blank."""

    template: bool = False
    blank: bool = True
    pattern: str = ""
    pattern_meaning: str = ""


@frozen
class Flag:
    """``true`` or ``false``."""


@frozen
class Choice:
    """One of a few strings, which becomes the one of ``values``: a member of an enumeration."""

    values: tuple[str, ...]


@frozen
class Lifetime:
    """A duration in Go's syntax of at least one second; becomes whole seconds.

    ``blank``: an empty one counts as not given.
    """

    blank: bool = False


@frozen
class Pattern:
    """A regular expression."""


@frozen
class Scalar:
    """A string, an integer, a number or a boolean."""


@frozen
class Json:
    """Anything that JSON has. ``template``: its strings are Go templates."""

    template: bool = False


@frozen
class Object:
    """A table with any keys. ``template``: strings in it, at any depth, are Go templates."""

    template: bool = False


@frozen
class ListOf:
    """A list; ``least`` is how many elements it has at least."""

    item: Shape
    least: int = 0


@frozen
class Field:
    """A key of a table. ``unused`` says why it has no effect, where it has none."""

    shape: Shape
    description: str
    required: bool = False
    unused: str = ""


@frozen
class Table:
    """A table with known keys.

    ``exactly_one`` names keys of which one and only one must be there, ``at_most_one`` keys that
    exclude each other. :mod:`provision.layout.checks` tells of both; a schema says them, too.
    ``lenient``: further keys are warned of and not refused.
    """

    fields: Mapping[str, Field]
    exactly_one: tuple[str, ...] = ()
    at_most_one: tuple[str, ...] = ()
    lenient: bool = False


@frozen
class MapOf:
    """A table whose keys are names (letters, digits and underscores) of things of one shape."""

    item: Table


Shape: TypeAlias = (
    "Text | Flag | Choice | Lifetime | Pattern | Scalar | Json | Object | ListOf | Table | MapOf"
)


def setting(
    shape: Shape,
    description: str,
    *,
    default: Any = NOTHING,  # noqa: ANN401 - any attribute's
    required: bool = False,
    key: str = "",
    kw_only: bool = False,
) -> Any:  # noqa: ANN401 - any attribute's
    """Return an attribute that layout files set: by ``key``, or by its own name.

    A list becomes a tuple.
    """
    return field(
        default=default,
        kw_only=kw_only,
        converter=tuple if isinstance(shape, ListOf) else None,
        metadata={"setting": Field(shape, description, required), "key": key},
    )


@cache
def settings_of(kind: type[AttrsInstance]) -> Sequence[tuple[str, str, Field]]:
    """Return the attributes of a class that files set: the attribute's name, the key, the field."""
    return tuple(
        (attribute.name, attribute.metadata["key"] or attribute.name, attribute.metadata["setting"])
        for attribute in fields(kind)
        if "setting" in attribute.metadata
    )


def templates_of(part: AttrsInstance) -> Iterator[tuple[str, str, Any]]:
    """Yield the attributes of a part whose strings are templates: the name, the key, the value."""
    for name, key, known in settings_of(type(part)):
        if _has_templates(known.shape):
            yield name, key, getattr(part, name)


def table_of(kind: type[AttrsInstance]) -> dict[str, Field]:
    """Return the keys that a table of a class has."""
    return {key: known for _, key, known in settings_of(kind)}


def from_table(kind: type[_Made], table: Mapping[str, Any], **given: Any) -> _Made:  # noqa: ANN401
    """Return what a checked table describes; ``given`` are attributes beside those that it sets.

    A required key that is missing, which was reported already, is empty.
    """
    values: dict[str, Any] = {}
    for name, key, known in settings_of(kind):
        if key in table:
            values[name] = table[key]
        elif known.required:
            values[name] = _nothing(known.shape)
    return kind(**{**values, **given})


def _has_templates(shape: Shape) -> bool:
    match shape:
        case Text() | Json() | Object():
            return shape.template
        case ListOf():
            return _has_templates(shape.item)
    return False


def _nothing(shape: Shape) -> str | tuple[()]:
    match shape:
        case Choice():
            return shape.values[0]
        case ListOf():
            return ()
    return ""
