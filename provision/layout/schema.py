"""Shapes: what may stand in a layout file, as data, and that of this project's own dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias, get_args

from attrs import frozen

from provision.layout.model import (
    CONNECTION_TYPES,
    ContentFormat,
    KeyType,
    ParameterType,
    Renewal,
    SlotType,
)


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


_KEY: Final = Text(
    pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}",
    pattern_meaning="letters, digits, underscores, dots and dashes, at most 128",
)
_REFERENCES: Final = ListOf(Text(blank=False), least=1)
_TAGS: Final = ListOf(Text(template=True, blank=False))
TARGETS: Final[tuple[SlotType, ...]] = ("client", "channel", "certificate")
"""What a binding can name, as key and as type of a slot."""

_PARAMETER: Final = Table(
    {
        "type": Field(Choice(get_args(ParameterType)), 'its type; default "string"'),
        "required": Field(Flag(), "whether a request must give it; default false"),
        "default": Field(Scalar(), "its value when a request does not give it"),
        "enum": Field(ListOf(Scalar(), least=1), "the only values allowed"),
        "pattern": Field(Pattern(), "what a string must match somewhere; anchor with ^ and $"),
        "description": Field(Text(), "what it is for, for people"),
        "secret": Field(Flag(), "whether its value is sealed and shown as a mask; default false"),
    }
)
_CLIENT: Final = Table(
    {
        "key": Field(_KEY, "how this file refers to it; default: derived from name"),
        "name": Field(Text(template=True, blank=False), "its name on the platform", required=True),
        "identity": Field(Text(template=True), "the identity of its credentials"),
        "bootstrap": Field(Flag(), "whether it is the gateway, which gets the bootstrap config"),
        "certificate": Field(Flag(), "whether it gets an X.509 certificate"),
        "tags": Field(_TAGS, "its tags on the platform"),
        "metadata": Field(Object(template=True), "its metadata on the platform"),
    }
)
_CHANNEL: Final = Table(
    {
        "key": Field(_KEY, "how this file refers to it; default: derived from name"),
        "name": Field(Text(template=True, blank=False), "its name on the platform", required=True),
        "route": Field(Text(template=True), "its route on the platform"),
        "tags": Field(_TAGS, "its tags on the platform"),
        "metadata": Field(Object(template=True), "its metadata; type (control, data) is its role"),
    }
)
_CONNECTION: Final = Table(
    {
        "clients": Field(_REFERENCES, "keys of clients", required=True),
        "channels": Field(_REFERENCES, "keys of channels", required=True),
        "types": Field(ListOf(Choice(CONNECTION_TYPES), least=1), "default: both"),
    }
)
_BINDING_SLOT: Final = Table(
    {
        "name": Field(Text(blank=False), "its name: .Bindings.<name>", required=True),
        "type": Field(Choice(TARGETS), "what fills it", required=True),
        "required": Field(Flag(), "whether rendering needs it; default false"),
        "fields": Field(ListOf(Text(blank=False)), "what its snapshot keeps; default: all"),
    }
)
_PROFILE: Final = Table(
    {
        "name": Field(Text(blank=False), "its name in the domain", required=True),
        "description": Field(Text(), "what it is for, for people"),
        "content_format": Field(Choice(get_args(ContentFormat)), 'default "go-template"'),
        "content_template": Field(Text(), "the template itself, or else content_template_file"),
        "content_template_file": Field(Text(blank=False), "a file beside this one"),
        "defaults": Field(Object(), "variables; the render context wins over them"),
        "binding_slots": Field(ListOf(_BINDING_SLOT), "places for resources"),
    },
    exactly_one=("content_template", "content_template_file"),
)
SHAPE: Final = Table(
    {
        "layout": Field(
            Table(
                {
                    "name": Field(Text(blank=False), "the file's name without .toml"),
                    "description": Field(Text(), "what it is for, for people"),
                    "include": Field(
                        ListOf(Text(blank=False)), "files of tables that this layout shares"
                    ),
                }
            ),
            "what this layout is",
        ),
        "parameters": Field(MapOf(_PARAMETER), "values that requests give"),
        "clients": Field(ListOf(_CLIENT, least=1), "clients to create", required=True),
        "channels": Field(ListOf(_CHANNEL), "channels to create"),
        "connections": Field(
            ListOf(_CONNECTION), "what is connected; default: every client with every channel"
        ),
        "certificates": Field(
            Table(
                {
                    "ttl": Field(Lifetime(), 'how long they are valid; default "2400h"'),
                    "key_type": Field(Choice(get_args(KeyType)), 'default "ec-p256"'),
                    "renew": Field(Choice(get_args(Renewal)), 'default "manual"'),
                }
            ),
            "what the certificates are like",
        ),
        "bootstrap": Field(
            Table(
                {
                    "status": Field(Choice(("enabled", "disabled")), 'default "enabled"'),
                    "render_context": Field(Object(template=True), "variables of the profile"),
                    "content": Field(Json(), "what a gateway without a profile is given"),
                    "profile_id": Field(Text(blank=False), "an existing profile, by its ID"),
                    "profile": Field(Text(blank=False), "an existing profile, by its name"),
                },
                at_most_one=("profile_id", "profile"),
            ),
            "the bootstrap config",
        ),
        "profile": Field(_PROFILE, "a profile that comes with this layout"),
        "bindings": Field(
            ListOf(
                Table(
                    {
                        "slot": Field(Text(blank=False), "a slot of the profile", required=True),
                        "client": Field(Text(blank=False), "key of a client"),
                        "channel": Field(Text(blank=False), "key of a channel"),
                        "certificate": Field(Text(blank=False), "key of a client with one"),
                    },
                    exactly_one=TARGETS,
                )
            ),
            "what fills the slots",
        ),
    }
)
