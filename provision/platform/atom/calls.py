"""One call to Atom: a GraphQL document, or a request to its few REST routes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from bootstrap_core.secrets import Secret
from provision.platform.atom.messages import meaning
from provision.platform.atom.operations import Asked, Operation, ask, document, documents
from provision.platform.calls import Answer, Call
from provision.platform.errors import (
    BadAnswer,
    Failed,
    NotPermitted,
    NotThePlatform,
    Overloaded,
    PlatformError,
    Rejected,
)
from provision.platform.shapes import Shape
from provision.platform.transport import Transport

SERVICE: Final = "atom"
MAX_PAGE: Final = 100
OK: Final = 200
FOREIGN: Final = frozenset({401, 403, 404, 405, 410})
SCOPED_HINT: Final = (
    "; a scoped access token may never make keys or certificates, whatever its permissions: use "
    "one that is unscoped, or sign in"
)


@frozen
class Endpoint:
    """The base address of Atom (``http://atom:8080``)."""

    address: str

    @property
    def services(self) -> Sequence[str]:
        return (SERVICE,)

    def of(self, service: str) -> str:
        """Return the address, without a slash at the end."""
        return self.address.rstrip("/")


class _AtomCall(Call):
    """What calls of both kinds have in common."""

    def _error(self, words: str, answered: int, answer: Answer, *, ran: bool) -> PlatformError:
        kind = meaning(words, ran=ran)
        text = f"{kind.__doc__} Atom answered to {self.operation}: {self.masked(words)}"
        if issubclass(kind, NotPermitted) and self.token and _is_access_token(self.token):
            text += SCOPED_HINT
        if issubclass(kind, Overloaded):
            return kind(
                text, service=SERVICE, operation=self.operation, retry_after=answer.retry_after
            )
        if issubclass(kind, Rejected):
            return kind(text, service=SERVICE, operation=self.operation, answered=answered)
        return kind(text, service=SERVICE, operation=self.operation)

    def _by_status(self, answer: Answer) -> PlatformError:
        operation = self.operation
        if answer.status in FOREIGN:
            return NotThePlatform(
                f"{NotThePlatform.__doc__} It was asked at {answer.address} to {operation}, and "
                f"answered {answer.status} without an error of Atom. Look at the setting atom_url",
                service=SERVICE,
                operation=operation,
            )
        text = f"Atom answered {answer.status} to {operation}"
        if answer.status in (429, 503):
            return Overloaded(
                text, service=SERVICE, operation=operation, retry_after=answer.retry_after
            )
        if answer.status >= 500:
            return Failed(text, service=SERVICE, operation=operation)
        return Rejected(text, service=SERVICE, operation=operation, answered=answer.status)


@frozen
class GraphCall(_AtomCall):
    """A GraphQL document, whose answer has status 200 for every failure but an overload."""

    def refusal(self, answer: Answer) -> PlatformError | None:
        content = _content(answer)
        if answer.status != OK:
            if isinstance(content, dict) and isinstance(words := content.get("error"), str):
                return self._error(words, answer.status, answer, ran=False)
            return self._by_status(answer)
        if not isinstance(content, dict) or not {"data", "errors"} & content.keys():
            return _not_atom(self, answer)
        for alias, error in self.errors(answer).items():
            if not alias or (self.repeatable and isinstance(error, Failed)):
                return error
        return None

    def errors(self, answer: Answer) -> dict[str, PlatformError]:
        """Return the error of each alias; under "" the one that came before anything ran."""
        content = _content(answer)
        told = content.get("errors") if isinstance(content, dict) else None
        found: dict[str, PlatformError] = {}
        for error in told if isinstance(told, list) else ():
            words = str(error.get("message")) if isinstance(error, dict) else str(error)
            path = error.get("path") if isinstance(error, dict) else None
            alias = str(path[0]) if isinstance(path, list) and path else ""
            found.setdefault(alias, self._error(words, 422, answer, ran=bool(alias)))
        return found


@frozen
class RestCall(_AtomCall):
    """A request to one of Atom's REST routes, which have statuses of their own.

    Where it ``signs_in``, what is refused is a name and password, and no token.
    """

    signs_in: bool = False

    def refusal(self, answer: Answer) -> PlatformError | None:
        if OK <= answer.status < 300:
            return None
        content = _content(answer)
        words = content.get("error") if isinstance(content, dict) else None
        if not isinstance(words, str):
            return self._by_status(answer)
        return self._error(words, answer.status, answer, ran=self.signs_in)


@frozen
class Reply:
    """What each part of some documents was answered, by its alias."""

    shapes: Mapping[str, Shape]
    errors: Mapping[str, PlatformError]

    def __getitem__(self, alias: str) -> Shape:
        """Return an answer, an object; raises the error that took its place."""
        if alias in self.errors:
            raise self.errors[alias]
        return self.shapes[alias]

    def raise_first(self) -> None:
        """Raise the first error, if any, one of an unknown outcome before others."""
        unknown = [error for error in self.errors.values() if error.outcome_unknown]
        for error in (*unknown, *self.errors.values()):
            raise error


@frozen
class Graph:
    """Sends documents to Atom, and takes its answers apart."""

    transport: Transport

    async def ask(
        self,
        token: Secret | None,
        operation: str,
        parts: Sequence[Asked],
        *,
        confidential: Sequence[Secret] = (),
        repeatable: bool | None = None,
        together: int = 1,
    ) -> Reply:
        """Send ``parts``, either queries or mutations, in as many documents as they need.

        ``operation`` names the call in errors. Queries are repeated where that helps; mutations
        only where ``repeatable``. Parts of one group of ``together`` stay in one document.
        Raises what came before anything of a document ran; the reply has the errors of the rest.
        """
        shapes: dict[str, Shape] = {}
        errors: dict[str, PlatformError] = {}
        for cut in documents(parts, together):
            is_query = not cut[0].operation.changes
            call = GraphCall(
                SERVICE,
                operation,
                "POST",
                "/graphql",
                token,
                body=document(cut),
                repeatable=is_query if repeatable is None else repeatable,
                confidential=confidential,
            )
            _refuse_nul(call)
            answer = await self.transport.send(call)
            failed = call.errors(answer)
            data = _data(answer)
            for part in cut:
                if part.alias in failed:
                    errors[part.alias] = failed[part.alias]
                elif part.alias in data:
                    shapes[part.alias] = Shape(call, data[part.alias], part.alias)
                else:
                    raise Shape(call, None, part.alias).wrong("an answer")
        return Reply(shapes, errors)

    async def every(
        self,
        token: Secret,
        operation: str,
        listing: Operation,
        **values: Any,  # noqa: ANN401 - any JSON
    ) -> list[Shape]:
        """Return all items of a list: its first page, then the others in one document or few."""
        found: list[Shape] = []
        offsets: Sequence[int] = (0,)
        while offsets:
            parts = [
                ask(f"page{offset}", listing, limit=MAX_PAGE, offset=offset, **values)
                for offset in offsets
            ]
            reply = await self.ask(token, operation, parts)
            pages = [reply[part.alias] for part in parts]
            for page in pages:
                found += page.items("items")
            total = pages[-1].number("total")
            offsets = range(offsets[-1] + MAX_PAGE, total, MAX_PAGE)
        return found


def _refuse_nul(call: GraphCall) -> None:
    """Raise ``Rejected`` for text that Atom's database can't hold: it answers as if it failed."""
    if b"\\u0000" in call.content():
        raise Rejected(
            "a NUL character can't be kept by the platform: take it out of names, metadata and "
            "secrets",
            service=SERVICE,
            operation=call.operation,
            answered=400,
        )


def _content(answer: Answer) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _data(answer: Answer) -> Mapping[str, Any]:
    data = _content(answer).get("data")
    return data if isinstance(data, dict) else {}


def _not_atom(call: GraphCall, answer: Answer) -> BadAnswer:
    return BadAnswer(
        f"Atom's answer to {call.operation} can't be used: it is no answer of GraphQL. Does "
        f"{answer.address or 'the configured address'} lead to Atom itself? Look at the setting "
        "atom_url",
        service=SERVICE,
        operation=call.operation,
    )


def _is_access_token(token: Secret) -> bool:
    return token.reveal().startswith("atom_")
