"""Certificates of servers, which the installation itself asks for: no domain has them."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Secret
from provision.embedded.errors import Taken
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.tables import certificates
from provision.embedded.users import administrator
from provision.pki.issuer import Issuer
from provision.pki.keys import PrivateKey, fingerprint
from provision.pki.profiles import ClientProfile, IssuedCertificate, ServerNames, issue_to_server
from provision.pki.trial import Side, check_verifies

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
    Raises ``Missing`` or ``WrongPassword``: the users are those of another first start, also of
    one at this very moment.
    """
    if await platform.users.is_empty():
        # Where another process was faster, its administrator has another password.
        with contextlib.suppress(Taken):
            await platform.users.register(administrator(username, email, password))
    token = (await platform.users.sign_in(username, password)).access
    user = await platform.view_user(token)
    if home := await platform.home_domain(token):
        return Operator(user.id, username, password, home)
    made = await platform.domains.create_for(user.id, domain_name, domain_name, [], {})
    return Operator(user.id, username, password, made.id)


NO_DOMAIN: Final = ""


class ServerCertificates:
    """Issues and revokes certificates of servers, such as the broker.

    CRL and OCSP tell of them as of the clients' certificates.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        issuer: Issuer,
        profile: ClientProfile,
        now: Callable[[], datetime],
    ) -> None:
        """Keep certificates in ``engine``; ``profile`` has the addresses written into them."""
        self._engine = engine
        self._issuer = issuer
        self._profile = profile
        self._now = now

    @property
    def chain(self) -> str:
        """What verifies issued certificates, as PEM, issuer first and root last."""
        return self._issuer.chain_pem()

    @property
    def chain_below_root(self) -> str:
        """What a server shows beside its certificate, as PEM: the chain without its root."""
        above = self._issuer.chain[:-1]
        return Issuer(self._issuer.key, above).chain_pem()

    async def issue(
        self, server: ServerNames, key: PrivateKey, ttl: timedelta
    ) -> IssuedCertificate:
        """Issue a certificate; it is verified as a device does before it is kept.

        Raises ``LifetimeInvalid`` and ``IssuerUnusable``: the authority may not sign this one.
        """
        now = self._now()
        issued = issue_to_server(self._issuer, self._profile, server, key.public_key, ttl, now)
        check_verifies(self._issuer, issued.pem, key, Side.SERVER)
        row = {
            "serial": issued.serial,
            "domain_id": NO_DOMAIN,
            "client_id": _server_id(server),
            "issuer": fingerprint(self._issuer.key.public_key),
            "public_key": fingerprint(key.public_key),
            "generation": 0,
            "certificate": issued.pem,
            "starts_at": issued.starts_at,
            "expires_at": issued.expires_at,
            "revoked_at": None,
            "created_at": now,
        }
        async with self._engine.begin() as connection:
            await connection.execute(insert(certificates).values(row))
        return issued

    async def revoke_earlier(self, server: ServerNames, last: IssuedCertificate) -> int:
        """Revoke the certificates of a server but its last one; return how many."""
        async with self._engine.begin() as connection:
            done = await connection.execute(
                update(certificates)
                .where(
                    certificates.c.domain_id == NO_DOMAIN,
                    certificates.c.client_id == _server_id(server),
                    certificates.c.serial != last.serial,
                    certificates.c.revoked_at.is_(None),
                )
                .values(revoked_at=self._now().replace(microsecond=0))
            )
        return done.rowcount


def _server_id(server: ServerNames) -> str:
    """Return what stands where clients have their ID; names may be longer than IDs."""
    return "server:" + hashlib.sha256(server.name.encode()).hexdigest()[:40]
