"""Query parameters of lists, each refusal saying what is allowed."""

from __future__ import annotations

from starlette.requests import Request

from bootstrap_core.openapi import Parameter
from provision.errors import InvalidFields
from provision.onboarding.model import State

NUMBER_MOST = 2**31


def page_parameters() -> tuple[Parameter, Parameter]:
    """Describe which part of a list is asked for."""
    return (
        Parameter("offset", {"type": "integer"}, "How many to pass over"),
        Parameter("limit", {"type": "integer"}, "1 to 100, default 10"),
    )


def number_of(
    request: Request, name: str, default: int, most: int | None = None, *, least: int = 0
) -> int:
    """Return a whole number. Raises ``InvalidFields``."""
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= (most or NUMBER_MOST):
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
