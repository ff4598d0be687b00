"""Reading requests: what the API raises for bodies, and the query parameters of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from starlette.requests import Request

from bootstrap_core.bodies import MAX_TOLD, Check, Problem, Read, Wrong, described, told
from bootstrap_core.decoding import kind_of, plain_json
from bootstrap_core.formats.documents import NotJson, parse_json
from bootstrap_core.http.openapi import Parameter
from bootstrap_core.http.requests import Bodies, Refusals
from provision.errors import InvalidFields, MalformedBody, TooLarge, UnsupportedType
from provision.onboarding.model import State

BODY_MOST = 64 * 1024
NAME_MOST = 1024


def _not_json(words: str, error: NotJson) -> MalformedBody:
    problem = {"field": error.key, "message": words}
    return MalformedBody(words, details=[problem] if error.key else None)


def _invalid(problems: Sequence[Problem]) -> InvalidFields:
    details = [{"field": each.place, "message": each.message} for each in problems[:MAX_TOLD]]
    return InvalidFields(told(problems), details=details)


# What text, depth and numbers are taken is for each field to say, in its place.
BODIES = Bodies(
    BODY_MOST, Refusals(UnsupportedType, TooLarge, _not_json, _invalid), parse=parse_json
)


def filled(most_bytes: int) -> Check:
    """Return the check that a text is not blank, and of at most so many bytes."""

    def fault_of(value: str) -> str:
        if not value.strip():
            return "must not be blank"
        size = len(value.encode())
        return f"is {size} bytes long; at most {most_bytes}" if size > most_bytes else ""

    return Check(fault_of)


def _name_fault(value: str) -> str:
    if len(value) > NAME_MOST:
        return f"is {len(value)} characters long; at most {NAME_MOST}"
    return ""


Name: TypeAlias = Annotated[str, filled(4 * NAME_MOST), Check(_name_fault)]
LayoutName: TypeAlias = Annotated[str, filled(255)]


def _parameters(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Wrong(f"must be an object, not {kind_of(value)}")
    # Which numbers a parameter takes is for the layout to say.
    values: Mapping[str, Any] = plain_json(value, finite=False)
    return values


Parameters: TypeAlias = Annotated[Mapping[str, Any], Read(_parameters), described(type="object")]
"""The values of a layout's parameters."""


NUMBER_MOST = 2**31
DIGITS_MOST = 20
TRUE = ("true", "1")


def page_parameters() -> tuple[Parameter, Parameter]:
    """Describe which part of a list is asked for."""
    return (
        Parameter("offset", {"type": "integer"}, "How many to skip"),
        Parameter("limit", {"type": "integer"}, "1 to 100, default 10"),
    )


def is_set(request: Request, name: str) -> bool:
    """Tell whether something was asked for with ``true`` or ``1``."""
    return request.query_params.get(name, "").lower() in TRUE


def number_of(
    request: Request, name: str, default: int, most: int | None = None, *, least: int = 0
) -> int:
    """Return a whole number. Raises ``InvalidFields``."""
    text = request.query_params.get(name, str(default))
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MOST
    if not is_number or not least <= int(text) <= (most or NUMBER_MOST):
        allowed = f"{least} to {most}" if most else "0 or more"
        raise InvalidFields(f"{name}: a whole number is needed, {allowed}, not {text!r:.40}")
    return int(text)


def state_of(text: str) -> State | None:
    """Return the state of this name; none where nothing is given. Raises ``InvalidFields``."""
    if not text:
        return None
    if text not in set(State):
        raise InvalidFields(f"state: one of {', '.join(State)} is needed, not {text!r:.40}")
    return State(text)
