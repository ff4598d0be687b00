"""Request bodies: JSON objects with known fields, each refusal naming the field and the cure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from starlette.requests import Request

from bootstrap_core.http.requests import media_type
from provision.errors import InvalidFields, MalformedBody, TooLarge, UnsupportedType
from provision.layout.report import MOST_HINTED

BODY_MOST = 64 * 1024
CONTENT_TYPE = "application/json"


async def read_object(request: Request) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises ``UnsupportedType``, ``TooLarge`` (over 64 KiB) and ``MalformedBody``. Parameters of the
    content type, such as a charset, change nothing (RFC 8259, section 11): JSON is UTF-8.
    """
    if media_type(request) != CONTENT_TYPE:
        given = request.headers.get("content-type", "")
        shown = repr(given) if given else "missing"
        raise UnsupportedType(f"the content type is {shown}; send Content-Type: {CONTENT_TYPE}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_MOST:
            raise TooLarge(f"the body is over {BODY_MOST // 1024} KiB")
    try:
        document = json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise MalformedBody("the body is not valid UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise MalformedBody(f"the body is not valid JSON: {error.msg} ({place})") from error
    except (ValueError, RecursionError) as error:
        raise MalformedBody(f"the body is not valid JSON: {error}") from error
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
        elif "\0" in value or not _is_encodable(value):
            self.refuse(name, "has characters that are not text (NUL or a lone surrogate)")
        elif len(value.encode()) > most_bytes:
            self.refuse(name, f"is {len(value.encode())} bytes long; at most {most_bytes}")
        return value

    def one_of(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return one of ``allowed``."""
        value = self._document.get(name, default)
        if value not in allowed:
            self.refuse(name, f"must be one of {', '.join(allowed)}, not {value!r:.40}")
            return default
        return str(value)

    def object(self, name: str) -> Mapping[str, Any]:
        """Return an object; an empty one when the field is absent."""
        value = self._document.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.refuse(name, f"must be an object, not {_kind(value)}")
            return {}
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


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
