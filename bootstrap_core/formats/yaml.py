"""Writing YAML so that readers of YAML 1.1 and of 1.2 read the same from it.

"yes", 12:30:45, 1e3 and 2020-01-01 are each different things to different readers. What devices
read must not depend on that, so a value is written as what Go's yaml.v3 takes it for.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TypeAlias

import yaml
from attrs import field, frozen

from bootstrap_core.formats.documents import MAX_DEPTH
from bootstrap_core.formats.toml import format_time
from bootstrap_core.gotemplate.numbers import MAX_INT, MAX_UINT, MIN_INT, parse_int

MAX_DIGITS: Final = 40
_MOST_DIGITS_OF_64_BITS: Final = 70
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LARGE: Final = re.compile(rf"[-+]?[1-9][0-9]{{0,{MAX_DIGITS - 1}}}")
_SIGN_INSIDE: Final = re.compile(r"0(?:b([-+][01]+)|o([-+][0-7]+))")
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:([Tt ])(\d\d?):(\d\d?):(\d\d?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?"
)
_WITH_ZONE: Final = re.compile(r"\d{4}-\d\d-\d\dT.*(?:Z|[+-]\d\d:\d\d)")

_NAMES: Final = {
    str: "str",
    bool: "bool",
    int: "int",
    float: "float",
    datetime: "timestamp",
    type(None): "null",
}
_OLD_TAG: Final = "tag:yaml.org,2002:"
# Readers of YAML 1.1 may know these, though PyYAML does not.
_OLD_BOOLEANS: Final = frozenset("yYnN")
_NEW_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_BASE_8_OR_10: Final = re.compile(r"[-+]?0[0-9]+")


def read_word(text: str) -> Any:  # noqa: ANN401 - any YAML value
    """Return what Go's yaml.v3 takes an unquoted word for.

    An integer in base 10 may have up to 40 digits, of which Go would keep only the first 16.
    """
    if text in _WORDS:
        return _WORDS[text]
    if not text[0].isascii() or text[0] not in "+-.0123456789":
        return text
    timestamp = _TIMESTAMP.fullmatch(text)
    if timestamp:
        return _timestamp(timestamp) or text
    number = _number(text if text[0] == "." else text.replace("_", ""))
    return text if number is None else number


def _number(text: str) -> int | float | None:
    """Return a number without its underscores, None if it is none or too large."""
    if len(text) <= _MOST_DIGITS_OF_64_BITS:
        number = parse_int(text)
        if number is not None and MIN_INT <= number <= (MAX_INT if text[0] == "+" else MAX_UINT):
            return number
        if _LARGE.fullmatch(text):
            return int(text)
        if signed := _SIGN_INSIDE.fullmatch(text):
            return int(signed[1], 2) if signed[1] else int(signed[2], 8)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else None
    return None


def _timestamp(found: re.Match[str]) -> datetime | None:
    """Return a date or time, None if there is none such. Without a zone it is in UTC."""
    year, month, day, mark, hour, minute, second, fraction, zone = found.groups()
    if (mark in {"T", "t"}) != (zone is not None):
        return None
    offset = timedelta()
    if zone not in {None, "Z"}:
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
        offset = -offset if zone[0] == "-" else offset
    micro = int((fraction or "0").ljust(6, "0")[:6])
    try:
        return datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            micro, timezone(offset) if offset else UTC,
        )  # fmt: skip
    except ValueError:
        return None


def read_alike(words: Iterable[str]) -> bool:
    """Say whether these unquoted words are the same to readers of YAML 1.1, of 1.2, and to Go."""
    return all(map(reads_alike, words))


def reads_alike(word: str) -> bool:
    """Say whether an unquoted word is the same to readers of YAML 1.1, of 1.2, and to Go."""
    name = _NAMES[type(read_word(word))]
    if name == "timestamp":
        return _WITH_ZONE.fullmatch(word) is not None
    return (
        _old_name(word) == name == _new_name(word)
        and _BASE_8_OR_10.fullmatch(word) is None
        and word not in _OLD_BOOLEANS
    )


def _old_name(word: str) -> str:
    """Return what a word is in YAML 1.1, which PyYAML reads."""
    for tag, pattern in yaml.SafeLoader.yaml_implicit_resolvers.get(word[:1], []):
        if pattern.match(word):
            return str(tag).removeprefix(_OLD_TAG)
    return "str"


def _new_name(word: str) -> str:
    """Return what a word is in the core schema of YAML 1.2."""
    if word in _WORDS:
        return _NAMES[type(_WORDS[word])]
    if _NEW_INTEGER.fullmatch(word):
        return "int"
    return "float" if _FLOAT.fullmatch(word) else "str"


MAX_NODES: Final = 50_000
TAG: Final = "tag:yaml.org,2002:"
_CHARACTERS: Final = 64
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))(?://|/\*).{0,40}", re.DOTALL)


class YAMLError(ValueError):
    """The text is not YAML, or not within the bounds. ``line`` counts from 1, 0 if unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        """Take what is wrong and where."""
        super().__init__(message)
        self.line = line


class ValueRefused(YAMLError):
    """The text is YAML, but what it says cannot be had."""


@frozen
class Scalar:
    """A text; ``is_word`` says that it is unquoted and has no tag, so that it may be a number."""

    text: str
    line: int
    tag: str = ""
    is_word: bool = False


@frozen
class Sequence:
    """A list of nodes."""

    line: int
    tag: str = ""
    items: list[Node] = field(factory=list)


@frozen
class Mapping:
    """Pairs of nodes."""

    line: int
    tag: str = ""
    items: list[tuple[Node, Node]] = field(factory=list)


Node: TypeAlias = Scalar | Sequence | Mapping


@frozen
class Nodes:
    """The first document of a text, None where there is none.

    ``sets_anchors_again`` says that an anchor has two meanings in it, which some readers refuse.
    """

    root: Node | None
    sets_anchors_again: bool


def read_nodes(text: str) -> Nodes:
    """Return the first document of ``text``.

    Raises:
        ValueRefused: an unquoted text between brackets holds ``//`` or ``/*``.
        YAMLError: it is not YAML, nested deeper than 100 levels, or more than 50,000 values with
            all aliases followed, where 64 characters count as one more.

    """
    try:
        return _first_document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YAMLError(error.problem or "not YAML", mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise YAMLError(str(getattr(error, "reason", "not YAML"))) from None


def _first_document(events: Iterable[yaml.Event]) -> Nodes:
    """Return the first document; the others are read to their end, since they must be YAML."""
    first: _Composer | None = None
    composer = _Composer()
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            composer = _Composer(composer.count)
            first = first or composer
        else:
            composer.take(event)
    first = first or composer
    return Nodes(first.root, first.sets_anchors_again)


class _Open:
    """A collection whose end has not come yet."""

    def __init__(
        self, node: Sequence | Mapping, event: yaml.CollectionStartEvent, size_before: int
    ) -> None:
        self.node = node
        self.anchor = event.anchor
        self.size_before = size_before
        self.is_flow = bool(event.flow_style)
        self.key: Node | None = None

    def add(self, node: Node) -> None:
        """Put the next node into the collection."""
        if isinstance(self.node, Sequence):
            self.node.items.append(node)
        elif self.key is None:
            self.key = node
        else:
            self.node.items.append((self.key, node))
            self.key = None


class _Composer:
    """Makes nodes of the events of one document, counting what aliases stand for."""

    def __init__(self, count: int = 0) -> None:
        """``count`` is what the documents before this one hold."""
        self.root: Node | None = None
        self.count = count
        self.sets_anchors_again = False
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open: list[_Open] = []

    def take(self, event: yaml.Event) -> None:
        """Take the next event. Raises ``YAMLError`` where a bound is passed."""
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            self._add(*self._anchored(event.anchor, line))
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        if self.count > MAX_NODES:
            raise YAMLError(f"more than {MAX_NODES} values, with aliases followed", line)

    def _anchored(self, anchor: str | None, line: int) -> tuple[Node, int]:
        if any(each.anchor == anchor for each in self._open):
            raise YAMLError(f"the alias *{anchor} stands inside of what it names", line)
        if anchor is None or anchor not in self._anchors:
            raise YAMLError(f"the alias *{anchor} has no anchor before it", line)
        return self._anchors[anchor]

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        is_plain = event.implicit[0] and event.tag in {None, "!"}
        flow = self._open[-1].is_flow if self._open else True
        if is_plain and flow and (comment := _COMMENT.search(event.value)):
            raise ValueRefused(
                f"{comment[0]!r} is no comment in JSON or YAML; remove it, or put the text in "
                "quotes if it belongs to it",
                line,
            )
        node = Scalar(event.value, line, _tag(event.tag), is_plain)
        size = 1 + len(event.value) // _CHARACTERS
        if event.anchor:
            self._unset(event.anchor)
            self._anchors[event.anchor] = (node, size)
        self._add(node, size)

    def _start(self, event: yaml.CollectionStartEvent, line: int) -> None:
        kind = Mapping if isinstance(event, yaml.MappingStartEvent) else Sequence
        node = kind(line, _tag(event.tag))
        if len(self._open) >= MAX_DEPTH:
            raise YAMLError(f"nested deeper than {MAX_DEPTH} levels", line)
        if event.anchor:
            self._unset(event.anchor)
        opened = _Open(node, event, self.count)
        self._add(node, 1)
        self._open.append(opened)

    def _unset(self, anchor: str) -> None:
        """Forget what an anchor meant, for it is set."""
        if self._anchors.pop(anchor, None) or any(each.anchor == anchor for each in self._open):
            self.sets_anchors_again = True

    def _end(self) -> None:
        ended = self._open.pop()
        if ended.anchor:
            self._anchors[ended.anchor] = (ended.node, self.count - ended.size_before)

    def _add(self, node: Node, size: int) -> None:
        self.count += size
        if self._open:
            self._open[-1].add(node)
        else:
            self.root = node


def _tag(written: str | None) -> str:
    """Return a tag, empty where none is written that says more than the value does."""
    return "" if written in {None, "!"} else str(written)


__all__ = ["Key", "Tagged", "ValueRefused", "YAMLDocument", "YAMLError", "read_yaml"]

_TYPES: Final = {
    "int": int,
    "float": float,
    "bool": bool,
    "null": type(None),
    "timestamp": datetime,
}
_KNOWN_OF_MAPPINGS: Final = frozenset({"map", "set"})
_KNOWN_OF_SEQUENCES: Final = frozenset({"seq", "omap", "pairs"})
_BLANKS_IN_BASE_64: Final = re.compile(r"[\r\n]")


class Key:
    """A key of a mapping that is no text: 1, 1.0 and true are three different keys."""

    def __init__(self, value: object) -> None:
        """Take what the key is."""
        self.value = value

    def __eq__(self, other: object) -> bool:
        """Compare kind and value."""
        return (
            isinstance(other, Key)
            and type(self.value) is type(other.value)
            and repr(self.value) == repr(other.value)
        )

    def __hash__(self) -> int:
        """Go by how the value is shown, so that what is no number is equal to itself."""
        return hash(repr(self.value))

    def __repr__(self) -> str:
        """Show the value as YAML has it."""
        if self.value is None or isinstance(self.value, bool):
            return json.dumps(self.value)
        if isinstance(self.value, datetime):
            return self.value.isoformat()
        return repr(self.value)


@frozen
class Tagged:
    """A value with the tag of an application; of a scalar it is the text, also of a number."""

    tag: str
    value: Any


@frozen
class YAMLDocument:
    """A document: dict, list, str, int, float, bool, datetime, bytes, Tagged or None.

    Keys are texts or ``Key``. ``words`` are the unquoted words in it. ``is_peculiar`` says that it
    has what not all readers of YAML take: a merge (``<<``), ``!!binary``, an anchor set again.
    """

    value: Any
    words: frozenset[str]
    is_peculiar: bool


def read_yaml(text: str, *, keep_tags: bool = False) -> YAMLDocument:
    """Return the first document of ``text``.

    ``keep_tags`` gives what has the tag of an application as ``Tagged``, and binary data that is no
    text as bytes; otherwise they are refused.

    Raises:
        ValueRefused: it is YAML, with a value that cannot be had.
        YAMLError: it is not YAML, nested deeper than 100 levels, or more than 50,000 values with
            all aliases followed, where 64 characters count as one more.

    """
    nodes = read_nodes(text)
    reading = _Reading(keep_tags=keep_tags)
    value = None if nodes.root is None else reading.value(nodes.root)
    is_peculiar = reading.is_peculiar or nodes.sets_anchors_again
    return YAMLDocument(value, frozenset(reading.words), is_peculiar)


class _Reading:
    """Makes values of nodes, noting the words among them."""

    def __init__(self, *, keep_tags: bool) -> None:
        """``keep_tags`` is as in ``read_yaml``."""
        self.words: set[str] = set()
        self.is_peculiar = False
        self._keep_tags = keep_tags

    def value(self, node: Node) -> Any:  # noqa: ANN401 - any YAML value
        """Return the value of a node."""
        if isinstance(node, Scalar):
            return self._scalar(node)
        if isinstance(node, Sequence):
            items: Any = [self.value(item) for item in node.items]
            return self._collection(node, items, "seq", _KNOWN_OF_SEQUENCES)
        return self._collection(node, self._mapping(node), "map", _KNOWN_OF_MAPPINGS)

    def _collection(
        self, node: Sequence | Mapping, value: object, usual: str, known: frozenset[str]
    ) -> object:
        """Return the items of a collection, with its tag where that is kept."""
        name = node.tag.removeprefix(TAG)
        if not node.tag or name == usual:
            return value
        if name in _TYPES or name in {"str", "binary", "map", "seq"}:
            raise ValueRefused(f"not a value for !!{name}", node.line)
        if name in known and not self._keep_tags:
            return value
        return self._tagged(node, value)

    def _mapping(self, node: Mapping) -> dict[Any, Any]:
        """Return a mapping, with what "<<" merges into it."""
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.items:
            if _is_merge(key_node):
                self.is_peculiar = True
                for source in self._sources(value_node, key_node.line):
                    merged = {**source, **merged}
                continue
            key = self.value(key_node)
            if isinstance(key, dict | list) or not isinstance(key_node, Scalar):
                raise ValueRefused(
                    "a key is a mapping or a sequence; keys must be text", key_node.line
                )
            key = key if isinstance(key, str | Tagged) else Key(key)
            if key in own:
                message = f"the key {key_node.text!r} stands twice in one mapping"
                raise ValueRefused(message, key_node.line)
            own[key] = self.value(value_node)
        return {**merged, **own}

    def _sources(self, node: Node, line: int) -> list[dict[Any, Any]]:
        """Return the mappings that a merge names."""
        value = self.value(node)
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise ValueRefused("<< needs a mapping, or a sequence of them", line)
        return sources

    def _scalar(self, node: Scalar) -> Any:  # noqa: ANN401 - any YAML value
        """Return a word, a text, or what a tag says."""
        if node.is_word:
            self.words.add(node.text)
            return read_word(node.text)
        name = node.tag.removeprefix(TAG)
        if not node.tag or name == "str":
            return node.text
        if name == "binary":
            return self._binary(node)
        if name in _TYPES:
            return self._forced(node, name)
        if name in {"map", "seq"}:
            raise ValueRefused(f"not a value for !!{name}", node.line)
        return self._tagged(node, node.text)

    def _forced(self, node: Scalar, name: str) -> object:
        """Return a word of the kind that its tag names."""
        self.words.add(node.text)
        value = read_word(node.text)
        if name == "float" and isinstance(value, int):
            value = float(value)
        if not isinstance(value, _TYPES[name]) or (name == "int" and isinstance(value, bool)):
            raise ValueRefused(f"not a value for !!{name}", node.line)
        return value

    def _binary(self, node: Scalar) -> str | bytes:
        """Return what is written in base 64: a text where it is one, as Go has it."""
        self.is_peculiar = True
        try:
            data = base64.b64decode(_BLANKS_IN_BASE_64.sub("", node.text), validate=True)
        except binascii.Error:
            raise ValueRefused("a value for !!binary is no base 64", node.line) from None
        try:
            return data.decode()
        except UnicodeDecodeError:
            if self._keep_tags:
                return data
            raise ValueRefused("the value for !!binary is no text in UTF-8", node.line) from None

    def _tagged(self, node: Node, value: object) -> Tagged:
        """Return a value with its tag, which only YAML can hold."""
        if not self._keep_tags:
            raise ValueRefused(
                f"the tag {_written(node.tag)} means something to YAML alone; remove it here",
                node.line,
            )
        return Tagged(node.tag, value)


def _is_merge(node: Node) -> bool:
    """Say whether a key is "<<" and not a text."""
    return (
        isinstance(node, Scalar)
        and node.text == "<<"
        and (node.is_word or node.tag == TAG + "merge")
    )


def _written(tag: str) -> str:
    """Return a tag as it is written in a document."""
    if tag.startswith(TAG):
        return "!!" + tag.removeprefix(TAG)
    return tag if tag.startswith("!") else f"!<{tag}>"


_DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_END: Final = "...\n"


class _Dumper(_DUMPER):  # type: ignore[misc]
    """A dumper that quotes every text that some reader would take for something else."""

    def ignore_aliases(self, data: object) -> bool:
        """Write every value out, however often it occurs."""
        return True


def _represent_text(dumper: Any, text: str) -> yaml.Node:  # noqa: ANN401 - either dumper
    """Write a text: quoted where it would be read as something else, in a block if it has lines."""
    style = None
    if "\n" in text:
        style = "|"
    elif not isinstance(read_word(text), str) or not reads_alike(text):
        style = '"'
    return dumper.represent_scalar(TAG + "str", text, style=style)  # type: ignore[no-any-return]


def _represent_time(dumper: Any, value: datetime) -> yaml.Node:  # noqa: ANN401 - either dumper
    """Write a time in RFC 3339."""
    return dumper.represent_scalar(TAG + "timestamp", format_time(value))  # type: ignore[no-any-return]


def _represent_key(dumper: Any, key: Key) -> yaml.Node:  # noqa: ANN401 - either dumper
    """Write a key that is no text."""
    return dumper.represent_data(key.value)  # type: ignore[no-any-return]


def _represent_tagged(dumper: Any, tagged: Tagged) -> yaml.Node:  # noqa: ANN401 - either dumper
    """Write a value with its tag."""
    if isinstance(tagged.value, str):
        return dumper.represent_scalar(tagged.tag, tagged.value)  # type: ignore[no-any-return]
    node = dumper.represent_data(tagged.value)
    node.tag = tagged.tag
    return node  # type: ignore[no-any-return]


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(datetime, _represent_time)
_Dumper.add_representer(Key, _represent_key)
_Dumper.add_representer(Tagged, _represent_tagged)


def write_yaml(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """Return a document as YAML, its keys in the order they have."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, indent=4, width=2**31 - 1
    )
    # A document's end is marked after a lone word; in a text such a line is indented.
    return text[: -len(_END)] if text.endswith("\n" + _END) else text
