"""Bodies of requests: each is declared once, and its decoder and its JSON Schema come from that.

A body is an attrs class. Its fields' types say what is taken: ``str``, ``Secret``, ``bool``,
``int``, an enumeration, ``Mapping[str, Any]`` for any JSON object, ``Mapping[str, str]``, and
sequences of these or of further bodies. A field without a default is required. ``Annotated`` adds
what the type cannot say::

    @frozen
    class NewConfig:
        body: ClassVar = Body("NewConfig", known=CONFIG)

        external_id: Annotated[str, Check(new_external_id_fault)]
        name: Annotated[str, described(description="For people")] = ""
        bound: Annotated[Mapping[str, Resource], NOT_SENT] = field(factory=dict)

A method ``faults`` yields what is wrong with fields that do not go together, as ``Wrong``.
``bootstrap_core.decoding`` tells all problems at once, each with its path in the body. null stands
for a field that is not given, as in the Go services.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin

import attrs
from attrs import Attribute, field, frozen

from bootstrap_core.errors import BootstrapError, Malformed, Unprocessable

T = TypeVar("T")

Schema: TypeAlias = Mapping[str, Any]

MAX_TOLD: Final = 20
"""Problems that one answer tells."""
NO_TEXT: Final = "has characters that are not text (NUL, or half a character); leave them out"
MISSING: Final = "is missing"


@frozen
class Body:
    """How the class that has it as ``body`` is read and described.

    ``name`` is its JSON Schema's; one without is described where it is used. Without ``known``
    every field that the class does not have is refused. With ``known``, what other releases send or
    answer, only misspelt ones are. ``null_clears``: null stands for an empty value.
    """

    name: str = ""
    known: Collection[str] | None = None
    null_clears: bool = False


@frozen
class Check:
    """Says what is wrong with a value of the right kind; an empty text if nothing is.

    ``cause`` is that of the ``Wrong`` which is raised. It may raise one itself, with its place.
    """

    fault_of: Callable[[Any], str]
    cause: object = None


@frozen
class Read:
    """Reads a value in the place of its type. Raises ``Wrong``."""

    read: Callable[[Any], Any]


@frozen(eq=False)
class Described:
    """What the JSON Schema says besides the type."""

    schema: Schema


def described(**schema: object) -> Described:
    """Return what the JSON Schema says besides the type."""
    return Described(schema)


@frozen
class AlsoCalled:
    """Another name of a field; an empty text under either is not given."""

    name: str


NOT_SENT: Final = object()
"""Marks a field that no body has."""
NOT_NULL: Final = object()
"""Marks a field of which null is a value of the wrong kind."""
SAID_TO_BE_REQUIRED: Final = object()
"""Marks a field that the JSON Schema requires, though a body without it is taken."""

GIVEN: Final = Check(lambda value: "" if value else f"{MISSING}; give a text that is not empty")


def at_most(characters: int) -> Check:
    """Return the check that a text is no longer than so many characters."""
    return Check(
        lambda value: (
            f"has {len(value)} characters; at most {characters} are allowed"
            if len(value) > characters
            else ""
        )
    )


@frozen
class Problem:
    """One thing wrong in a body: ``place`` is its path, ``details`` what else programs may read."""

    place: str
    message: str
    details: Mapping[str, Any] = field(factory=dict)
    cause: object = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the details of an error tell it."""
        return {"field": self.place, "message": self.message, **self.details}


class Wrong(ValueError):
    """A value is not what is wanted.

    ``at`` is where, within the value. ``cause`` tells the interface that is asked which of its
    errors it is, where that is no ordinary one.
    """

    def __init__(
        self, message: str, *, at: str = "", cause: object = None, **details: object
    ) -> None:
        super().__init__(message)
        self.at = at
        self.cause = cause
        self.details = details


class NotStorable:
    """The cause of a text that no store can keep."""


def told(problems: Sequence[Problem]) -> str:
    """Return the problems as one text, of many the first ones."""
    text = "; ".join(
        f"{problem.place}: {problem.message}" if problem.place else problem.message
        for problem in problems[:MAX_TOLD]
    )
    # How many there are is not known: reading stops soon after these.
    return f"{text}; and more" if len(problems) > MAX_TOLD else text


def refused(problems: Sequence[Problem]) -> BootstrapError:
    """Return the bootstrap core's error for problems of a body."""
    kind = Unprocessable if all(problem.cause is NotStorable for problem in problems) else Malformed
    details = [problem.to_json() for problem in problems[:MAX_TOLD]]
    if len(details) == 1:
        (only,) = problems
        return kind(told(problems), details={"field": only.place, **only.details})
    return kind(told(problems), details=details)


def named(change: Any) -> dict[str, Any]:  # noqa: ANN401 - any body
    """Return the fields of a change that are not None, by their names."""
    values = attrs.asdict(change, recurse=False)
    return {key: value for key, value in values.items() if value is not None}


def rules_of(kind: type[Any]) -> Body:
    """Return how a body is read and described."""
    rules: Body = getattr(kind, "body", Body())
    return rules


def fields_of(kind: type[Any]) -> Sequence[Attribute[Any]]:
    """Return the fields that are sent, their types resolved."""
    attrs.resolve_types(kind)
    return [attribute for attribute in attrs.fields(kind) if not is_marked(attribute, NOT_SENT)]


def is_marked(attribute: Attribute[Any], mark: object) -> bool:
    """Tell whether a field is annotated with a mark, such as ``NOT_SENT``."""
    return mark in get_args(attribute.type)[1:]


def marks_of(attribute: Attribute[Any], kind: type[T]) -> Sequence[T]:
    """Return what a field is annotated with, of one kind."""
    marks = get_args(attribute.type)[1:] if is_annotated(attribute.type) else ()
    return [mark for mark in marks if isinstance(mark, kind)]


def without_none(kind: Any) -> Any:  # noqa: ANN401 - a type
    """Return the type that an optional one is of."""
    return next(inner for inner in get_args(kind) if inner is not type(None))


def is_annotated(kind: Any) -> bool:  # noqa: ANN401 - a type
    """Tell whether a type is ``Annotated``."""
    origin: Any = get_origin(kind)
    return origin is Annotated


def is_optional(kind: Any) -> bool:  # noqa: ANN401 - a type
    """Tell whether a type takes None as well."""
    return get_origin(kind) in (Union, UnionType)


def bare_type(kind: Any) -> Any:  # noqa: ANN401 - a type
    """Return a type without what is annotated, and without None."""
    if is_annotated(kind):
        return bare_type(get_args(kind)[0])
    return bare_type(without_none(kind)) if is_optional(kind) else kind
