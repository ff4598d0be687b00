"""A platform with the habits of a real Magistrala, on a network that loses and delays.

What is called takes effect at its own time: perhaps after the caller gave up, or died, but never
later than the time after which a call that was cut off counts as settled.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache, partial
from typing import Any, TypeVar

from attrs import asdict, define, evolve, field, frozen

from bootstrap_core.model import ConnectionType, EntityKind, Status
from bootstrap_core.secrets import Secret
from provision.pki.issuer import make_hierarchy
from provision.pki.keys import check_strength, fingerprint
from provision.pki.profiles import ClientProfile, issue
from provision.pki.requests import Holder, check_request
from provision.platform import errors
from provision.platform.types import (
    Certificate,
    Channel,
    Client,
    Connections,
    Domain,
    EntityQuery,
    Membership,
    NewChannel,
    NewClient,
    NewEntity,
    Page,
    SigningRequest,
    StatusFilter,
)
from tests.onboarding.virtual import EPOCH, VirtualClock

CALL_TIMEOUT = 3.0
LIFE = timedelta(days=300)
"""How long each certificate is valid, whatever was asked for."""
READS = ("list_", "view_", "chain")
Effect = Callable[..., Any]
E = TypeVar("E", Client, Channel)


@frozen
class Faults:
    """How often calls fail, and how long what is new stays unseen at most (seconds).

    ``halves``: how often a creation whose caller is gone stops half-way.
    """

    rate: float = 0.0
    unseen: float = 0.0
    halves: float = 0.0


class Half(StrEnum):
    """How far a creation came that was cut short: its row, its authorization tuples, its roles."""

    ROW = "row"
    """It counts as taken; it can be neither seen nor deleted."""
    TUPLES = "tuples"
    """It is shown by its ID and by no list; a deletion marks it as deleted and is refused."""
    DELETED = "deleted"
    """It was marked so, and stays."""


@define
class SimulatedPlatform:
    """The platform's own state.

    Calls named in ``failing`` fail until they are taken out; those in ``unanswered`` take effect,
    but nobody learns of it; those in ``late`` do so after the caller gave up. To ``blind`` tokens
    nothing is shown, and ``actions`` is what members are told that they may do. Creations named in
    ``cut_short`` come as far as it says, once; then their caller is cut off. ``halves`` is what
    that left.
    """

    clock: VirtualClock
    rng: random.Random
    clients: dict[str, Client] = field(factory=dict)
    channels: dict[str, Channel] = field(factory=dict)
    connections: set[tuple[str, str, str]] = field(factory=set)
    certificates: dict[str, Certificate] = field(factory=dict)
    valid_until: dict[str, float] = field(factory=dict)
    seen_at: dict[str, float] = field(factory=dict)
    faults: Faults = field(factory=Faults)
    failing: dict[str, Exception] = field(factory=dict)
    unanswered: set[str] = field(factory=set)
    late: set[str] = field(factory=set)
    cut_short: dict[str, Half] = field(factory=dict)
    halves: dict[str, tuple[Client | Channel, Half]] = field(factory=dict)
    chain: str = "chain"
    actions: frozenset[str] | None = None
    blind: set[str] = field(factory=set)
    asked: Counter[str] = field(factory=Counter)
    effects: int = 0
    _sees: bool = True
    _cut: Half | None = None

    def token(self, seconds: float) -> Secret:
        """Return a token that is good for so long."""
        token = f"token-{len(self.valid_until)}"
        self.valid_until[token] = self.clock.monotonic() + seconds
        return Secret(token)

    def apply(
        self, name: str, token: Secret | None, values: Sequence[Any], cut: Half | None = None
    ) -> Any:
        """Let a call take effect, as the platform sees it; a creation perhaps ``cut`` short."""
        if token is not None and self.valid_until.get(token.reveal(), -1) < self.clock.monotonic():
            raise errors.InvalidToken
        self.asked[name] += 1
        self._sees = token is None or token.reveal() not in self.blind
        if name in self.failing:
            raise self.failing[name]
        if not name.startswith(READS):
            self.effects += 1
        self._cut = cut or self.cut_short.pop(name, None)
        result = getattr(self, f"_{name}")(*values)
        if name in self.unanswered:
            raise errors.TimedOut
        return result

    def _view_domain(self, domain_id: str) -> Domain:
        return Domain(domain_id, "domain", "domain", Status.ENABLED)

    def _view_membership(self, domain_id: str) -> Membership:
        return Membership(self._view_domain(domain_id), self.actions)

    def _create_clients(self, domain_id: str, drafts: Sequence[NewClient]) -> list[Client]:
        secrets = {each.secret for each in self.clients.values()}
        secrets |= {each.secret for each, _ in self.halves.values() if isinstance(each, Client)}
        if any(self._is_taken(each.id) or each.secret in secrets for each in drafts):
            raise errors.AlreadyExists
        made = [self._stored(Client, domain_id, draft) for draft in drafts]
        self._stop_half_way(made)
        self.clients |= {each.id: each for each in made}
        self._appear([each.id for each in made])
        return made

    def _create_channels(self, domain_id: str, drafts: Sequence[NewChannel]) -> list[Channel]:
        if any(self._is_taken(each.id) for each in drafts):
            raise errors.AlreadyExists
        routes = {each.route for each in self.channels.values()}
        routes |= {each.route for each, _ in self.halves.values() if isinstance(each, Channel)}
        if any(each.route and each.route in routes for each in drafts):
            raise errors.RouteTaken
        made = [self._stored(Channel, domain_id, draft) for draft in drafts]
        self._stop_half_way(made)
        self.channels |= {each.id: each for each in made}
        self._appear([each.id for each in made])
        return made

    def _stored(self, kind: type[E], domain_id: str, draft: NewEntity) -> E:
        drafted = asdict(draft, recurse=False)
        return kind(**drafted, domain_id=domain_id, created_at=self.clock.now())

    def _is_taken(self, identifier: str) -> bool:
        return identifier in self.clients | self.channels | self.halves

    def _stop_half_way(self, made: Sequence[Client | Channel]) -> None:
        if self._cut:
            self.halves |= {each.id: (each, self._cut) for each in made}
            raise errors.TimedOut

    def _half(self, identifier: str) -> Client | Channel | None:
        """Return what a view shows of something half made."""
        thing, half = self.halves.get(identifier, (None, Half.ROW))
        if half is Half.DELETED:
            raise errors.HalfDeleted
        return thing if half is Half.TUPLES else None

    def _delete_half(self, identifier: str) -> None:
        thing, half = self.halves.get(identifier, (None, Half.ROW))
        if thing and half is not Half.ROW:
            self.halves[identifier] = (thing, Half.DELETED)
            raise errors.HalfDeleted

    def _view_client(self, _: str, client_id: str) -> Client:
        if isinstance(half := self._half(client_id), Client):
            return half
        self._must_see([client_id])
        return self.clients[client_id]

    def _list_clients(self, _: str, query: EntityQuery) -> Page[Client]:
        found = [
            each
            for each in self.clients.values()
            if (not query.id or each.id == query.id)
            and self._is_seen(each.id)
            and _is_listed(each.status, query.status)
            and (
                not query.connected_to
                or any(c[:2] == (each.id, query.connected_to) for c in self.connections)
            )
        ]
        page = [
            evolve(each, connection_types=self._types(each.id, query.connected_to))
            for each in found[query.offset : query.offset + query.limit]
        ]
        return Page(page, len(found), query.offset, query.limit)

    def _types(self, client_id: str, channel_id: str) -> frozenset[ConnectionType] | None:
        types = {each for *pair, each in self.connections if pair == [client_id, channel_id]}
        return frozenset(map(ConnectionType, types)) if channel_id else None

    def _view_channel(self, _: str, channel_id: str) -> Channel:
        if isinstance(half := self._half(channel_id), Channel):
            return half
        self._must_see([channel_id])
        return self.channels[channel_id]

    def _list_channels(self, _: str, query: EntityQuery) -> Page[Channel]:
        found = [each for each in self.channels.values() if each.id == query.id]
        found = [each for each in found if self._is_seen(each.id)]
        found = [each for each in found if _is_listed(each.status, query.status)]
        return Page(found, len(found), 0, query.limit)

    def _update_client_secret(self, _: str, client_id: str, secret: Secret) -> Client:
        self._must_see([client_id])
        self.clients[client_id] = evolve(self.clients[client_id], secret=secret)
        return self.clients[client_id]

    def _delete_client(self, _: str, client_id: str) -> None:
        self._delete_half(client_id)
        self._must_see([client_id])
        del self.clients[client_id]
        self.connections = {each for each in self.connections if each[0] != client_id}

    def _delete_channel(self, _: str, channel_id: str) -> None:
        self._delete_half(channel_id)
        self._must_see([channel_id])
        del self.channels[channel_id]
        self.connections = {each for each in self.connections if each[1] != channel_id}

    def _connect(self, _: str, wanted: Connections) -> None:
        self._must_see([*wanted.client_ids, *wanted.channel_ids])
        new = _product(wanted)
        if new & self.connections:
            raise errors.AlreadyExists
        self.connections |= new

    def _disconnect(self, _: str, unwanted: Connections) -> None:
        self._must_see([*unwanted.client_ids, *unwanted.channel_ids])
        self.connections -= _product(unwanted)

    def _sign(self, domain_id: str, request: SigningRequest) -> Certificate:
        # As Magistrala does, it asks neither whether the client exists nor what was signed before.
        day = self.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        pem = _certificate_for(request.csr, Holder(domain_id, request.client_id), day)
        serial = f"serial-{len(self.certificates)}"
        made = Certificate(serial, request.client_id, pem, day + LIFE)
        self.certificates[serial] = made
        return made

    def _view_certificate(self, _: str, serial: str) -> Certificate:
        if serial not in self.certificates:
            raise errors.NotFound
        return self.certificates[serial]

    def _list_certificates(self, _: str, client_id: str) -> list[Certificate]:
        return [each for each in self.certificates.values() if each.client_id == client_id]

    def _revoke_certificate(self, _: str, serial: str) -> None:
        if serial not in self.certificates:
            raise errors.NotFound
        self.certificates[serial] = evolve(self.certificates[serial], revoked=True)

    def _revoke_client_certificates(self, domain_id: str, client_id: str) -> None:
        for each in self._list_certificates(domain_id, client_id):
            self._revoke_certificate(domain_id, each.serial)

    def _chain(self) -> str:
        return self.chain

    def _appear(self, identifiers: Sequence[str]) -> None:
        at = self.clock.monotonic() + self.rng.uniform(0.0, self.faults.unseen)
        self.seen_at |= dict.fromkeys(identifiers, at)

    def _is_seen(self, identifier: str) -> bool:
        if not self._sees:
            return False
        return self.seen_at.get(identifier, 0.0) <= self.clock.monotonic()

    def _must_see(self, identifiers: Sequence[str]) -> None:
        for each in identifiers:
            if each not in self.clients and each not in self.channels:
                raise errors.NotFound
            if not self._is_seen(each):
                raise errors.NotFound


def _is_listed(status: Status, wanted: StatusFilter) -> bool:
    return wanted is StatusFilter.ALL or status.value == wanted.value


def _product(wanted: Connections) -> set[tuple[str, str, str]]:
    return {
        (client, channel, kind.value)
        for client in wanted.client_ids
        for channel in wanted.channel_ids
        for kind in wanted.types
    }


@cache
def _issuer() -> Any:
    return make_hierarchy("simulation", EPOCH).intermediate


_signed: dict[tuple[str, datetime], str] = {}


def _certificate_for(csr: str, holder: Holder, day: datetime) -> str:
    """Return the same certificate for the same key, all day long."""
    key = check_request(csr, holder)
    mark = (fingerprint(check_strength(key)), day)
    if mark not in _signed:
        _signed[mark] = issue(_issuer(), ClientProfile(), holder, key, LIFE, day).pem
    return _signed[mark]


@frozen
class WiredEntities:
    """The port ``Entities`` on a wire."""

    wire: Wire
    kind: EntityKind

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        several = "s" if name in ("create", "list") else ""
        operation, _, field = name.partition("_")
        return getattr(self.wire, "_".join(filter(None, (operation, self.kind + several, field))))


class Wire:
    """One replica's way to the platform: the ports ``Platform`` and ``CertificateAuthority``.

    A call on ``clients`` or ``channels`` is named as the platform's effects are:
    ``create_clients``, ``view_client``.
    """

    def __init__(
        self, platform: SimulatedPlatform, clock: VirtualClock, settled_after: float
    ) -> None:
        self._platform = platform
        self._clock = clock
        self._settled_after = settled_after
        self.clients = WiredEntities(self, "client")
        self.channels = WiredEntities(self, "channel")
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)

        async def call(*values: Any) -> Any:
            if self.dead:
                raise asyncio.CancelledError
            token = None if name == "chain" else values[0]
            rest = values[0 if token is None else 1 :]
            return await self._send(name, partial(self._platform.apply, name, token, rest))

        return call

    async def _send(self, name: str, effect: Effect) -> Any:
        rng, loop = self._platform.rng, asyncio.get_running_loop()
        fate = "late" if name in self._platform.late else _fate(rng, self._platform.faults.rate)
        if fate == "refused":
            raise errors.Unavailable
        if fate == "overloaded":
            await asyncio.sleep(rng.uniform(0.0, 0.1))
            raise errors.Overloaded
        if fate == "failed":
            await asyncio.sleep(rng.uniform(0.0, 0.1))
            raise errors.Failed
        answer: asyncio.Future[Any] = loop.create_future()
        timer = None if fate == "lost" else self._effect_in(_delay(rng, fate), effect, answer)
        try:
            async with asyncio.timeout(CALL_TIMEOUT):
                result = await asyncio.shield(answer)
        except TimeoutError:
            self._cut(timer, self._after_the_cut(name, effect), answer)
            await self._clock.thaw()
            raise errors.TimedOut from None
        except asyncio.CancelledError:
            self._cut(timer, self._after_the_cut(name, effect), answer)
            raise
        await asyncio.sleep(rng.uniform(0.0, 0.02))
        await self._clock.thaw()
        if self.dead:
            raise asyncio.CancelledError
        if fate == "failed when done":
            raise errors.Failed
        if fate == "answer lost":
            raise errors.TimedOut
        if isinstance(result, Exception):
            raise result
        return result

    def _effect_in(
        self, seconds: float, effect: Effect, answer: asyncio.Future[Any]
    ) -> asyncio.TimerHandle:
        def happen() -> None:
            try:
                result = effect()
            except Exception as error:
                result = error
            if not answer.done():
                answer.set_result(result)

        return asyncio.get_running_loop().call_later(seconds, happen)

    def _after_the_cut(self, name: str, effect: Effect) -> Effect:
        """Return what a call does whose caller is gone: a creation may stop half-way."""
        platform = self._platform
        often = platform.faults.halves if name.startswith("create_") else 0.0
        if not often or platform.rng.random() >= often:
            return effect
        return partial(effect, cut=platform.rng.choice((Half.ROW, Half.TUPLES)))

    def _cut(
        self, timer: asyncio.TimerHandle | None, effect: Effect, answer: asyncio.Future[Any]
    ) -> None:
        """The caller is gone; what it asked for may still happen, but not for ever."""
        if timer is None or answer.done():
            return
        timer.cancel()
        most = 0.98 * self._settled_after
        self._effect_in(self._platform.rng.uniform(0.0, most), effect, answer)


def _fate(rng: random.Random, rate: float) -> str:
    if rng.random() >= rate:
        return "well"
    fates = ("refused", "overloaded", "failed", "failed when done", "answer lost", "lost", "late")
    return rng.choice(fates)


def _delay(rng: random.Random, fate: str) -> float:
    return CALL_TIMEOUT + 1.0 if fate == "late" else rng.uniform(0.001, 0.2)


def certificates_in_force(platform: SimulatedPlatform, client_id: str) -> list[Certificate]:
    """Return a client's certificates that are not revoked."""
    found = platform.certificates.values()
    return [each for each in found if each.client_id == client_id and not each.revoked]


def at(seconds: float) -> datetime:
    """Return a moment of the simulation."""
    return EPOCH + timedelta(seconds=seconds)
