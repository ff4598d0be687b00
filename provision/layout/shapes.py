"""Shapes: what may stand in a layout file, as data.

A dialect describes its file as one :class:`Table`; :mod:`provision.layout.checker` holds a file
against it, and a JSON Schema can be written from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from attrs import frozen


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
    """One of a few strings."""

    values: tuple[str, ...]


@frozen
class Lifetime:
    """A duration in Go's syntax of at least one second; becomes whole seconds."""


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
    """A key of a table."""

    shape: Shape
    description: str
    required: bool = False


@frozen
class Table:
    """A table with known keys.

    ``exactly_one`` names keys of which one and only one must be there, ``at_most_one`` keys that
    exclude each other. :mod:`provision.layout.checks` tells of both; a schema says them, too.
    """

    fields: Mapping[str, Field]
    exactly_one: tuple[str, ...] = ()
    at_most_one: tuple[str, ...] = ()


@frozen
class MapOf:
    """A table whose keys are names (letters, digits and underscores) of things of one shape."""

    item: Table


Shape: TypeAlias = (
    "Text | Flag | Choice | Lifetime | Pattern | Scalar | Json | Object | ListOf | Table | MapOf"
)
