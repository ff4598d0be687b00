"""The first start: an administrator and a domain, where there is no user yet."""

from __future__ import annotations

import secrets
from typing import Final

from attrs import frozen

from bootstrap_core.secret import Secret
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.users import administrator

USERNAME: Final = "operator"
PASSWORD_BYTES: Final = 18
DOMAIN: Final = "default"


@frozen
class Operator:
    """What the operator of a new installation signs in with."""

    user_id: str
    username: str
    password: Secret
    domain_id: str


def new_password() -> Secret:
    """Return a password that nobody guesses."""
    return Secret(secrets.token_urlsafe(PASSWORD_BYTES))


async def first_start(
    platform: EmbeddedPlatform,
    password: Secret,
    *,
    username: str = USERNAME,
    email: str = "operator@localhost.localdomain",
    domain_name: str = DOMAIN,
) -> Operator:
    """Make the administrator, where there are no users, and a domain, where there is none of his.

    It may be repeated with the same password, and then finishes what an earlier start began.
    Raises ``WrongPassword``: there is an administrator with another password.
    """
    if await platform.users.is_empty():
        await platform.users.register(administrator(username, email, password))
    token = (await platform.issue_token(username, password)).access
    user = await platform.view_user(token)
    found = await platform.list_domains(token, 0, 1)
    if found.items:
        return Operator(user.id, username, password, found.items[0].id)
    made = await platform.domains.create_for(user.id, domain_name, domain_name, [], {})
    return Operator(user.id, username, password, made.id)
