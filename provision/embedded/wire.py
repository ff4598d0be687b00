"""Reading requests and writing answers: tokens, JSON bodies, query parameters.

What is read here is text that any database can store: no NUL, no half of a surrogate pair, no
number that JSON cannot write, no document of endless depth.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.formats.documents import (
    DuplicateKey,
    decode_text,
    json_fault,
    misspelt,
    unique_keys,
    without_mark,
)
from bootstrap_core.http.requests import BROKEN_ESCAPE
from bootstrap_core.secrets import Secret
from bootstrap_core.work import decoded
from provision.embedded.errors import (
    Hidden,
    InvalidToken,
    Malformed,
    UnsupportedContentType,
)

DEPTH_LIMIT: Final = 100
NUMBER_DIGITS: Final = 19
NEVER: Final = "0001-01-01T00:00:00Z"
CONTENT_TYPE: Final = "application/json"

KNOWN: Final = frozenset({
    "id", "name", "first_name", "last_name", "username", "email", "identity", "secret",
    "password", "old_password", "old_secret", "new_secret", "credentials", "metadata",
    "private_metadata", "tags", "status", "state", "role", "role_id", "role_name", "roles",
    "route", "key", "keys", "thing_id", "client_id", "channel_id", "client_ids",
    "channel_ids", "thing_ids", "member_ids", "types", "type", "connection_types", "domain",
    "domain_id",
    "parent_id", "parent_group_id", "parent_group_path", "description", "permissions",
    "permission", "relation", "actions", "optional_actions", "members", "optional_members",
    "user_ids", "access_type", "alias", "owner", "owner_id", "created_at", "created_by",
    "updated_at", "updated_by", "profile_picture", "email_verified", "verified_at",
    "auth_provider", "token", "refresh_token", "access_token", "host", "confirm_password",
    "options", "common_name", "organization", "organizational_unit", "country", "province",
    "locality", "street_address", "postal_code", "dns_names", "ip_addresses", "ttl", "csr",
    "key_bits", "key_type", "serial", "serial_number", "entity_id", "entity_type",
    "expiry_time", "certificate", "revoked", "user_id", "domain_metadata",
})  # fmt: skip
"""What the bodies of any release hold, whether it is of use here or not."""

Handler = Callable[[Request], Awaitable[Response]]


def bearer(request: Request) -> Secret:
    """Return the token of the Authorization header, with or without ``Bearer``."""
    text = request.headers.get("authorization", "").strip()
    scheme, _, token = text.partition(" ")
    found = token.strip() if scheme.lower() == "bearer" else text
    if not found:
        raise InvalidToken("a token is needed: send the header Authorization: Bearer <token>")
    return Secret(found)


def path_text(request: Request, name: str) -> str:
    """Return a segment of the path (``Hidden`` when nothing can have such a name)."""
    text: str = request.path_params[name]
    if "\0" in text:
        raise Hidden
    return text


def require_json(request: Request) -> None:
    """Raise ``UnsupportedContentType`` unless the request announces JSON."""
    if CONTENT_TYPE not in request.headers.get("content-type", ""):
        raise UnsupportedContentType


def decode(text: bytes | str, source: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON document; ``source`` names it in the ``Malformed`` raised otherwise."""
    try:
        text = decode_text(text) if isinstance(text, bytes) else without_mark(text)
        document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=unique_keys)
        _check(document, 0)
    except DuplicateKey as error:
        raise Malformed(f"{source}: {error}") from error
    except RecursionError as error:
        raise Malformed(f"{source} is nested too deeply") from error
    except ValueError as error:
        raise Malformed(f"{source} is not valid JSON{json_fault(error)}") from error
    return document


async def read_body(request: Request) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON document in the body; a long one is decoded beside the event loop."""
    return await decoded(lambda body: decode(body, "the body"), await request.body())


async def read_object(request: Request) -> Fields:
    """Return the members of a JSON body that is an object."""
    require_json(request)
    return Fields(await read_body(request), "the body")


async def read_objects(request: Request) -> list[Fields]:
    """Return the members of each element of a JSON body that is a list of objects."""
    require_json(request)
    elements = await read_body(request)
    if not isinstance(elements, list):
        raise Malformed("the body must be a list of objects")
    if not elements:
        raise Malformed("the list in the body is empty: name at least one")
    return [Fields(element, f"element {place}") for place, element in enumerate(elements)]


class Fields:
    """The members of a JSON object, read by the kind that each must be of.

    A member that is missing or null reads as empty. One that nobody asks for is ignored, unless it
    is misspelt (:mod:`bootstrap_core.formats.documents`).
    """

    def __init__(self, document: object, place: str) -> None:
        """Take an object; ``place`` says in messages where it is."""
        if not isinstance(document, dict):
            raise Malformed(f"{place} must be an object")
        if found := misspelt(document, KNOWN):
            name, near = found
            raise Malformed(f"{name} of {place} is not known; did you mean {near!r}?")
        self._members: Mapping[str, Any] = document
        self._place = place

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) is not None

    def text(self, name: str) -> str:
        """Return a string member."""
        return str(self._of(name, str, "a string", ""))

    def document(self, name: str) -> dict[str, Any]:
        """Return an object member."""
        return dict(self._of(name, dict, "an object", {}))

    def texts(self, name: str) -> list[str]:
        """Return a member that is a list of strings."""
        found = list(self._of(name, list, "a list of strings", []))
        if not all(isinstance(element, str) for element in found):
            raise Malformed(f"{name} of {self._place} must be a list of strings")
        return found

    def fields(self, name: str) -> Fields:
        """Return the members of an object member."""
        return Fields(self.document(name), f"{name} of {self._place}")

    def _of(self, name: str, kind: type, described: str, empty: Any) -> Any:  # noqa: ANN401 - any JSON value
        value = self._members.get(name)
        if value is None:
            return empty
        if not isinstance(value, kind):
            raise Malformed(f"{name} of {self._place} must be {described}")
        return value


class Query:
    """The query parameters of a request; each may be given once, unknown ones are ignored."""

    def __init__(self, request: Request) -> None:
        """Read the parameters of ``request``."""
        if BROKEN_ESCAPE.search(request.scope.get("query_string", b"")):
            raise Malformed("the query: a % is followed by two hexadecimal digits; write %25 for %")
        self._values: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            self._values.setdefault(name, []).append(value)

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as it is."""
        values = self._values.get(name, [default])
        if len(values) > 1:
            raise Malformed(f"the parameter {name} is given {len(values)} times")
        if "\0" in values[0]:
            raise Malformed(f"the parameter {name} contains the character NUL")
        return values[0]

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number in a range."""
        text = self.text(name, str(default))
        digits = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS
        if not (digits and least <= int(text) <= most):
            raise Malformed(f"the parameter {name} must be a number from {least} to {most}")
        return int(text)

    def flag(self, name: str) -> bool:
        """Return a truth value; absent means false."""
        text = self.text(name, "false").lower()
        if text not in ("true", "false", "1", "0", "t", "f"):
            raise Malformed(f"the parameter {name} must be true or false")
        return text in ("true", "1", "t")

    def document(self, name: str) -> dict[str, Any]:
        """Return a JSON object; absent means an empty one."""
        document = decode(self.text(name) or "{}", f"the parameter {name}")
        if not isinstance(document, dict):
            raise Malformed(f"the parameter {name} must be a JSON object")
        return document


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fields`` without those that are empty, as Magistrala leaves them out."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, ())}


def written(moment: datetime | None) -> str:
    """Return a time in RFC 3339, in UTC; Magistrala writes one that is not there as year 1."""
    if moment is None:
        return NEVER
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def empty(status: int) -> Response:
    """Return an answer without a body."""
    return Response(status_code=status, media_type=CONTENT_TYPE)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a string contains the character NUL")
        value.encode()
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    elif isinstance(value, dict | list):
        if depth == DEPTH_LIMIT:
            raise ValueError(f"it is nested more than {DEPTH_LIMIT} deep")
        for element in value.values() if isinstance(value, dict) else value:
            _check(element, depth + 1)
        if isinstance(value, dict):
            _check("".join(value), depth)
