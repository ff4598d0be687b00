"""Reading requests and writing answers: tokens, JSON bodies, query parameters.

What is read here is text that any database can store: no NUL, no half of a surrogate pair, no
number that JSON cannot write, no document of endless depth.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import GenericAlias
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.bodies import Problem, Wrong, told
from bootstrap_core.decoding import plain_json
from bootstrap_core.decoding import read as read_value
from bootstrap_core.formats.documents import (
    TOO_DEEP,
    NotJson,
    finite_float,
    is_too_deep,
    parse_json,
)
from bootstrap_core.http.requests import BROKEN_ESCAPE, Bodies, Refusals, token_of
from bootstrap_core.secrets import Secret
from bootstrap_core.work import decoded
from provision.embedded.errors import (
    EmbeddedError,
    Hidden,
    InvalidToken,
    Malformed,
    UnsupportedContentType,
)
from provision.errors import TooLarge
from provision.limits import ServingLimits

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

T = TypeVar("T")

Handler = Callable[[Request], Awaitable[Response]]


def bearer(request: Request) -> Secret:
    """Return the token of the Authorization header, with or without ``Bearer``."""
    token = token_of(request)
    if not token:
        raise InvalidToken("a token is needed: send the header Authorization: Bearer <token>")
    return token


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


def _not_json(words: str, _: NotJson) -> Malformed:
    return Malformed(words)


def _invalid(problems: Sequence[Problem]) -> EmbeddedError:
    cause = problems[0].cause
    kind = cause if isinstance(cause, type) and issubclass(cause, EmbeddedError) else Malformed
    return kind(told(problems))


def parse(content: bytes | str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value, also what nobody asks for of it as the store can keep it.

    Whole numbers have no bound but that of Python's reader. Raises ``NotJson``.
    """
    value = parse_json(content, parse_float=finite_float)
    if is_too_deep(value):
        raise NotJson(TOO_DEEP)
    try:
        return plain_json(value)
    except Wrong as error:
        raise NotJson(f"{error}: {error.at}" if error.at else str(error)) from error


BODIES: Final = Bodies(
    ServingLimits().body,
    Refusals(UnsupportedContentType, TooLarge, _not_json, _invalid),
    parse=parse,
)


async def read(request: Request, kind: type[T], *, announced: bool = True) -> T:
    """Return a JSON body; ``announced``: the content type must say that it is one."""
    if announced:
        require_json(request)
    body = await BODIES.content(request)
    return await decoded(lambda sent: BODIES.made(BODIES.json(sent), kind), body)


async def read_all(request: Request, kind: type[T]) -> Sequence[T]:
    """Return the bodies of a JSON list, of which there is one at least."""
    require_json(request)
    body = await BODIES.content(request)
    wanted = GenericAlias(Sequence, (kind,))
    found: Sequence[T] = await decoded(
        lambda sent: read_value(wanted, BODIES.json(sent), "the body", _invalid), body
    )
    if not found:
        raise Malformed("the list in the body is empty: name at least one")
    return found


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
        try:
            document = parse(self.text(name) or "{}")
        except NotJson as error:
            raise Malformed(f"the parameter {name} {error}") from error
        found: dict[str, Any] = read_value(
            Mapping[str, Any], document, f"the parameter {name}", _invalid
        )
        return found


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
