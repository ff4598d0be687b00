"""Calls to Magistrala's services: what is asked, and what their refusals mean."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote

from attrs import field, fields, frozen

from provision.platform.calls import Answer
from provision.platform.calls import Call as BaseCall
from provision.platform.errors import (
    AlreadyExists,
    BadAnswer,
    DomainNotFound,
    Failed,
    InvalidToken,
    NotAMember,
    NotFound,
    NotPermitted,
    NotThePlatform,
    Overloaded,
    PlatformError,
    Rejected,
    lacks,
)


@frozen
class Endpoints:
    """The base address of each service (``http://clients:9006``); they may all be the same."""

    clients: str
    channels: str
    users: str
    domains: str
    certs: str

    @property
    def services(self) -> Sequence[str]:
        return tuple(each.name for each in fields(Endpoints))

    def of(self, service: str) -> str:
        """Return the base address of a service by its name, without a slash at the end."""
        address: str = getattr(self, service)
        return address.rstrip("/")


Meaning: TypeAlias = Mapping[int | tuple[int, str], type[PlatformError]]

OF_DOMAIN: Final[Meaning] = {403: NotAMember, 404: DomainNotFound}
"""What a refusal means where the whole domain is addressed."""
IN_DOMAIN: Final[Meaning] = {403: NotPermitted, 404: DomainNotFound}
"""What a refusal means where something is made or listed in a domain."""
OF_ENTITY: Final[Meaning] = {403: NotFound, 404: NotFound}
"""What a refusal means where something in a domain is addressed."""
SAID_BY_OTHERS: Final = frozenset({401, 403, 404, 405, 410})
"""Refusals that Magistrala always explains, and that any server gives for what it does not have."""


@frozen
class Call(BaseCall):
    """A request to one of the services, and what its refusals mean.

    A refusal that is listed in ``already`` (status and words) says that what was asked is so
    already: a success. ``needs`` is the right on the domain that the call takes, by the name of the
    action.
    """

    meaning: Meaning = field(factory=dict)
    already: Collection[tuple[int, str]] = ()
    needs: str = ""

    def refusal(self, answer: Answer) -> PlatformError | None:
        words = _words(answer.body)
        if 200 <= answer.status < 300 or (answer.status, words) in self.already:
            return None
        if not words and answer.status in SAID_BY_OTHERS:
            return self._foreign(answer)
        told = f": {self.masked(words)}" if words else ""
        service, operation = self.service, self.operation
        kind = self.meaning.get((answer.status, words)) or self.meaning.get(answer.status)
        kind = kind or _kind(answer.status)
        meant = kind.__doc__
        if self.needs and issubclass(kind, NotPermitted):
            meant = f"{lacks(self.needs, 'the domain')}."
        text = f"{meant} The {service} service answered {answer.status} to {operation}{told}"
        if issubclass(kind, Overloaded):
            return kind(text, service=service, operation=operation, retry_after=answer.retry_after)
        if issubclass(kind, Rejected):
            return kind(text, service=service, operation=operation, answered=answer.status)
        return kind(text, service=service, operation=operation)

    def _foreign(self, answer: Answer) -> NotThePlatform:
        """Return the error for an answer that some other server gave in the service's place."""
        return NotThePlatform(
            f"{NotThePlatform.__doc__} The {self.service} service was asked at {answer.address} to "
            f"{self.operation}, and it answered {answer.status} without a Magistrala error. Does "
            "that address lead to the service itself, of a release that has this route? Look at "
            f"the setting {self.service}_url",
            service=self.service,
            operation=self.operation,
        )


def _words(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = document.get("message") if isinstance(document, dict) else None
    return message if isinstance(message, str) else ""


def domain_path(domain_id: str, *parts: str) -> str:
    """Return the path of something in a domain, each part percent-encoded.

    Raises ``DomainNotFound`` and ``NotFound`` for IDs that no path can hold.
    """
    if not _can_be_addressed(domain_id):
        raise DomainNotFound(f"there is no domain with the ID {domain_id!r}")
    return f"/{_encoded(domain_id)}{plain_path(*parts)}"


def plain_path(*parts: str) -> str:
    """Return a path outside of domains, each part percent-encoded; raises ``NotFound``."""
    for part in parts:
        if not _can_be_addressed(part):
            raise NotFound(f"there is nothing with the ID {part!r}")
    return "".join(f"/{_encoded(part)}" for part in parts)


def _encoded(part: str) -> str:
    # Go routes a path that is encoded more than it has to be without decoding it.
    return quote(part, safe=":@$&+,;=")


def _can_be_addressed(part: str) -> bool:
    return part not in {"", ".", ".."} and part.isprintable()


def _kind(status: int) -> type[PlatformError]:
    match status:
        case 401:
            return InvalidToken
        case 409:
            return AlreadyExists
        case 429 | 503:
            return Overloaded
        case _ if 400 <= status < 500:
            return Rejected
        case _ if status >= 500:
            return Failed
    return BadAnswer
