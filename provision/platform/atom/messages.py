"""What Atom's messages mean: GraphQL answers carry no other code.

An error without a path came before anything ran; one with a path concerns the operation of that
alias alone. A message that is not listed here is told in Atom's words, and proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from provision.platform.errors import (
    AlreadyExists,
    Failed,
    Gone,
    InvalidToken,
    NotFound,
    NotPermitted,
    Overloaded,
    PlatformError,
    Rejected,
    Unavailable,
)

UNAUTHENTICATED: Final = re.compile(
    r"missing authentication|invalid token: .*|Authorization header must use Bearer"
    r"|session (expired|revoked|not found)|api key (expired|revoked)"
    r"|token tenant does not match entity"
)
INACTIVE_CALLER: Final = "entity is not active"
GONE: Final = re.compile(
    r"(entity|resource|direct policy|permission block) [0-9A-Fa-f-]+ not found"
)
"""Said to whoever asks, member or not: what is under this ID is not there."""
MEANINGS: Final[Sequence[tuple[re.Pattern[str], type[PlatformError]]]] = (
    (UNAUTHENTICATED, InvalidToken),
    (re.compile("forbidden"), NotPermitted),
    (GONE, Gone),
    (
        re.compile(
            r"active entity [0-9A-Fa-f-]+ not found|entity not found|not found"
            r"|(credential|shared key|access token) not found"
            r"|object permission block references unknown object"
            r"|assignment references (unknown entity|a deleted, disabled, or unknown subject)"
            r"|tenant assignment subject entity must belong to the tenant"
        ),
        NotFound,
    ),
    (re.compile("already exists"), AlreadyExists),
    (re.compile("database error|internal error"), Failed),
    (re.compile("rate limit exceeded|too many failed login attempts"), Overloaded),
    (
        re.compile(
            r"id must be a UUID|invalid reference|invalid CSR|invalid credentials"
            r"|kind is required without profile_id|alias must .*|password cannot be blank"
            r"|entity is not active|expiresAt must be RFC3339|unknown action: .*"
            r"|unsupported credential kind: .*|shared keys cannot be created for human entities"
            r"|entity parent group reference is invalid|profile [0-9A-Fa-f-]+ not found"
            r"|attributes failed profile schema validation: .*"
            r"|direct policy (references unknown permission block|tenantId must match .*)"
            r"|certificate TTL .*|certificate status must be active or revoked"
            r"|input must contain at most \d+ items|Failed to parse .*"
            r"|unscoped access token must not carry permissions"
            r"|access token requires at least one permission"
        ),
        Rejected,
    ),
)


def meaning(message: str, *, ran: bool) -> type[PlatformError]:
    """Return the error that a message stands for; ``ran`` where it has a path.

    A message that is not known is a plain ``PlatformError`` (502).
    """
    if not ran and message == INACTIVE_CALLER:
        return InvalidToken
    for pattern, kind in MEANINGS:
        if pattern.fullmatch(message):
            # Without a path, the check of the token failed: nothing ran.
            return Unavailable if kind is Failed and not ran else kind
    return PlatformError
