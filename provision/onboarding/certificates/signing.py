"""How long private keys are kept here, and which devices hold their own."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from attrs import evolve, frozen
from cryptography import x509
from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Secret
from provision.layout.plan import Plan, PlannedCertificate
from provision.layout.report import MOST_HINTED
from provision.onboarding.clock import Backoff, Clock, Timing
from provision.onboarding.creation import TRIES, all_of
from provision.onboarding.errors import RequestNotUsable
from provision.onboarding.model import Intent, IssuedCertificate
from provision.onboarding.steps import SideEffects
from provision.onboarding.tables import certificate_requests as requests
from provision.pki.errors import PkiError
from provision.pki.keys import KeyType, check_strength, fingerprint, make_key, read_key
from provision.pki.profiles import due_at
from provision.pki.requests import Holder, check_request, make_request
from provision.platform.errors import NotFound, PlatformError
from provision.platform.port import CertificateAuthority
from provision.platform.types import Certificate, SigningRequest

KEPT_AFTER: Final = timedelta(days=365)
"""How much longer than its certificate a request is kept."""


@frozen
class KeyOfClient:
    """A public key (its fingerprint) of a client."""

    domain_id: str
    client_id: str
    fingerprint: str


class CertificateRequests:
    """Keeps the latest request for each key."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        """Keep them in ``engine``."""
        self._engine = engine
        self._clock = clock

    async def keep(self, key: KeyOfClient, csr: str, ends: datetime) -> None:
        """Keep a request whose certificate ends at ``ends``; forget those that are long over."""
        row = {
            "domain_id": key.domain_id,
            "client_id": key.client_id,
            "public_key": key.fingerprint,
            "csr": csr,
            "kept_until": ends + KEPT_AFTER,
        }
        # Where the same request comes twice at once, one is enough.
        with contextlib.suppress(IntegrityError):
            async with self._engine.begin() as connection:
                over = requests.c.kept_until < self._clock.now()
                await connection.execute(delete(requests).where(over))
                await connection.execute(delete(requests).where(*_of(key)))
                await connection.execute(insert(requests).values(row))

    async def find(self, key: KeyOfClient) -> str:
        """Return the request for a key; empty where there was none."""
        async with self._engine.connect() as connection:
            found = await connection.scalar(select(requests.c.csr).where(*_of(key)))
        return found or ""


def _of(key: KeyOfClient) -> tuple[ColumnElement[bool], ...]:
    return (
        requests.c.domain_id == key.domain_id,
        requests.c.client_id == key.client_id,
        requests.c.public_key == key.fingerprint,
    )


NO_KEY = Secret("")
RSA: Final = frozenset({KeyType.RSA_2048, KeyType.RSA_4096})


@frozen
class Wanted:
    """A certificate that is to be signed; ``private_key`` is empty where the device holds it."""

    holder: Holder
    request: SigningRequest
    private_key: Secret
    fingerprint: str


async def make_private_keys(plan: Plan, but: Collection[str] = ()) -> Mapping[str, Secret]:
    """Return a new private key (PEM) for each planned certificate, by client ID.

    Clients in ``but`` get none: their devices hold the key.
    """
    wanted = [each for each in plan.certificates if each.client_id not in but]
    keys = await all_of(make_private_key(KeyType(each.key_type)) for each in wanted)
    return {each.client_id: key for each, key in zip(wanted, keys, strict=True)}


async def make_private_key(key_type: KeyType) -> Secret:
    """Return a new private key (PEM)."""

    def make() -> Secret:
        return Secret(make_key(key_type).pem())

    # An RSA key takes a second; handing any other to a thread takes longer than making it.
    return await asyncio.to_thread(make) if key_type in RSA else make()


class Certification:
    """Has certificates signed, for one authority."""

    def __init__(self, authority: CertificateAuthority, clock: Clock, timing: Timing) -> None:
        """Take the authority and the time."""
        self._authority = authority
        self._timing = timing
        self._clock = clock

    async def certify(
        self, token: Secret, intent: Intent, effects: SideEffects
    ) -> tuple[tuple[IssuedCertificate, ...], str]:
        """Have the plan's certificates signed; return them and the chain (PEM, issuer first)."""
        return await self._all(intent, lambda each: self._sign(token, each, effects))

    async def certify_again(
        self, token: Secret, intent: Intent, effects: SideEffects
    ) -> tuple[tuple[IssuedCertificate, ...], str]:
        """Do the same where it may have been done before: what is signed already is taken."""

        async def sign(wanted: Wanted) -> Certificate:
            found = await self._signed_before(token, wanted)
            return found or await self._sign(token, wanted, effects)

        return await self._all(intent, sign)

    async def _all(
        self, intent: Intent, sign: Callable[[Wanted], Awaitable[Certificate]]
    ) -> tuple[tuple[IssuedCertificate, ...], str]:
        wanted = [_wanted(intent, each) for each in intent.plan.certificates]
        if not wanted:
            return (), ""
        chain = asyncio.ensure_future(self._authority.chain())
        signed = [asyncio.ensure_future(sign(each)) for each in wanted]
        await all_of([chain, *signed])
        issued = [_issued(each, done.result()) for each, done in zip(wanted, signed, strict=True)]
        return tuple(issued), chain.result()

    async def _sign(self, token: Secret, wanted: Wanted, effects: SideEffects) -> Certificate:
        backoff = Backoff(self._clock, self._timing.visible_after)
        tries = 0
        while True:
            tries += 1
            try:
                return await self._authority.sign(token, wanted.holder.domain_id, wanted.request)
            except NotFound:
                # The client was created a moment ago and may not be visible yet.
                if not await backoff.pause():
                    raise
            except PlatformError as error:
                effects.note_failure(error)
                if not error.outcome_unknown:
                    raise
                if found := await self._signed_before(token, wanted):
                    return found
                if tries >= TRIES:
                    raise

    async def _signed_before(self, token: Secret, wanted: Wanted) -> Certificate | None:
        """Return the certificate that was signed for the same key, unless its end is near.

        What has used up two thirds of its life is not taken for new.
        """
        domain_id, client_id = wanted.holder.domain_id, wanted.holder.client_id
        now = self._clock.now()
        for listed in await self._authority.list_certificates(token, domain_id, client_id):
            if listed.revoked or listed.expires_at <= now:
                continue
            whole = await self._authority.view_certificate(token, domain_id, listed.serial)
            certificate = x509.load_pem_x509_certificate(whole.certificate.encode())
            if now >= due_at(certificate):
                continue
            if fingerprint(check_strength(certificate.public_key())) == wanted.fingerprint:
                return whole
        return None


def _wanted(intent: Intent, planned: PlannedCertificate) -> Wanted:
    holder = Holder(intent.plan.domain_id, planned.client_id)
    csr = intent.csrs.get(planned.client_id, "")
    pem = NO_KEY if csr else intent.private_keys[planned.client_id]
    csr = csr or make_request(read_key(pem.encode()), holder)
    ttl = timedelta(seconds=planned.ttl_seconds)
    key = check_request(csr, holder)
    return Wanted(holder, SigningRequest(planned.client_id, csr, ttl), pem, fingerprint(key))


def _issued(wanted: Wanted, signed: Certificate) -> IssuedCertificate:
    return IssuedCertificate(
        client_id=wanted.holder.client_id,
        serial=signed.serial,
        certificate=signed.certificate,
        expires_at=signed.expires_at,
        private_key=wanted.private_key,
        csr=wanted.request.csr,
    )


class KeepKeys(StrEnum):
    """How long a client's private key is kept, sealed, after its certificate was issued."""

    ALWAYS = "always"
    """As long as the gateway is there: each fetch delivers it."""
    UNTIL_FETCHED = "until_fetched"
    """Until the device has fetched its configuration with it."""
    NEVER = "never"
    """Not at all: it is in the answer to whoever asked, and nowhere else."""


def without_keys(intent: Intent, client_ids: Collection[str]) -> Intent:
    """Return the intent without the private keys of these clients' certificates.

    A key that waits for the client's next certificate stays.
    """
    dropped = {
        each.client_id: each.private_key
        for each in intent.certificates
        if each.client_id in client_ids
    }

    def bare(certificate: IssuedCertificate) -> IssuedCertificate:
        if certificate.client_id not in dropped:
            return certificate
        return evolve(certificate, private_key=NO_KEY)

    return evolve(
        intent,
        private_keys={k: v for k, v in intent.private_keys.items() if v != dropped.get(k)},
        certificates=tuple(bare(each) for each in intent.certificates),
    )


def device_requests(plan: Plan, csrs: Mapping[str, str]) -> Mapping[str, str]:
    """Return certificate requests by client ID, checked; ``csrs`` has them by the layout's keys.

    Raises ``RequestNotUsable``: there is no such client, it gets no certificate, or the request
    is malformed, weak, or asks for names that the client may not have.
    """
    certified = {each.client_id for each in plan.certificates}
    clients = {each.key: each.id for each in plan.clients if each.id in certified}
    unknown = [key for key in csrs if key not in clients]
    problems = [(key, _unknown(key, plan, clients)) for key in unknown[:MOST_HINTED]]
    for key, csr in csrs.items():
        if key not in clients:
            continue
        try:
            check_request(csr, Holder(plan.domain_id, clients[key]))
        except PkiError as error:
            problems.append((key, error.message))
    if problems:
        raise RequestNotUsable(
            "; ".join(f"csrs.{key}: {text}" for key, text in problems),
            details={f"csrs.{key}": text for key, text in problems},
        )
    return {clients[key]: csr for key, csr in csrs.items()}


def _unknown(key: str, plan: Plan, clients: Collection[str]) -> str:
    if any(each.key == key for each in plan.clients):
        return f"layout {plan.layout!r} gives this client no certificate"
    near = difflib.get_close_matches(key, clients, n=1)
    hint = f", did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(clients)) or "none"
    return f"no client of layout {plan.layout!r}{hint}; clients with a certificate: {known}"
