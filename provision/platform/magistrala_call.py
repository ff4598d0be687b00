"""One call to a service of Magistrala, its answer, and what a refusal means.

Magistrala says with odd statuses what went wrong (403 for what does not exist, 400 for what exists
already), and differently for each call, so a call brings its own ``meaning``: the error for a
status, or for a status with certain words.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from attrs import field, frozen

from bootstrap_core.secret import MASK, Secret
from provision.platform.errors import (
    AlreadyExists,
    BadAnswer,
    DomainNotFound,
    Failed,
    InvalidToken,
    NotAMember,
    NotFound,
    Overloaded,
    PlatformError,
    Rejected,
)

Meaning: TypeAlias = Mapping[int | tuple[int, str], type[PlatformError]]

OF_DOMAIN: Final[Meaning] = {403: NotAMember, 404: DomainNotFound}
"""What a refusal means where the whole domain is addressed."""
OF_ENTITY: Final[Meaning] = {403: NotFound, 404: NotFound}
"""What a refusal means where something in a domain is addressed."""
LONGEST_WORDS: Final = 300
SHORTEST_MASKED: Final = 4


@frozen
class Call:
    """A request: ``service`` and ``operation`` name it in errors, ``path`` begins with a slash.

    ``repeatable`` calls may be made again though the first may have taken effect. A refusal that is
    listed in ``already`` (status and words) says that what was asked is so already: a success. The
    texts of ``confidential`` and the token never show in an error.
    """

    service: str
    operation: str
    method: str
    path: str
    token: Secret | None = None
    query: Mapping[str, str] = field(factory=dict)
    body: Any = field(default=None, repr=False)
    meaning: Meaning = field(factory=dict)
    already: Collection[tuple[int, str]] = ()
    repeatable: bool = False
    confidential: Sequence[Secret] = ()

    def content(self) -> bytes:
        """Return the body as JSON; nothing for a call without one."""
        if self.body is None:
            return b""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


@frozen
class Answer:
    """What came back: the status, the body, and the wait that was asked for, in seconds."""

    call: Call
    status: int
    body: bytes = field(repr=False)
    retry_after: float | None = None

    def checked(self) -> Answer:
        """Return the answer of a call that succeeded; raises what a refusal means."""
        if 200 <= self.status < 300 or (self.status, self._words()) in self.call.already:
            return self
        raise self._refusal()

    def _refusal(self) -> PlatformError:
        words = self._words()
        told = f": {_masked(words, self.call)}" if words else ""
        service, operation = self.call.service, self.call.operation
        kind = self.call.meaning.get((self.status, words)) or self.call.meaning.get(self.status)
        kind = kind or _kind(self.status)
        text = f"{kind.__doc__} The {service} service answered {self.status} to {operation}{told}"
        if issubclass(kind, Overloaded):
            return kind(text, service=service, operation=operation, retry_after=self.retry_after)
        if issubclass(kind, Rejected):
            return kind(text, service=service, operation=operation, answered=self.status)
        return kind(text, service=service, operation=operation)

    def _words(self) -> str:
        try:
            document = json.loads(self.body)
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


def _masked(words: str, call: Call) -> str:
    texts = {secret.reveal() for secret in (call.token, *call.confidential) if secret}
    for text in sorted(texts, key=len, reverse=True):
        # A shorter one would be told by the holes that it leaves in every other word.
        if len(text) >= SHORTEST_MASKED:
            words = words.replace(text, MASK)
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return printable[:LONGEST_WORDS]
