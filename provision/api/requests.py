"""Reading requests: JSON bodies with known fields, and the query parameters of lists.

Each refusal names the field, what is allowed and the nearest spelling.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NoReturn

from starlette.requests import Request

from bootstrap_core.credentials import external_key_fault, new_external_id_fault
from bootstrap_core.formats.documents import DuplicateKey, decode_text, json_fault, unique_keys
from bootstrap_core.http.openapi import Parameter
from bootstrap_core.http.requests import declared_size, media_type
from provision.errors import InvalidFields, MalformedBody, TooLarge, UnsupportedType
from provision.layout.report import MOST_HINTED
from provision.onboarding.model import State

BODY_MOST = 64 * 1024
CONTENT_TYPE = "application/json"
NO_TEXT = "has characters that are not text (NUL, or half a character); leave them out"


async def read_object(request: Request) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises ``UnsupportedType``, ``TooLarge`` (over 64 KiB) and ``MalformedBody``. Parameters of the
    content type, such as a charset, change nothing (RFC 8259, section 11): JSON is UTF-8.
    """
    if media_type(request) != CONTENT_TYPE:
        given = request.headers.get("content-type", "")
        shown = repr(given) if given else "missing"
        raise UnsupportedType(f"the content type is {shown}; send Content-Type: {CONTENT_TYPE}")
    too_large = TooLarge(f"the body is over {BODY_MOST // 1024} KiB")
    if declared_size(request) > BODY_MOST:
        raise too_large
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_MOST:
            raise too_large
    try:
        document = json.loads(
            decode_text(body), parse_constant=_refuse_constant, object_pairs_hook=unique_keys
        )
    except DuplicateKey as error:
        problem = {"field": error.key, "message": str(error)}
        raise MalformedBody(f"the body: {error}", details=[problem]) from error
    except UnicodeDecodeError as error:
        raise MalformedBody("the body is not valid UTF-8") from error
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None
    except ValueError as error:
        raise MalformedBody(f"the body is not valid JSON{json_fault(error)}") from error
    if not isinstance(document, dict):
        raise MalformedBody(f"the body must be a JSON object, not {_kind(document)}")
    return document


class Fields:
    """The fields of one object; problems are gathered and raised together by ``finish``."""

    def __init__(self, document: Mapping[str, Any], known: Collection[str]) -> None:
        """Note every field that is not ``known``."""
        self._document = document
        self._problems: list[dict[str, str]] = []
        unknown = [name for name in document if name not in known]
        for name in unknown[:MOST_HINTED]:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            self.refuse(name, f"unknown field{hint}; known are {', '.join(sorted(known))}")
        if more := unknown[MOST_HINTED:]:
            others = f", as are {len(more) - 1} more" if more[1:] else ""
            self.refuse(more[0], f"unknown field{others}")

    def text(self, name: str, *, most_bytes: int, required: bool) -> str | None:
        """Return a text that is not blank, of at most ``most_bytes`` as UTF-8."""
        value = self._document.get(name)
        if value is None:
            if required:
                self.refuse(name, "is missing: a text that is not blank")
            return None
        if not isinstance(value, str):
            self.refuse(name, f"must be a text, not {_kind(value)}")
            return None
        if not value.strip():
            self.refuse(name, "must not be blank")
        elif not _is_text(value):
            self.refuse(name, NO_TEXT)
        elif len(value.encode()) > most_bytes:
            self.refuse(name, f"is {len(value.encode())} bytes long; at most {most_bytes}")
        return value

    def device_id(self) -> str:
        """Return the external ID, which every device and URL can send."""
        return self._checked("external_id", new_external_id_fault)

    def device_key(self) -> str:
        """Return the external key, which every device can send in a header."""
        return self._checked("external_key", external_key_fault)

    def _checked(self, name: str, fault_of: Callable[[str], str]) -> str:
        value = self._document.get(name)
        if value is None:
            self.refuse(name, "is missing: a text that is not blank")
            return ""
        if not isinstance(value, str):
            self.refuse(name, f"must be a text, not {_kind(value)}")
            return ""
        if fault := fault_of(value):
            self.refuse(name, fault)
        return value

    def one_of(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return one of ``allowed``."""
        value = self._document.get(name, default)
        if value not in allowed:
            self.refuse(name, f"must be one of {', '.join(allowed)}, not {value!r:.40}")
            return default
        return str(value)

    def object(self, name: str) -> Mapping[str, Any]:
        """Return an object of texts that can be kept; an empty one when the field is absent."""
        value = self._document.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.refuse(name, f"must be an object, not {_kind(value)}")
            return {}
        if place := next(_places_of_no_text(value, name), None):
            self.refuse(place, NO_TEXT)
        return value

    def refuse(self, name: str, message: str) -> None:
        """Note a problem with a field."""
        self._problems.append({"field": name, "message": message})

    def finish(self) -> None:
        """Raise ``InvalidFields`` if there was any problem."""
        if self._problems:
            text = "; ".join(f"{each['field']}: {each['message']}" for each in self._problems)
            raise InvalidFields(text, details=self._problems)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _is_text(text: str) -> bool:
    try:
        return "\0" not in text and bool(text.encode() or True)
    except UnicodeEncodeError:
        return False


def _places_of_no_text(value: object, place: str) -> Iterator[str]:
    """Yield where characters stand that are not text, within a value or its keys."""
    if isinstance(value, str):
        if not _is_text(value):
            yield place
    elif isinstance(value, dict):
        for key, item in value.items():
            if not _is_text(key):
                yield place
            yield from _places_of_no_text(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places_of_no_text(item, f"{place}[{index}]")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return {"str": "a text", "list": "a list", "dict": "an object"}.get(
        type(value).__name__, "something else"
    )


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
