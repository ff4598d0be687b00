"""YAML as Go's yaml.v3 reads it, bounded.

Unquoted words mean what they mean in YAML 1.2 (yes and on are text), with the two leftovers of 1.1
that yaml.v3 keeps: dates, and numbers such as 010 in base 8. Aliases cannot make a small text
large: what they stand for is counted each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar, Final

import yaml
from attrs import frozen

from bootstrap_core.gotemplate.number import parse_int
from bootstrap_core.nesting import MAX_DEPTH

MAX_NODES: Final = 50_000
_CHARACTERS: Final = 64
MAX_DIGITS: Final = 40

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:([Tt ])(\d\d?):(\d\d?):(\d\d?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?"
)
_WORD: Final = "!word"


class YAMLError(ValueError):
    """The text is not YAML, or not within the bounds. ``line`` counts from 1, 0 if unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        """Take what is wrong and where."""
        super().__init__(message)
        self.line = line


class _Loader(_LOADER):  # type: ignore[misc]
    """A loader that only marks unquoted words, so that ``read_word`` can read them."""

    yaml_implicit_resolvers: ClassVar[dict[str | None, Any]] = {None: [(_WORD, re.compile(""))]}


@frozen
class YAMLDocument:
    """A document: dict, list, str, int, float, bool, datetime or None, and the words in it.

    Keys are what they are written as, text or not; ``words`` are the unquoted ones.
    """

    value: Any
    words: Set[str]


def read_yaml(text: str) -> YAMLDocument:
    """Return the first document of ``text``.

    Raises:
        YAMLError: it is not YAML, nested deeper than 100 levels, or more than 50,000 values with
            all aliases followed, where 64 characters count as one more.

    """
    try:
        _check_bounds(yaml.parse(text, Loader=_Loader))
        node = next(iter(yaml.compose_all(text, Loader=_Loader)), None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YAMLError(error.problem or "not YAML", mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise YAMLError(str(getattr(error, "reason", "not YAML"))) from None
    words: set[str] = set()
    return YAMLDocument(None if node is None else _construct(node, words), words)


def _check_bounds(events: Iterable[yaml.Event]) -> None:
    """Go through the events of a text, counting what aliases stand for."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    count = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise YAMLError(f"the alias *{event.anchor} has no anchor before it", line)
            count += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = opened.pop()
            if anchor:
                sizes[anchor] = count - start
        elif isinstance(event, yaml.ScalarEvent):
            size = 1 + len(event.value) // _CHARACTERS
            count += size
            if event.anchor:
                sizes[event.anchor] = size
        if len(opened) > MAX_DEPTH:
            raise YAMLError(f"nested deeper than {MAX_DEPTH} levels", line)
        if count > MAX_NODES:
            raise YAMLError(f"more than {MAX_NODES} values, with aliases followed", line)


def _construct(node: Any, words: set[str]) -> Any:  # noqa: ANN401 - any YAML value
    """Return the value of a node, and add the words in it to ``words``."""
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, words) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, words)
    if node.tag == _WORD:
        words.add(node.value)
        return read_word(node.value)
    return _tagged(node)


def _mapping(node: yaml.MappingNode, words: set[str]) -> dict[Any, Any]:
    """Return a mapping, with what "<<" merges into it."""
    own: dict[Any, Any] = {}
    merged: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if key_node.tag == _WORD and key_node.value == "<<":
            for source in _sources(value_node, line, words):
                merged = {**source, **merged}
            continue
        key = _construct(key_node, words)
        if isinstance(key, dict | list):
            raise YAMLError("a key is a mapping or a sequence; keys must be text", line)
        if key in own:
            raise YAMLError(f"the key {key_node.value!r} stands twice in one mapping", line)
        own[key] = _construct(value_node, words)
    return {**merged, **own}


def _sources(node: yaml.Node, line: int, words: set[str]) -> list[dict[Any, Any]]:
    """Return the mappings that a merge names."""
    value = _construct(node, words)
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        raise YAMLError("<< needs a mapping, or a sequence of them", line)
    return sources


def _tagged(node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - any YAML value
    """Return a scalar in quotes or with a tag; of an unknown tag only the text counts."""
    name = node.tag.rpartition(":")[2]
    text: str = node.value
    if name in {"int", "float", "bool", "null", "timestamp"}:
        value = read_word(text)
        if name == "float" and isinstance(value, int):
            value = float(value)
        wanted = {"int": int, "float": float, "bool": bool, "null": type(None)}
        if not isinstance(value, wanted.get(name, datetime)):
            raise YAMLError(f"not a value for !!{name}", node.start_mark.line + 1)
        return value
    return text


def read_word(text: str) -> Any:  # noqa: ANN401 - any YAML value
    """Return what an unquoted word means. An integer may have any size."""
    if text in _WORDS:
        return _WORDS[text]
    if not text[0].isascii() or text[0] not in "+-.0123456789":
        return text
    timestamp = _TIMESTAMP.fullmatch(text)
    if timestamp:
        return _timestamp(timestamp) or text
    plain = text.replace("_", "")
    if len(plain) <= MAX_DIGITS and (number := parse_int(plain)) is not None:
        return number
    return float(plain) if _FLOAT.fullmatch(plain) else text


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
