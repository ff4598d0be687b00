"""Taking over configs, profiles and bindings of the Go service, with a report row by row.

IDs, hashes of external keys and snapshots are kept as they are; secrets are sealed anew. What is
here already stays as it is, so that an import may be repeated.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from attrs import frozen
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core import binding_rows, config_rows, profile_rows
from bootstrap_core.binding_rows import seal_client_key, seal_secrets
from bootstrap_core.documents import Document
from bootstrap_core.errors import BootstrapError, Malformed, RenderError
from bootstrap_core.import_sources import Kind, Record
from bootstrap_core.keys import KeyHasher, is_hash
from bootstrap_core.model import Binding, Config, Profile, Status, new_revision, utc_now
from bootstrap_core.profile_documents import NewProfile, resource_type, slot_name
from bootstrap_core.rendering import Renderer
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from bootstrap_core.secure_transport import SecureTransport
from bootstrap_core.statuses import read_status

BYTEA: Final = "\\x"


class Result(StrEnum):
    """What became of a row."""

    CREATED = "created"
    THERE = "there already"
    INCOMPLETE = "created, incomplete"
    FAILED = "failed"


@frozen
class Outcome:
    """What became of one row; ``message`` says why where it is not simply created."""

    kind: Kind
    place: str
    id: str
    result: Result
    message: str = ""


class Importer:
    """Writes rows of the Go service into the store."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        hasher: KeyHasher,
        *,
        transport: SecureTransport | None = None,
        into_domain: str = "",
    ) -> None:
        """Without ``transport`` (the Go service's encryption key) its secrets stay closed.

        ``into_domain`` puts all rows into one domain instead of their own.
        """
        self._engine = engine
        self._sealer = sealer
        self._hasher = hasher
        self._renderer = Renderer()
        self._transport = transport
        self._into_domain = into_domain

    async def run(self, records: Iterable[Record]) -> AsyncIterator[Outcome]:
        """Take over ``records``, profiles before configs before bindings; tell of each."""
        for record in records:
            yield await self.take(record)

    async def take(self, record: Record) -> Outcome:
        """Take over one row; what is wrong with it is told and not raised."""
        row = Document(record.row)
        take = {
            Kind.PROFILE: self._profile,
            Kind.CONFIG: self._config,
            Kind.BINDING: self._binding,
        }[record.kind]
        name = str(row.values.get("id") or row.values.get("client_id") or "")
        try:
            result, message = await take(row)
        except RenderError as error:
            result, message = Result.FAILED, f"content_template: {error}"
        except BootstrapError as error:
            result, message = Result.FAILED, error.message
        except IntegrityError:
            result, message = Result.FAILED, "another one has its name, ID or external ID"
        return Outcome(record.kind, record.place, name, result, message)

    async def _profile(self, row: Document) -> tuple[Result, str]:
        new = NewProfile.read(_plain(row))
        self._renderer.check(new.content_format, new.content_template)
        profile = Profile(
            id=row.required_text("id"),
            domain_id=self._domain(row),
            name=new.name,
            content_format=new.content_format,
            created_at=_time(row, "created_at"),
            updated_at=_time(row, "updated_at"),
            description=new.description,
            content_template=new.content_template,
            defaults=new.defaults,
            binding_slots=new.binding_slots,
            version=_version(row),
            revision=new_revision(),
        )
        async with self._engine.begin() as connection:
            if await profile_rows.find(connection, profile.domain_id, profile.id):
                return Result.THERE, ""
            await profile_rows.add(connection, profile)
        return Result.CREATED, ""

    async def _config(self, row: Document) -> tuple[Result, str]:
        row = _plain(row)
        config_id = row.text("id") or row.required_text("client_id")
        domain_id = self._domain(row)
        hashed = await self._hash(row)
        key = Secret(row.text("client_key"))
        at = utc_now()
        config = Config(
            id=config_id,
            domain_id=domain_id,
            external_id=row.required_text("external_id"),
            external_key_hash=hashed,
            created_at=at,
            updated_at=at,
            name=row.text("name"),
            status=_status(row),
            profile_id=row.text("profile_id"),
            content=row.text("content"),
            render_context=row.object("render_context"),
            client_cert=row.text("client_cert"),
            sealed_client_key=seal_client_key(self._sealer, config_id, key),
            ca_cert=row.text("ca_cert"),
            revision=new_revision(),
        )
        async with self._engine.begin() as connection:
            if await config_rows.find(connection, domain_id, config_id):
                return Result.THERE, ""
            await _require_profile(connection, config)
            await config_rows.add(connection, config)
        return Result.CREATED, ""

    async def _binding(self, row: Document) -> tuple[Result, str]:
        row = _plain(row)
        config_id, slot = row.required_text("config_id"), slot_name(row, "slot")
        secrets, closed = self._secrets(row)
        binding = Binding(
            config_id=config_id,
            slot=slot,
            type=resource_type(row),
            resource_id=row.required_text("resource_id"),
            snapshot=row.object("snapshot"),
            updated_at=_time(row, "updated_at"),
            sealed_secret=seal_secrets(self._sealer, config_id, slot, secrets),
        )
        async with self._engine.begin() as connection:
            bound = await binding_rows.of_config(connection, config_id)
            if any(each.slot == slot for each in bound):
                return Result.THERE, ""
            if not await config_rows.touch(connection, config_id, new_revision()):
                raise Malformed(f"config_id: config {config_id} was not taken over")
            await binding_rows.put(connection, [binding])
        if closed:
            return Result.INCOMPLETE, "its secrets are not readable; refresh the config's bindings"
        return Result.CREATED, ""

    def _domain(self, row: Document) -> str:
        return self._into_domain or row.required_text("domain_id")

    async def _hash(self, row: Document) -> str:
        written = row.text("external_key")
        if not written:
            raise Malformed("external_key: is not told by the source; give the device's key")
        # The oldest releases kept keys in clear; they are hashed on the way.
        return written if is_hash(written) else await self._hasher.hash(Secret(written))

    def _secrets(self, row: Document) -> tuple[Mapping[str, Any], bool]:
        """Return a binding's secrets, and whether there are some that cannot be read."""
        kept = row.object("secret_snapshot")
        ciphertext = kept.get("ciphertext")
        if "secret_snapshot" not in row:
            # The API does not tell; a client has a secret.
            return {}, row.values.get("type") == "client"
        if not isinstance(ciphertext, str):
            return kept, False
        opened = self._transport.decrypt_key(ciphertext.encode()) if self._transport else None
        try:
            secrets = json.loads(opened or b"")
        except ValueError:
            return {}, True
        return (secrets, False) if isinstance(secrets, dict) else ({}, True)


async def _require_profile(connection: AsyncConnection, config: Config) -> None:
    if not config.profile_id:
        return
    if await profile_rows.find(connection, config.domain_id, config.profile_id) is None:
        raise Malformed(f"profile_id: profile {config.profile_id} was not taken over")


def _plain(row: Document) -> Document:
    """Return a row with its JSON columns read, whichever way the dump has written them."""
    return Document({key: _json(value) for key, value in row.values.items()}, row.place)


def _json(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON in bytea, which PostgreSQL writes as text in hexadecimal; leave the rest."""
    if not isinstance(value, str) or not value.startswith(BYTEA):
        return value
    try:
        return json.loads(bytes.fromhex(value[len(BYTEA) :]))
    except ValueError:
        return value


def _status(row: Document) -> Status:
    """Read ``status`` (0 enabled, 1 disabled) or the older ``state`` (1 active, 0 inactive)."""
    if row.values.get("status") is not None:
        return read_status(row.values["status"], "status") or Status.ENABLED
    return Status.DISABLED if row.values.get("state") in (0, "0") else Status.ENABLED


def _version(row: Document) -> int:
    written = row.values.get("version") or 1
    try:
        return int(written)
    except (TypeError, ValueError) as error:
        raise Malformed(f"version: {written!r} is not a whole number") from error


def _time(row: Document, key: str) -> datetime:
    """Read a time; the Go service's tables keep UTC without saying so."""
    written = row.text(key)
    if not written:
        return utc_now()
    try:
        at = datetime.fromisoformat(written)
    except ValueError as error:
        raise Malformed(f"{key}: {written!r} is not a time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
