"""The edge: how every interface reads requests, their bodies, queries and credentials.

The bootstrap core, the API and the embedded platform differ in what they raise (``Refusals``) and
in which schemes an Authorization header may have; all else is here once.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from attrs import field, frozen
from starlette.requests import Request

from bootstrap_core.bodies import Problem, refused
from bootstrap_core.decoding import decode, kind_of
from bootstrap_core.errors import (
    BootstrapError,
    Forbidden,
    Malformed,
    NotFound,
    TooLarge,
    Unauthenticated,
    UnsupportedMediaType,
)
from bootstrap_core.formats.documents import NotJson, read_json
from bootstrap_core.http.openapi import asked_of
from bootstrap_core.model import Caller
from bootstrap_core.ports import Identity
from bootstrap_core.secrets import Secret
from bootstrap_core.work import decoded

BLANKS: Final = " \t"
BEARER: Final = "Bearer"


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


def token_of(request: Request, *, bare: bool = True) -> Secret:
    """Return the token of ``Authorization: Bearer <token>``; ``bare``: Bearer may be left out.

    It is empty where there is none.
    """
    value = request.headers.get("authorization", "")
    return Secret(with_or_without(value, BEARER) if bare else after_scheme(value, BEARER) or "")


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


def _not_json(words: str, error: NotJson) -> Malformed:
    return Malformed(words, details={"field": error.key} if error.key else None)


def declared_size(request: Request) -> int:
    """Return how many bytes of a body a request announces, 0 where it does not say."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


@frozen
class Refusals:
    """What an interface raises for a body that it does not take; each is made of its words."""

    unsupported: Callable[[str], Exception] = UnsupportedMediaType
    too_large: Callable[[str], Exception] = TooLarge
    not_json: Callable[[str, NotJson], Exception] = _not_json
    invalid: Callable[[Sequence[Problem]], Exception] = refused


@frozen
class Bodies:
    """Reads request bodies of at most ``limit`` bytes.

    ``null_is_empty``: the JSON value null stands for an object without fields. ``parse`` reads the
    bytes as JSON and raises ``NotJson``.
    """

    limit: int = 1024 * 1024
    refusals: Refusals = Refusals()
    null_is_empty: bool = False
    parse: Callable[[bytes], Any] = read_json

    async def read(self, request: Request, kind: type[T]) -> T:
        """Return a body in JSON. Raises what ``refusals`` say."""
        return await self.read_as(request, {JSON: self.json}, kind)

    async def document(self, request: Request) -> Mapping[str, Any]:
        """Return a JSON object as it was sent; errors as for ``read``."""
        self.reader_of(request, {JSON: self.json})
        return self.fields(await decoded(self.json, await self.content(request)))

    async def read_as(
        self, request: Request, readers: Mapping[str, Callable[[bytes], object]], kind: type[T]
    ) -> T:
        """Return a body, read by the reader of its content type; errors as for ``read``.

        Of a long body it is done beside the event loop.
        """
        reader = self.reader_of(request, readers)
        body = await self.content(request)
        return await decoded(lambda sent: self.made(reader(sent), kind), body)

    def made(self, document: object, kind: type[T]) -> T:
        """Return what a decoded body says. Raises what ``refusals`` say."""
        return decode(kind, self.fields(document), self.refusals.invalid)

    def fields(self, document: object) -> Mapping[str, Any]:
        """Return a JSON value that is an object. Raises what ``refusals`` say."""
        if not isinstance(document, Mapping):
            words = f"the body must be a JSON object, not {kind_of(document)}"
            raise self.refusals.not_json(words, NotJson(words))
        return document

    def json(self, body: bytes) -> Any:  # noqa: ANN401 - any JSON value
        """Return the JSON value of a body."""
        try:
            value = self.parse(body)
        except NotJson as error:
            raise self.refusals.not_json(f"the body {error}", error) from error
        return {} if value is None and self.null_is_empty else value

    def reader_of(self, request: Request, readers: Mapping[str, T]) -> T:
        """Return the reader of a request's content type."""
        kind = media_type(request)
        if kind in readers:
            return readers[kind]
        given = f"{kind!r:.100} is not taken" if kind else "none was given"
        raise self.refusals.unsupported(f"Content-Type: {given}; allowed are {', '.join(readers)}")

    async def content(self, request: Request) -> bytes:
        """Return the bytes of a body."""
        too_large = self.refusals.too_large(f"the body is over {self.limit // 1024} KiB")
        if declared_size(request) > self.limit:
            raise too_large
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self.limit:
                raise too_large
        return bytes(body)


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
        token = token_of(request, bare=False)
        if not token:
            raise Unauthenticated('send your token as "Authorization: Bearer <token>"')
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
        token = token_of(request)
        if not token:
            raise Unauthenticated('send your token as "Authorization: <token>"')
        return await self._admit(request, token, domain_id)

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
