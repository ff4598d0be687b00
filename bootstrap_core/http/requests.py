"""Reading requests: bodies, content types, queries. Wrong ones raise ``Malformed`` and the like."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from attrs import field, frozen
from starlette.requests import Request

from bootstrap_core.errors import (
    BootstrapError,
    Forbidden,
    Malformed,
    NotFound,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from bootstrap_core.formats.documents import (
    MAX_DEPTH,
    Document,
    DuplicateKey,
    decode_text,
    is_too_deep,
    json_fault,
    unique_keys,
)
from bootstrap_core.http.openapi import asked_of
from bootstrap_core.model import Caller
from bootstrap_core.ports import Identity
from bootstrap_core.secrets import Secret
from bootstrap_core.work import decoded

BLANKS: Final = " \t"


def after_scheme(value: str, scheme: str) -> str | None:
    """Return what follows the scheme in a header's value; None where it has another or none."""
    value = value.strip(BLANKS)
    name, rest = value[: len(scheme)], value[len(scheme) :]
    if name.lower() != scheme.lower() or (rest and rest[0] not in BLANKS):
        return None
    return rest.strip(BLANKS)


def with_or_without(value: str, scheme: str) -> str:
    """Return what follows the scheme in a header's value, or the whole value where it has none."""
    rest = after_scheme(value, scheme)
    return value.strip(BLANKS) if rest is None else rest


T = TypeVar("T")

JSON: Final = "application/json"
BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
DEFAULT_PAGE: Final = 10
LARGEST_PAGE: Final = 100
LONGEST_NUMBER: Final = 40
LARGEST_UNSIGNED: Final = 2**64 - 1
LARGEST_OFFSET: Final = 2**63 - 1


def media_type(request: Request) -> str:
    """Return the media type of the body in small letters, without its parameters; empty if none."""
    sent: str = request.headers.get("content-type", "")
    return sent.partition(";")[0].strip().lower()


@frozen
class Bodies:
    """Reads request bodies of at most ``limit`` bytes."""

    limit: int = 1024 * 1024

    async def json(self, request: Request) -> Document:
        """Return a JSON object; null stands for an empty one.

        Raises ``UnsupportedMediaType``, ``TooLarge``, ``Malformed``.
        """
        return await self.json_as(request, lambda document: document)

    async def json_as(self, request: Request, make: Callable[[Document], T]) -> T:
        """Return what ``make`` makes of a JSON object; errors as for ``json``, and its own."""
        return await self.read_as(request, {JSON: read_json}, make)

    async def read_as(
        self,
        request: Request,
        readers: Mapping[str, Callable[[bytes], Document]],
        make: Callable[[Document], T],
    ) -> T:
        """Return what ``make`` makes of the body, read by the reader of its content type.

        Of a long body both are done beside the event loop. Errors as for ``json_as``.
        """
        kind = media_type(request)
        reader = readers.get(kind)
        if reader is None:
            allowed = ", ".join(readers)
            given = f"{kind!r} is not taken" if kind else "none was given"
            raise UnsupportedMediaType(f"Content-Type: {given}; allowed are {allowed}")
        return await decoded(lambda body: make(reader(body)), await self._bytes(request))

    async def _bytes(self, request: Request) -> bytes:
        too_large = TooLarge(f"the body has more than {self.limit} bytes")
        if declared_size(request) > self.limit:
            raise too_large
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self.limit:
                raise too_large
        return bytes(body)


def declared_size(request: Request) -> int:
    """Return how many bytes of a body a request announces, 0 where it does not say."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


@frozen
class Query:
    """The query of a request, its keys in order."""

    pairs: list[tuple[str, str]] = field(factory=list)

    @classmethod
    def of(cls, request: Request) -> Query:
        """Read the query. Raises ``Malformed``."""
        raw = request.scope.get("query_string", b"")
        if BROKEN_ESCAPE.search(raw):
            raise Malformed("the query: a % is followed by two hexadecimal digits; write %25 for %")
        if b";" in raw:
            raise Malformed("the query: parameters are separated by &, not by a semicolon")
        try:
            pairs = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict")
        except (ValueError, UnicodeDecodeError) as error:
            raise Malformed("the query is not valid percent-encoded UTF-8") from error
        if any("\0" in part for pair in pairs for part in pair):
            raise Malformed("the query: the character NUL is in nothing that could be found")
        return cls(pairs)

    def first(self, name: str) -> str:
        """Return the first value of a parameter, empty when it is not given."""
        return next((value for key, value in self.pairs if key == name), "")

    def single(self, name: str, default: str = "") -> str:
        """Return the value of a parameter that may be given once. Raises ``Malformed``."""
        values = [value for key, value in self.pairs if key == name]
        if len(values) > 1:
            raise Malformed(f"{name}: is given {len(values)} times; give it once")
        return values[0] if values else default

    def number(self, name: str, default: int) -> int:
        """Return a whole number from 0 on. Raises ``Malformed``."""
        written = self.single(name, str(default))
        digits = written.isascii() and written.isdigit() and len(written) <= LONGEST_NUMBER
        if not digits or int(written) > LARGEST_UNSIGNED:
            raise Malformed(f"{name}: {written!r} is not a whole number from 0 to 2^64-1")
        return int(written)

    def offset(self) -> int:
        """Return how many entries to pass over. Raises ``Malformed``."""
        return min(self.number("offset", 0), LARGEST_OFFSET)

    def limit(self, least: int = 0) -> int:
        """Return how many entries to list. Raises ``Malformed``."""
        limit = self.number("limit", DEFAULT_PAGE)
        if not least <= limit <= LARGEST_PAGE:
            raise Malformed(f"limit: from {least} to {LARGEST_PAGE} are listed at once")
        return limit

    def boolean(self, name: str) -> bool:
        """Return a truth value, False when it is not given. Raises ``Malformed``."""
        written = self.single(name, "false").lower()
        if written not in ("true", "false", "1", "0"):
            raise Malformed(f"{name}: true or false is wanted, not {written!r}")
        return written in ("true", "1")


def path_id(request: Request, name: str) -> str:
    """Return an ID that the path names. Raises ``NotFound`` for one that no store can hold."""
    value: str = request.path_params[name]
    if "\0" in value:
        raise NotFound(f"{name}: there is nothing with the character NUL in its ID")
    return value


def read_json(body: bytes) -> Document:
    """Read a JSON object (RFC 8259): nothing may follow it, no key stands twice in an object.

    Raises ``Malformed`` with line and column, for a number that does not fit into a float, and for
    what is nested deeper than 100 levels.
    """
    try:
        value = json.loads(
            decode_text(body),
            parse_constant=_refuse,
            parse_float=_float,
            parse_int=_int,
            object_pairs_hook=unique_keys,
        )
    except DuplicateKey as error:
        raise Malformed(f"the body: {error}", details={"field": error.key}) from error
    except RecursionError:
        raise Malformed(f"the body is JSON nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise Malformed(f"the body is not valid JSON{json_fault(error)}") from error
    if is_too_deep(value):
        raise Malformed(f"the body: is nested deeper than {MAX_DEPTH} levels")
    if b"\\u" in body:
        _refuse_lone_surrogates(value)
    if value is None:
        return Document({})
    if not isinstance(value, dict):
        raise Malformed("the body: a JSON object is wanted")
    return Document(value)


def _refuse(constant: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(f"{constant} is not a JSON number")


def _float(written: str) -> float:
    number = float(written)
    if math.isinf(number):
        raise ValueError(f"the number {written:.30} is too large")
    return number


def _int(written: str) -> int:
    try:
        number = int(written)
        float(number)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"the number {written:.30} is too large") from error
    return number


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Malformed("the body: a \\u escape stands for half a character") from error


BEARER: Final = "Bearer"
LET_INTO: Final = "domain_that_the_caller_was_let_into"
"""Key of a request's scope, where it is known that the path names a domain and not a secret."""


class Door:
    """Lets callers in, and tells what is wrong in the order that the Go services have.

    First whether the token is given and valid, then what is wrong with the request itself, then
    whether the caller belongs to the domain and has the right that the route asks for.
    """

    def __init__(self, identity: Identity) -> None:
        """Ask ``identity`` who is behind a token."""
        self._identity = identity

    async def member(self, request: Request) -> Caller:
        """Return the caller with a Bearer token, a member of the domain that the path names.

        Raises ``Unauthenticated``, ``Forbidden``, ``NotFound``.
        """
        token = bearer_token(request)
        return await self._admit(request, token, path_id(request, "domain_id"))

    async def member_with(self, request: Request, reading: Awaitable[T]) -> tuple[Caller, T]:
        """Return the caller and what ``reading`` gives. Raises as ``member`` and ``reading``."""
        try:
            read = await reading
        except BootstrapError:
            with contextlib.suppress(Forbidden, NotFound):
                await self.member(request)
            raise
        return await self.member(request), read

    async def owner(self, request: Request) -> Caller:
        """Return the caller with a raw or Bearer token, in the domain of the path.

        Without one there it is the domain that is the caller's. Raises ``Unauthenticated``,
        ``Forbidden``, ``NotFound``; ``Malformed``: which domain?
        """
        named = "domain_id" in request.path_params
        domain_id = path_id(request, "domain_id") if named else None
        return await self._admit(request, any_token(request), domain_id)

    async def _admit(self, request: Request, token: Secret, domain_id: str | None) -> Caller:
        caller = await self._identity.admit(token, domain_id, asked_of(request))
        request.scope[LET_INTO] = caller.domain_id
        return caller

    async def permit(
        self, caller: Caller, request: Request, *conditions: str, **values: str
    ) -> None:
        """Make sure that the caller may do what the request turned out to want as well.

        ``values`` are added to those of the path. Raises ``NotPermitted``.
        """
        await self._identity.permit(caller, asked_of(request, *conditions, **values))


def bearer_token(request: Request) -> Secret:
    """Return the token of ``Authorization: Bearer <token>``. Raises ``Unauthenticated``."""
    token = after_scheme(request.headers.get("authorization", ""), BEARER)
    if not token:
        raise Unauthenticated('send your token as "Authorization: Bearer <token>"')
    return Secret(token)


def any_token(request: Request) -> Secret:
    """Return the token of ``Authorization: <token>``, Bearer or not. Raises ``Unauthenticated``."""
    token = with_or_without(request.headers.get("authorization", ""), BEARER)
    if not token:
        raise Unauthenticated('send your token as "Authorization: <token>"')
    return Secret(token)
