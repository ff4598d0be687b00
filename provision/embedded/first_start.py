"""The first start: an administrator and a domain, where there is no user yet."""

from __future__ import annotations

import secrets
from typing import Final

from attrs import frozen

from bootstrap_core.secret import Secret
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.users import administrator

PASSWORD_BYTES: Final = 18


@frozen
class Operator:
    """What the operator of a new installation signs in with; the password is told only here."""

    user_id: str
    username: str
    password: Secret
    domain_id: str


async def first_start(
    platform: EmbeddedPlatform,
    *,
    username: str = "operator",
    email: str = "operator@localhost.localdomain",
    domain_name: str = "default",
) -> Operator | None:
    """Make the administrator, with a random password, and a domain; ``None`` if there are users.

    Raises ``Taken`` when another process does the same at the same moment.
    """
    if not await platform.users.is_empty():
        return None
    password = Secret(secrets.token_urlsafe(PASSWORD_BYTES))
    user = await platform.users.register(administrator(username, email, password))
    domain = await platform.domains.create_for(user.id, domain_name, domain_name, [], {})
    return Operator(user.id, username, password, domain.id)
