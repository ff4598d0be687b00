"""Taking over configs, profiles and bindings of the Go service, with a report row by row.

IDs, hashes of external keys and snapshots are kept as they are; secrets are sealed anew. What is
here already stays as it is, so that an import may be repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

import httpx
from attrs import field, frozen
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.bodies import GIVEN, Check
from bootstrap_core.credentials import external_id_fault, external_key_fault
from bootstrap_core.decoding import decode, read
from bootstrap_core.delivery.secure_transport import SecureTransport
from bootstrap_core.errors import BootstrapError, Malformed, RenderError
from bootstrap_core.formats.profile_documents import NewProfile
from bootstrap_core.formats.rendering import Renderer
from bootstrap_core.keys import KeyHasher, is_hash, is_like_hash
from bootstrap_core.model import (
    CHANNEL_SLOT,
    THING_SLOT,
    Binding,
    BindingRequest,
    Config,
    Profile,
    ResourceType,
    Status,
    new_revision,
    read_status,
    utc_now,
)
from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.store import binding_rows, config_rows, profile_rows
from bootstrap_core.store.binding_rows import seal_client_key, seal_secrets

CONFIG_ID: Final = (
    "id", "client_id", "magistrala_client", "magistrala_thing", "mainflux_client", "mainflux_thing",
)  # fmt: skip
CLIENT_SECRET: Final = ("client_secret", "magistrala_secret", "magistrala_key", "mainflux_key")
CHANNEL_ID: Final = ("channel_id", "magistrala_channel", "mainflux_channel")
OWNER: Final = "owner"
"""Whom a row belongs to in releases before domains: a user."""


Row: TypeAlias = Mapping[str, Any]


def _value(row: Row, key: str, kind: Any, empty: Any) -> Any:  # noqa: ANN401 - of that kind
    value = row.get(key)
    return empty if value is None else read(kind, value, key)


def _text(row: Row, key: str) -> str:
    return str(_value(row, key, str, ""))


def _given(row: Row, key: str) -> str:
    return _checked(row, key, GIVEN.fault_of)


def _checked(row: Row, key: str, fault_of: Callable[[str], str]) -> str:
    return str(read(Annotated[str, GIVEN, Check(fault_of)], _text(row, key), key))


def _object(row: Row, key: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _value(row, key, Mapping[str, Any], {})
    return found


def text_of(row: Row, names: Sequence[str]) -> str:
    """Return the text of the first column that the row has; empty where it has none."""
    return next((text for name in names if (text := _text(row, name))), "")


def required_text_of(row: Row, names: Sequence[str]) -> str:
    """Return the text of the first column that the row has. Raises ``Malformed``: it has none."""
    if text := text_of(row, names):
        return text
    raise Malformed(f"{names[0]}: is missing; older releases call it {', '.join(names[1:])}")


def domain_of(row: Row) -> str:
    """Return the domain of a row. Raises ``Malformed``: its release has no domains."""
    if not _text(row, "domain_id") and _text(row, OWNER):
        raise Malformed(
            "owner: this release has users in the place of domains; name the domain that the rows "
            "go into with --into-domain"
        )
    return _given(row, "domain_id")


PAGE: Final = 100


class Kind(StrEnum):
    """What a row is; also the name of its table."""

    PROFILE = "profiles"
    CONFIG = "configs"
    BINDING = "bindings"
    CHANNEL = "channels"
    CONNECTION = "connections"
    UNKNOWN = "unknown_configs"


FORMER_TABLES: Final = {"binding_snapshots": "bindings"}
"""What builds between releases call a table."""


@frozen
class Record:
    """A row with the columns of the Go service's tables; ``place`` says where it was read."""

    kind: Kind
    row: Mapping[str, Any] = field(repr=False)
    place: str


def read_dump(lines: Iterable[str]) -> list[Record]:
    """Return the rows of a dump: profiles first, then configs, then what hangs on them.

    Raises ``Malformed`` with the number of a line that is not a row.
    """
    records = [
        _read_line(line, f"line {number}") for number, line in enumerate(lines, 1) if line.strip()
    ]
    order = list(Kind)
    return sorted(records, key=lambda record: order.index(record.kind))


async def read_api(
    http: httpx.AsyncClient, domain_id: str, token: Secret, keys: Mapping[str, Secret]
) -> AsyncIterator[Record]:
    """Yield the rows of a domain as the Go service's API tells them, in the order of ``Kind``.

    ``http`` has the service's address as its base URL. ``keys`` are the devices' external keys by
    external ID, since the API does not tell their hashes.

    Raises ``Malformed``: the service answered with an error or nonsense.
    """
    api = _Api(http, domain_id, token)
    async for profile in api.pages("bootstrap/profiles?", "profiles"):
        yield Record(Kind.PROFILE, profile, f"profile {profile.get('id')}")
    config_ids = []
    async for config in api.pages("configs?status=all&", "configs"):
        config_ids.append(str(config.get("id")))
        key = keys.get(str(config.get("external_id")))
        row = {**config, "domain_id": domain_id, "external_key": key.reveal() if key else ""}
        yield Record(Kind.CONFIG, row, f"config {config.get('id')}")
    for config_id in config_ids:
        bound = await api.get(f"bootstrap/enrollments/{config_id}/bindings")
        for binding in bound.get("bindings") or ():
            yield Record(Kind.BINDING, binding, f"config {config_id}, slot {binding.get('slot')}")


@frozen
class _Api:
    http: httpx.AsyncClient
    domain_id: str
    token: Secret

    async def pages(self, path: str, key: str) -> AsyncIterator[Mapping[str, Any]]:
        offset = 0
        while True:
            page = await self.get(f"{path}offset={offset}&limit={PAGE}")
            items = page.get(key) or []
            for item in items:
                yield item
            offset += len(items)
            if not items or offset >= page.get("total", 0):
                return

    async def get(self, path: str) -> Mapping[str, Any]:
        try:
            answer = await self.http.get(
                f"/{self.domain_id}/clients/{path}",
                headers={"Authorization": f"Bearer {self.token.reveal()}"},
            )
            document = answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError) as error:
            raise Malformed(f"the bootstrap service cannot be read: {error}") from error
        if not isinstance(document, Mapping):
            raise Malformed(
                f"the bootstrap service answered {answer.status_code} to GET {answer.url.path}: "
                f"{answer.text[:200]}"
            )
        return document


def _read_line(line: str, place: str) -> Record:
    try:
        document = json.loads(line)
        table = document["table"]
        return Record(Kind(FORMER_TABLES.get(table, table)), dict(document["row"]), place)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        tables = ", ".join(f'"{kind}"' for kind in Kind)
        raise Malformed(
            f'{place}: {{"table": one of {tables}, "row": {{...}}}} is wanted'
        ) from error


BYTEA: Final = "\\x"
UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
STATES: Final = {"0": False, "1": True}
VERSIONS: Final = range(1, 2**31)


def is_uuid(text: str) -> bool:
    """Tell whether a text is an ID as the Go services write them."""
    return UUID.fullmatch(text) is not None


class Result(StrEnum):
    """What became of a row."""

    CREATED = "created"
    THERE = "there already"
    INCOMPLETE = "created, incomplete"
    READ = "read"
    LEFT = "left out"
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
        self._channels: dict[str, Mapping[str, Any]] = {}
        self._taken_over: set[str] = set()

    async def run(self, records: Iterable[Record]) -> AsyncIterator[Outcome]:
        """Take over ``records``, profiles before configs before bindings; tell of each."""
        for record in records:
            yield await self.take(record)

    async def take(self, record: Record) -> Outcome:
        """Take over one row; what is wrong with it is told and not raised."""
        row = record.row
        take = {
            Kind.PROFILE: self._profile,
            Kind.CONFIG: self._config,
            Kind.BINDING: self._binding,
            Kind.CHANNEL: self._channel,
            Kind.CONNECTION: self._connection,
            Kind.UNKNOWN: self._unknown,
        }[record.kind]
        names = (*CONFIG_ID, *CHANNEL_ID)
        name = str(next((row[each] for each in names if row.get(each)), ""))
        try:
            _refuse_what_is_no_text(record.row)
            result, message = await take(row)
        except RenderError as error:
            result, message = Result.FAILED, f"content_template: {error}"
        except BootstrapError as error:
            result, message = Result.FAILED, error.message
        except IntegrityError:
            result, message = Result.FAILED, "another one has its name, ID or external ID"
        except (ValueError, OverflowError, RecursionError) as error:
            result, message = Result.FAILED, f"a value can't be stored: {type(error).__name__}"
        is_there = result in (Result.CREATED, Result.THERE, Result.INCOMPLETE)
        if record.kind is Kind.CONFIG and is_there:
            self._taken_over.add(name)
        return Outcome(record.kind, record.place, name, result, message)

    async def _profile(self, row: Row) -> tuple[Result, str]:
        new = decode(NewProfile, _plain(row))
        self._renderer.check(new.content_format, new.content_template)
        profile = Profile(
            id=_uuid(_given(row, "id"), "id"),
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

    async def _config(self, row: Row) -> tuple[Result, str]:
        row = _plain(row)
        config_id = _uuid(required_text_of(row, CONFIG_ID), _name_of(row, CONFIG_ID))
        domain_id = self._domain(row)
        hashed = await self._hash(row)
        key = Secret(_text(row, "client_key"))
        at = utc_now()
        config = Config(
            id=config_id,
            domain_id=domain_id,
            external_id=_checked(row, "external_id", external_id_fault),
            external_key_hash=hashed,
            created_at=at,
            updated_at=at,
            name=_text(row, "name"),
            status=_status(row),
            connected=_is_connected(row),
            profile_id=_text(row, "profile_id"),
            content=_text(row, "content"),
            render_context=_object(row, "render_context"),
            client_cert=_text(row, "client_cert"),
            sealed_client_key=seal_client_key(self._sealer, config_id, key),
            ca_cert=_text(row, "ca_cert"),
            revision=new_revision(),
        )
        async with self._engine.begin() as connection:
            if await config_rows.find(connection, domain_id, config_id):
                return Result.THERE, ""
            await _require_profile(connection, config)
            await config_rows.add(connection, config)
            if secret := text_of(row, CLIENT_SECRET):
                await binding_rows.put(connection, [self._client_of(config, secret)])
        return Result.CREATED, ""

    def _client_of(self, config: Config, secret: str) -> Binding:
        """Return the client that a config of an older release is named after."""
        return Binding(
            config_id=config.id,
            slot=THING_SLOT,
            type=ResourceType.CLIENT,
            resource_id=config.id,
            snapshot={"id": config.id, "name": config.name},
            updated_at=config.updated_at,
            sealed_secret=seal_secrets(self._sealer, config.id, THING_SLOT, {"secret": secret}),
        )

    async def _channel(self, row: Row) -> tuple[Result, str]:
        """Keep a channel for the connections that name it."""
        row = _plain(row)
        channel_id = _uuid(required_text_of(row, CHANNEL_ID), _name_of(row, CHANNEL_ID))
        self._channels[channel_id] = {
            "id": channel_id,
            "name": _text(row, "name"),
            "metadata": _object(row, "metadata"),
        }
        return Result.READ, ""

    async def _connection(self, row: Row) -> tuple[Result, str]:
        """Bind a channel to the config that it is connected to."""
        config_id, channel_id = _given(row, "config_id"), _given(row, "channel_id")
        channel = self._channels.get(channel_id)
        if channel is None:
            raise Malformed(
                f"channel_id: the dump has no channel {channel_id}; write its table channels too"
            )
        slot = CHANNEL_SLOT + channel_id
        binding = Binding(config_id, slot, ResourceType.CHANNEL, channel_id, channel, utc_now())
        return await self._bind(binding)

    async def _unknown(self, _: Row) -> tuple[Result, str]:
        return Result.LEFT, "a device that nobody has onboarded: it has no configuration"

    async def _binding(self, row: Row) -> tuple[Result, str]:
        row = _plain(row)
        bound = decode(BindingRequest, row)
        config_id, slot = _given(row, "config_id"), bound.slot
        secrets, closed = self._secrets(row)
        binding = Binding(
            config_id=config_id,
            slot=slot,
            type=bound.type,
            resource_id=_uuid(bound.resource_id, "resource_id"),
            snapshot=_object(row, "snapshot"),
            updated_at=_time(row, "updated_at"),
            sealed_secret=seal_secrets(self._sealer, config_id, slot, secrets),
        )
        result, message = await self._bind(binding)
        if closed and result is Result.CREATED:
            return Result.INCOMPLETE, "its secrets are not readable; refresh the config's bindings"
        return result, message

    async def _bind(self, binding: Binding) -> tuple[Result, str]:
        config_id = binding.config_id
        # Another domain may have a config with this ID.
        if config_id not in self._taken_over:
            raise Malformed(f"config_id: config {config_id} was not taken over")
        async with self._engine.begin() as connection:
            bound = await binding_rows.of_config(connection, config_id)
            if any(each.slot == binding.slot for each in bound):
                return Result.THERE, ""
            if not await config_rows.touch(connection, config_id, new_revision()):
                raise Malformed(f"config_id: config {config_id} was not taken over")
            await binding_rows.put(connection, [binding])
        return Result.CREATED, ""

    def _domain(self, row: Row) -> str:
        return self._into_domain or _uuid(domain_of(row), "domain_id")

    async def _hash(self, row: Row) -> str:
        written = _text(row, "external_key")
        if not written:
            raise Malformed("external_key: is not told by the source; give the device's key")
        # The oldest releases kept keys in clear; they are hashed on the way.
        if is_hash(written):
            return written
        if is_like_hash(written):
            raise Malformed(
                "external_key: begins as a hash, but is none that can be verified; allowed are "
                "whole hashes of bcrypt ($2a$, $2b$ or $2y$, cost 04 to 17), "
                "scrypt$<hash>.<salt>, and a key in clear"
            )
        return await self._hasher.hash(Secret(_checked(row, "external_key", external_key_fault)))

    def _secrets(self, row: Row) -> tuple[Mapping[str, Any], bool]:
        """Return a binding's secrets, and whether there are some that cannot be read."""
        kept = _object(row, "secret_snapshot")
        ciphertext = kept.get("ciphertext")
        if "secret_snapshot" not in row:
            # The API does not tell; a client has a secret.
            return {}, row.get("type") == "client"
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


def _plain(row: Row) -> Row:
    """Return a row with its JSON columns read, whichever way the dump has written them."""
    return {key: _json(value) for key, value in row.items()}


def _json(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON in bytea, which PostgreSQL writes as text in hexadecimal; leave the rest."""
    if not isinstance(value, str) or not value.startswith(BYTEA):
        return value
    try:
        return json.loads(bytes.fromhex(value[len(BYTEA) :]))
    except ValueError:
        return value


def _status(row: Row) -> Status:
    """Read ``status`` (0 enabled, 1 disabled).

    Releases that have ``state`` in its place give a device its configuration whatever the state:
    it tells whether the client is connected.
    """
    written = row.get("status")
    if written is None:
        return Status.ENABLED
    status = read_status(written, "status")
    if status is None:
        raise Malformed(f"status: {written!r} is for lists; allowed are enabled, disabled, 0, 1")
    return status


def _is_connected(row: Row) -> bool:
    written = row.get("state")
    if written is None:
        return False
    state = STATES.get(str(written)) if type(written) in (int, str) else None
    if state is None:
        raise Malformed(
            f"state: {written!r} is not known; allowed are 0 (not connected) and 1 (connected)"
        )
    return state


def _uuid(written: str, field: str) -> str:
    """Return an ID as it is written. Raises ``Malformed``: it is no UUID."""
    if not is_uuid(written):
        raise Malformed(
            f"{field}: {written!r} is not an ID; a UUID is allowed, such as "
            "5b0c1a3e-7d52-4c1f-9a43-0f6f2a9b1c01"
        )
    return written


def _name_of(row: Row, names: Sequence[str]) -> str:
    """Return what a row calls the column of which each release has another name."""
    return next((name for name in names if row.get(name)), names[0])


def _version(row: Row) -> int:
    written = row.get("version")
    if written is None:
        return 1
    try:
        number = int(written)
    except (TypeError, ValueError):
        number = 0
    if number not in VERSIONS:
        raise Malformed(
            f"version: {written!r} is not allowed; it is a whole number from 1 to {VERSIONS[-1]}"
        )
    return number


def _time(row: Row, key: str) -> datetime:
    """Read a time; the Go service's tables keep UTC without saying so."""
    written = _text(row, key)
    if not written:
        return utc_now()
    try:
        at = datetime.fromisoformat(written)
    except ValueError as error:
        raise Malformed(f"{key}: {written!r} is not a time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _refuse_what_is_no_text(row: Mapping[str, Any]) -> None:
    """Raise ``Malformed`` for half a character or NUL, which not every database can store."""
    for column, value in row.items():
        text = (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        )
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Malformed(f"{column}: a value can't be stored: it has half a character") from None
        if "\0" in text:
            raise Malformed(f"{column}: a value can't be stored: it has a NUL character")
