"""Where requests about a domain come in."""

from __future__ import annotations

from starlette.requests import Request

from bootstrap_core.secret import Secret
from provision.embedded.access import AccessControl
from provision.embedded.wire import bearer, path_text


async def enter(access: AccessControl, request: Request) -> tuple[Secret, str]:
    """Return the caller's token, which is valid, and the domain's ID as the path has it.

    Called first, so that a bad token is told before a bad body. Raises ``InvalidToken``.
    """
    token = bearer(request)
    await access.caller(token)
    return token, path_text(request, "domain_id")
