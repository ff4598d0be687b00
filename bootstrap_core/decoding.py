"""Decoding of bodies (``bootstrap_core.bodies``): all problems at once, with their paths."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from enum import StrEnum
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar, get_args, get_origin

import attrs
from attrs import Attribute
from cattrs import Converter
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, override

from bootstrap_core.bodies import (
    MAX_TOLD,
    MISSING,
    NO_TEXT,
    NOT_NULL,
    AlsoCalled,
    Body,
    Check,
    NotStorable,
    Problem,
    Read,
    Wrong,
    bare_type,
    fields_of,
    is_annotated,
    is_marked,
    is_optional,
    marks_of,
    refused,
    rules_of,
    without_none,
)
from bootstrap_core.secrets import Secret

T = TypeVar("T")

Hook: TypeAlias = Callable[[Any, Any], Any]

MAX_FOUND: Final = MAX_TOLD + 1
"""Faulty entries of one list or object after which no others are read: finding them takes time."""
MAX_COMPARED: Final = 50
"""Unknown names of one object that are compared: comparing takes time."""
LONGEST_COMPARED: Final = 64
"""Characters in names that are compared, and of those that are told."""


def decode(
    kind: type[T],
    document: object,
    refuse: Callable[[Sequence[Problem]], Exception] = refused,
    place: str = "",
) -> T:
    """Return a body of a kind. Raises what ``refuse`` makes of the problems.

    ``place`` is where the document stands, for the problems' paths.
    """
    made: T = read(kind, document, place, refuse)
    return made


def read(
    kind: Any,  # noqa: ANN401 - any type that a body's field may have
    value: object,
    place: str,
    refuse: Callable[[Sequence[Problem]], Exception] = refused,
) -> Any:  # noqa: ANN401 - of that kind
    """Return one value of a kind. Raises what ``refuse`` makes of the problems."""
    try:
        return structured(kind, value)
    except (Wrong, RecursionError, BaseExceptionGroup) as error:
        raise refuse(list(_problems(error, place))) from error


def structured(kind: Any, value: object) -> Any:  # noqa: ANN401 - as above
    """Return one value of a kind, within a ``Read``. Raises ``Wrong`` or a group of them."""
    return CONVERTER.structure(value, kind)


def kind_of(value: object) -> str:
    """Return what a JSON value is, for messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case Mapping():
            return "an object"
    return f"a {type(value).__name__}"


def plain_json(value: Any, at: str = "", *, finite: bool = True) -> Any:  # noqa: ANN401 - JSON
    """Return a copy in which times are RFC 3339 text, as JSON writes them.

    Raises ``Wrong``: a key is not a string, a value is of no JSON kind, a text can't be stored, or
    a number is not ``finite``.
    """
    match value:
        case Mapping():
            # A loop takes half of the stack that a comprehension takes.
            made = {}
            for key, item in value.items():
                made[_key(key, at)] = plain_json(item, _join(at, key), finite=finite)
            return made
        case list():
            items = []
            for index, item in enumerate(value):
                items.append(plain_json(item, f"{at}[{index}]", finite=finite))
            return items
        case str():
            return _storable(value, at)
        case float() if finite and not math.isfinite(value):
            raise Wrong(f"{value} cannot be written as JSON", at=at)
        case float():
            # The Go service's store knows no negative zero.
            return value or 0.0
        case None | bool() | int():
            return value
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
    raise Wrong(f"{kind_of(value)} cannot be written as JSON", at=at)


def _key(key: object, at: str) -> str:
    if not isinstance(key, str):
        raise Wrong(f"the key {key!r} is not a text; put it in quotes", at=at)
    return _storable(key, at)


def _storable(text: str, at: str = "") -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Wrong(NO_TEXT, at=at, cause=NotStorable) from None
    if "\0" in text:
        raise Wrong(NO_TEXT, at=at, cause=NotStorable)
    return text


def _problems(error: BaseException, place: str) -> Iterator[Problem]:
    match error:
        case Wrong():
            where = _join(place, error.at)
            yield Problem(where, str(error), error.details, error.cause)
        case KeyError():
            yield Problem(place, MISSING)
        case RecursionError():
            yield Problem(place, "is nested too deeply")
        case BaseExceptionGroup():
            for inner in error.exceptions:
                yield from _problems(inner, _join(place, _step(inner)))
        case _:
            raise error


def _step(error: BaseException) -> str:
    """Return the step that cattrs noted an error at: a field, a key or an index."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return note.name
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]" if isinstance(note.index, int) else str(note.index)
    return ""


def _join(place: str, step: str) -> str:
    return f"{place}.{step}" if place and step and step[0] != "[" else f"{place}{step}"


def misspelt(names: Collection[Any], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the names that are misspelt, each with the known name that is nearest to it."""
    unknown = (
        name
        for name in names
        if name not in known and isinstance(name, str) and len(name) <= LONGEST_COMPARED
    )
    for name in islice(unknown, MAX_COMPARED):
        if near := difflib.get_close_matches(name.casefold(), known, n=1):
            yield name, near[0]


def _unknown(names: Collection[Any], own: Collection[str], rules: Body) -> Iterator[Wrong]:
    near = dict(misspelt(names, {*own, *(rules.known or ())}))
    if rules.known is not None:
        for name, nearest in near.items():
            told = f"no such field is known; did you mean {nearest!r}?"
            yield Wrong(told, at=name, suggestion=nearest)
        return
    unknown = (name for name in names if name not in own)
    for name in islice(unknown, MAX_FOUND):
        hint = f", did you mean {near[name]!r}?" if name in near else ""
        told = f"unknown field{hint}; known are {', '.join(sorted(own))}"
        yield Wrong(told, at=str(name)[:LONGEST_COMPARED])


def _text(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise Wrong(f"must be a text, not {kind_of(value)}")
    return _storable(value)


def _secret(value: object, kind: object) -> Secret:
    return Secret(_text(value, kind))


def _boolean(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong(f"must be true or false, not {kind_of(value)}")
    return value


def _whole_number(value: object, _: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong("must be a whole number")
    return value


def _member(value: object, kind: type[StrEnum]) -> StrEnum:
    allowed = [member.value for member in kind]
    if isinstance(value, str):
        _storable(value)
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(allowed)
        raise Wrong(f"must be one of {listed}, not {value!r:.40}", allowed=allowed)
    return kind(value)


def _objects(value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise Wrong(f"must be an object, not {kind_of(value)}")
    return value


def _mapping(kind: Any) -> Hook:  # noqa: ANN401 - a type
    arguments = get_args(kind)
    if arguments[1] is Any:
        return lambda value, _: plain_json(_objects(value))
    inner = arguments[1]
    hook = CONVERTER.get_structure_hook(inner)

    def read(value: object, _: object) -> Mapping[str, Any]:
        entries = _objects(value).items()
        return dict(_entries(kind, ((key, (key, item)) for key, item in entries), entry))

    def entry(pair: tuple[object, object]) -> tuple[str, Any]:
        key, item = pair
        return _text(key, str), hook(item, inner)

    return read


def _sequence(kind: Any) -> Hook:  # noqa: ANN401 - a type
    inner = get_args(kind)[0]
    hook = CONVERTER.get_structure_hook(inner)

    def read(value: object, _: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Wrong(f"must be a list, not {kind_of(value)}")
        return tuple(_entries(kind, enumerate(value), lambda item: hook(item, inner)))

    return read


def _entries(
    kind: Any,  # noqa: ANN401 - a type
    sent: Iterable[tuple[Any, Any]],
    entry: Callable[[Any], T],
) -> Sequence[T]:
    """Read each entry at its place; stop where more are faulty than are told."""
    made: list[T] = []
    found: list[Exception] = []
    for at, item in sent:
        try:
            made.append(entry(item))
        except (Wrong, RecursionError, ExceptionGroup) as error:
            error.add_note(IterableValidationNote("", at, kind))
            found.append(error)
            if len(found) == MAX_FOUND:
                break
    if found:
        raise IterableValidationError("the entries", found, kind)
    return made


def _annotated(kind: Any) -> Hook:  # noqa: ANN401 - a type
    inner, marks = get_args(kind)[0], get_args(kind)[1:]
    for mark in marks:
        if isinstance(mark, Read):
            return lambda value, _: mark.read(value)
    hook = CONVERTER.get_structure_hook(inner)
    checks = [mark for mark in marks if isinstance(mark, Check)]

    def read(value: Any, _: object) -> Any:  # noqa: ANN401 - any JSON value
        made = hook(value, inner)
        checked = made.reveal() if isinstance(made, Secret) else made
        for check in checks:
            if fault := check.fault_of(checked):
                raise Wrong(fault, cause=check.cause)
        return made

    return read


def _optional(kind: Any) -> Hook:  # noqa: ANN401 - a type
    inner = without_none(kind)
    hook = CONVERTER.get_structure_hook(inner)
    return lambda value, _: None if value is None else hook(value, inner)


def _object(kind: type[Any]) -> Hook:
    rules, fields = rules_of(kind), fields_of(kind)
    own = {name for attribute in fields for name in _names(attribute)}
    names = {attribute.name for attribute in fields}
    omitted: dict[str, Any] = {
        attribute.name: override(omit=True)
        for attribute in attrs.fields(kind)
        if attribute.name not in names
    }
    faults: Callable[[Any], Iterable[Wrong]] = getattr(kind, "faults", lambda _: ())
    structure = make_dict_structure_fn(kind, CONVERTER, **omitted)

    def read(value: object, _: object) -> Any:  # noqa: ANN401 - of the kind
        sent = _objects(value)
        found: list[Exception] = list(_unknown(sent, own, rules))
        given, called = _given(sent, fields, rules, found)
        try:
            made = structure(given, kind)
        except ClassValidationError as error:
            for inner in error.exceptions:
                for note in getattr(inner, "__notes__", ()):
                    if isinstance(note, AttributeValidationNote):
                        note.name = called.get(note.name, note.name)
            found += error.exceptions
        else:
            found += faults(made)
        if found:
            raise ClassValidationError("the body", found, kind)
        return made

    return read


def _names(attribute: Attribute[Any]) -> Sequence[str]:
    return [attribute.name, *(other.name for other in marks_of(attribute, AlsoCalled))]


def _given(
    sent: Mapping[Any, Any], fields: Sequence[Attribute[Any]], rules: Body, found: list[Exception]
) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """Return the values that are given, by their fields, and what other names fields had."""
    given: dict[str, Any] = {}
    called: dict[str, str] = {}
    for attribute in fields:
        value = sent.get(attribute.name)
        for other in marks_of(attribute, AlsoCalled):
            value, second = _unless_empty(value), _unless_empty(sent.get(other.name))
            if None not in (value, second) and value != second:
                told = f"is another name of {attribute.name}, and the two differ; give one"
                found.append(Wrong(told, at=other.name))
            elif value is None and second is not None:
                value, called[attribute.name] = second, other.name
        if value is None and rules.null_clears and attribute.name in sent:
            value = {} if _is(bare_type(attribute.type), Mapping) else ""
        if value is not None or (attribute.name in sent and is_marked(attribute, NOT_NULL)):
            given[attribute.name] = value
    return given, called


def _unless_empty(value: object) -> object:
    return None if value == "" else value


def _is(kind: Any, origin: object) -> bool:  # noqa: ANN401 - a type
    return bool(get_origin(kind) == origin)


CONVERTER: Final = Converter(detailed_validation=True)
CONVERTER.register_structure_hook(str, _text)
CONVERTER.register_structure_hook(Secret, _secret)
CONVERTER.register_structure_hook(bool, _boolean)
CONVERTER.register_structure_hook(int, _whole_number)
CONVERTER.register_structure_hook(StrEnum, _member)
CONVERTER.register_structure_hook_factory(attrs.has, _object)
CONVERTER.register_structure_hook_factory(lambda kind: _is(kind, Mapping), _mapping)
CONVERTER.register_structure_hook_factory(lambda kind: _is(kind, Sequence), _sequence)
CONVERTER.register_structure_hook_factory(is_optional, _optional)
CONVERTER.register_structure_hook_factory(is_annotated, _annotated)
