"""The embedded certificate authority behind the port ``CertificateAuthority``.

Signing is repeatable: the same public key for the same client gives the certificate that is there,
until two thirds of its life have passed or it is revoked. So a call whose answer was lost, or that
is repeated after a crash, leaves no second certificate.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Secret
from provision.embedded.issuer_store import NoUpperLists, UpperLists
from provision.embedded.tables import certificates
from provision.pki import status
from provision.pki.errors import IssuerUnusable, OcspMalformed, PkiError
from provision.pki.issuer import Issuer, normal_serial, read_serial, write_serial
from provision.pki.keys import PublicKey, fingerprint
from provision.pki.profiles import DUE_AFTER, ClientProfile, issue
from provision.pki.requests import Holder, check_request
from provision.pki.status import CRL_LIFETIME, Revocation, make_revocation_list
from provision.platform.errors import NotFound, Rejected, Unavailable
from provision.platform.types import Certificate, Page, SigningRequest

SERVICE: Final = "certs"


class Members(Protocol):
    """Says who may do what in a domain; the embedded platform does."""

    async def check_member(self, token: Secret, domain_id: str) -> object:
        """Raise the platform's error unless the caller is a member of the domain."""
        ...

    async def check_change(self, token: Secret, domain_id: str) -> object:
        """Raise the platform's error unless the caller may change clients of the domain."""
        ...

    async def check_holder(self, token: Secret, domain_id: str, client_id: str) -> object:
        """Raise the platform's error unless the caller may have a certificate for the client."""
        ...


class EmbeddedAuthority:
    """Issues and revokes client certificates with an issuer of its own or the operator's.

    Certificates, CRL and OCSP answers are those of the issuer given; certificates of an issuer
    used earlier stay listed and can be revoked here, but only that issuer's own CRL could say so.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        members: Members,
        issuer: Issuer,
        profile: ClientProfile,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        upper_lists: UpperLists | None = None,
    ) -> None:
        """Keep certificates in ``engine``; ``profile`` has the addresses written into them.

        ``upper_lists`` are the CRLs of the authorities above ``issuer``.
        """
        self._engine = engine
        self._members = members
        self._issuer = issuer
        self._issuer_id = fingerprint(issuer.key.public_key)
        self._profile = profile
        self._now = now
        self._upper_lists = upper_lists or NoUpperLists()
        self._list: tuple[object, datetime, bytes] | None = None

    async def sign(self, token: Secret, domain_id: str, request: SigningRequest) -> Certificate:
        """Issue a certificate for the public key of the request, or return the one it has.

        Raises ``Rejected`` (the request, its names or the lifetime are not acceptable),
        ``NotFound`` (no such client in the domain) and what ``Members`` raises.
        """
        await self._members.check_holder(token, domain_id, request.client_id)
        holder = Holder(domain_id, request.client_id)
        with _platform_errors("sign"):
            key = check_request(request.csr, holder)
            try:
                row = await self._issue(holder, key, request.ttl)
            except IntegrityError:
                # Another process issued for this key in the same moment: its certificate counts.
                row = await self._issue(holder, key, request.ttl)
        return _certificate(row)

    async def view_certificate(self, token: Secret, domain_id: str, serial: str) -> Certificate:
        """Return one certificate of the domain (``NotFound`` when the serial is unknown)."""
        await self._members.check_member(token, domain_id)
        query = select(certificates).where(*_one(domain_id, serial))
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            raise _unknown(serial, "view_certificate")
        return _certificate(row)

    async def list_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> Sequence[Certificate]:
        """List all certificates of a client, newest first, revoked ones too."""
        await self._members.check_member(token, domain_id)
        query = (
            select(certificates)
            .where(certificates.c.domain_id == domain_id, certificates.c.client_id == client_id)
            .order_by(*_NEWEST_FIRST)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_certificate(row) for row in rows]

    async def list_all_certificates(
        self, token: Secret, domain_id: str, offset: int, limit: int
    ) -> Page[Certificate]:
        """List the certificates of all clients of a domain, newest first."""
        await self._members.check_member(token, domain_id)
        mine = certificates.c.domain_id == domain_id
        whole = select(certificates).where(mine).order_by(*_NEWEST_FIRST)
        query = whole.offset(offset).limit(limit)
        count = select(func.count()).select_from(certificates).where(mine)
        async with self._engine.connect() as connection:
            total = await connection.scalar(count) or 0
            rows = (await connection.execute(query)).mappings().all()
        return Page([_certificate(row) for row in rows], total, offset, limit)

    async def revoke_certificate(self, token: Secret, domain_id: str, serial: str) -> None:
        """Revoke one certificate (``NotFound`` when unknown); the first revocation's time stays."""
        await self._members.check_change(token, domain_id)
        change = update(certificates).where(*_one(domain_id, serial))
        async with self._engine.begin() as connection:
            done = await connection.execute(
                change.values(
                    revoked_at=func.coalesce(certificates.c.revoked_at, self._moment()),
                )
            )
        if not done.rowcount:
            raise _unknown(serial, "revoke_certificate")

    async def revoke_client_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> None:
        """Revoke every certificate of a client; none at all is no error."""
        await self._members.check_change(token, domain_id)
        async with self._engine.begin() as connection:
            await connection.execute(
                update(certificates)
                .where(
                    certificates.c.domain_id == domain_id,
                    certificates.c.client_id == client_id,
                    certificates.c.revoked_at.is_(None),
                )
                .values(revoked_at=self._moment())
            )

    async def chain(self) -> str:
        """Return the issuer's certificate and what verifies it, root last, as PEM."""
        return self._issuer.chain_pem()

    async def revocation_list(self) -> bytes:
        """Return the current CRL, DER encoded.

        It is signed again when a certificate was revoked since, or when half its time has passed.
        """
        now = self._moment()
        listed = (
            certificates.c.issuer == self._issuer_id,
            certificates.c.revoked_at.is_not(None),
            # RFC 5280, section 3.3: entries stay for one list beyond the certificate's end.
            certificates.c.expires_at > now - CRL_LIFETIME,
        )
        # An entry that leaves the list takes the first end with it: one that comes in its place,
        # in the same second as the last one, shows all the same.
        last, first_end = func.max(certificates.c.revoked_at), func.min(certificates.c.expires_at)
        state = select(func.count(), last, first_end).where(*listed)
        query = select(certificates.c.serial, certificates.c.revoked_at).where(*listed)
        async with self._engine.connect() as connection:
            seen = tuple((await connection.execute(state)).one())
            if self._list and self._list[0] == seen and now < self._list[1]:
                return self._list[2]
            rows = (await connection.execute(query)).all()
        revocations = [Revocation(read_serial(serial), at) for serial, at in rows]
        signed = make_revocation_list(self._issuer, revocations, now)
        self._list = (seen, now + CRL_LIFETIME / 2, signed)
        return signed

    async def revocation_lists(self) -> Sequence[bytes]:
        """Return the current CRL and those of the authorities above, DER encoded.

        Raises ``Unavailable``: one of them can't be had.
        """
        with _platform_errors("get the CRLs"):
            return [await self.revocation_list(), *await self._upper_lists.current()]

    async def answer_ocsp(self, request: bytes) -> bytes:
        """Answer an OCSP request (RFC 6960), DER to DER; an unreadable one has an answer too."""
        try:
            questions = status.read_questions(request)
        except OcspMalformed:
            return status.malformed()
        return await self._answer(questions)

    async def answer_about(self, serial: str) -> bytes:
        """Return the OCSP answer about one certificate of this authority, DER encoded.

        Raises ``Rejected``: ``serial`` is no serial number.
        """
        if not (known := normal_serial(serial)):
            raise Rejected(
                "serial_number must be the number in hex, as 0a:1b:2c",
                service=SERVICE,
                operation="ocsp",
                answered=400,
            )
        return await self._answer([status.question_about(self._issuer, read_serial(known))])

    async def _answer(self, questions: Sequence[status.OcspQuestion]) -> bytes:
        states = await self._states({write_serial(each.serial) for each in questions})
        unknown = status.CertificateState(issued=False)
        answered = [(each, states.get(write_serial(each.serial), unknown)) for each in questions]
        return status.answer(self._issuer, answered, self._moment())

    async def _states(self, serials: Collection[str]) -> Mapping[str, status.CertificateState]:
        """Return what is known of certificates by their serial numbers, those issued here alone."""
        query = select(certificates.c.serial, certificates.c.revoked_at).where(
            certificates.c.issuer == self._issuer_id, certificates.c.serial.in_(serials)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return {serial: status.CertificateState(issued=True, revoked_at=at) for serial, at in rows}

    async def _issue(self, holder: Holder, key: PublicKey, ttl: timedelta) -> Mapping[Any, Any]:
        now = self._now()
        named = {
            "domain": holder.domain_id,
            "client": holder.client_id,
            "key": fingerprint(key),
            "issued_by": self._issuer_id,
        }
        async with self._engine.begin() as connection:
            latest = (await connection.execute(_LATEST, named)).mappings().first()
            if latest is not None and _still_serves(latest, now):
                return latest
            issued = issue(self._issuer, self._profile, holder, key, ttl, now)
            row = {
                "serial": issued.serial,
                "domain_id": holder.domain_id,
                "client_id": holder.client_id,
                "issuer": self._issuer_id,
                "public_key": named["key"],
                "generation": latest["generation"] + 1 if latest is not None else 0,
                "certificate": issued.pem,
                "starts_at": issued.starts_at,
                "expires_at": issued.expires_at,
                "revoked_at": None,
                "created_at": now,
            }
            await connection.execute(_ADD, row)
            return row

    def _moment(self) -> datetime:
        return self._now().replace(microsecond=0)


_NEWEST_FIRST: Final = (certificates.c.created_at.desc(), certificates.c.serial)
# What every signing runs is built once.
_LATEST: Final = (
    select(certificates)
    .where(
        certificates.c.domain_id == bindparam("domain"),
        certificates.c.client_id == bindparam("client"),
        certificates.c.public_key == bindparam("key"),
        certificates.c.issuer == bindparam("issued_by"),
    )
    .order_by(certificates.c.generation.desc())
    .limit(1)
)
_ADD: Final = insert(certificates)


def _still_serves(row: Mapping[Any, Any], now: datetime) -> bool:
    life = row["expires_at"] - row["created_at"]
    return row["revoked_at"] is None and now < row["created_at"] + life * DUE_AFTER


def _one(domain_id: str, serial: str) -> tuple[ColumnElement[bool], ...]:
    return (
        certificates.c.domain_id == domain_id,
        certificates.c.serial == normal_serial(serial),
    )


def _certificate(row: Mapping[Any, Any]) -> Certificate:
    return Certificate(
        serial=row["serial"],
        client_id=row["client_id"],
        certificate=row["certificate"],
        expires_at=row["expires_at"],
        revoked=row["revoked_at"] is not None,
    )


def _unknown(serial: str, operation: str) -> NotFound:
    return NotFound(
        f"there is no certificate with the serial number {serial[:64]!r} in this domain",
        service=SERVICE,
        operation=operation,
    )


@contextlib.contextmanager
def _platform_errors(operation: str) -> Iterator[None]:
    try:
        yield
    except IssuerUnusable as error:
        raise Unavailable(error.message, service=SERVICE, operation=operation) from error
    except PkiError as error:
        raise Rejected(
            error.message, service=SERVICE, operation=operation, answered=error.status
        ) from error
