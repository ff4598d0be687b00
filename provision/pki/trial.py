"""A trial of certificates: the TLS library that brokers use verifies one, in memory.

What an authority may sign depends on its whole chain: path lengths, extended key usages, name
constraints. So nothing here reads them: a certificate is made and shown to OpenSSL.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final
from uuid import UUID

from provision.pki.errors import IssuerUnusable
from provision.pki.issuer import Issuer
from provision.pki.keys import PrivateKey, make_key
from provision.pki.profiles import ClientProfile, issue
from provision.pki.requests import Holder

NOBODY: Final = Holder(str(UUID(int=0)), str(UUID(int=0)))
"""Whom the trial certificate is for; what an authority may not sign has the same form."""
LIFETIME: Final = timedelta(hours=1)
NO_CHECK_TIME: Final = 0x200000
"""``X509_V_FLAG_NO_CHECK_TIME`` of OpenSSL: ``read_issuer`` has checked the times."""


class Side(Enum):
    """Who shows the certificate in a TLS handshake."""

    CLIENT = "client"
    SERVER = "server"


def try_issuer(issuer: Issuer, now: datetime) -> None:
    """Make a client certificate and have it verified.

    Raises ``IssuerUnusable``: no broker would accept what this authority signs.
    """
    key = make_key()
    made = issue(issuer, ClientProfile(), NOBODY, key.public_key, LIFETIME, now)
    check_verifies(issuer, made.pem, key, Side.CLIENT)


def check_verifies(issuer: Issuer, pem: str, key: PrivateKey, side: Side) -> None:
    """See that who trusts the root of ``issuer`` accepts a certificate of it, on that side.

    Raises ``IssuerUnusable`` with OpenSSL's words.
    """
    server, client = _contexts(pem, key)
    _trust(client if side is Side.SERVER else server, issuer)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_side=False),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    try:
        _shake_hands([end.do_handshake for end in ends])
    except ssl.SSLCertVerificationError as error:
        raise IssuerUnusable(
            f"a trial {side.value} certificate of this authority does not verify "
            f"({error.verify_message}): use an authority whose chain may sign them; see its path "
            "lengths, extended key usages and name constraints"
        ) from error
    except ssl.SSLError as error:
        raise IssuerUnusable(
            f"a trial {side.value} certificate of this authority can't be used for TLS "
            f"({error.reason})"
        ) from error


def _contexts(pem: str, key: PrivateKey) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's and a client's context; both have the certificate, and trust anybody."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    with tempfile.TemporaryDirectory() as directory:
        # The library reads files only; the key is the trial's own, and worth nothing after it.
        certificate, secret = Path(directory, "trial.pem"), Path(directory, "trial.key")
        certificate.write_text(pem)
        secret.write_text(key.pem())
        for context in (server, client):
            context.load_cert_chain(certificate, secret)
    return server, client


def _trust(context: ssl.SSLContext, issuer: Issuer) -> None:
    context.load_verify_locations(cadata=issuer.chain_pem())
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= NO_CHECK_TIME


def _shake_hands(steps: list[Callable[[], None]]) -> None:
    """Let both ends take turns until each has verified the other."""
    waiting = steps
    while waiting:
        waiting = [step for step in waiting if not _done(step)]


def _done(step: Callable[[], None]) -> bool:
    try:
        step()
    except ssl.SSLWantReadError:
        return False
    return True
