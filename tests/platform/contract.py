"""What every implementation of the port ``Platform`` promises.

A module of tests makes the suite its own::

    class TestEmbedded(PlatformContract):
        @pytest.fixture
        async def subject(self) -> AsyncIterator[Subject]:
            yield Subject(platform, token, domain_id)

Nothing is needed but the platform, the access token of somebody who operates the domain, and the
domain's ID; the domain may have other things in it. What a test makes is removed again, so that
the suite can run against a live platform.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve, field, frozen

from bootstrap_core.secret import Secret
from provision.platform.errors import (
    AlreadyExists,
    DomainNotFound,
    InvalidToken,
    NotAMember,
    NotFound,
    PlatformError,
    Rejected,
)
from provision.platform.port import Platform
from provision.platform.types import (
    Channel,
    ChannelChange,
    ChannelQuery,
    Client,
    ClientChange,
    ClientQuery,
    Connections,
    ConnectionType,
    NewChannel,
    NewClient,
    Status,
    StatusFilter,
)


@frozen
class Subject:
    """A platform, and somebody who operates a domain there."""

    platform: Platform
    token: Secret
    domain_id: str


@frozen
class Bench:
    """Makes clients and channels for one test, and knows which ones."""

    subject: Subject
    mark: str = field(factory=lambda: f"contract-{uuid4().hex[:12]}")
    client_ids: list[str] = field(factory=list)
    channel_ids: list[str] = field(factory=list)

    def new_client(self, **values: Any) -> NewClient:
        """Return a client that is not created yet."""
        drafted = NewClient(str(uuid4()), f"{self.mark}-client", Secret(str(uuid4())))
        return evolve(drafted, **values)

    def new_channel(self, **values: Any) -> NewChannel:
        """Return a channel that is not created yet."""
        return evolve(NewChannel(str(uuid4()), f"{self.mark}-channel"), **values)

    async def clients(self, drafts: Sequence[NewClient]) -> Sequence[Client]:
        """Create clients."""
        self.client_ids.extend(draft.id for draft in drafts)
        return await self.subject.platform.create_clients(*self.place, drafts)

    async def channels(self, drafts: Sequence[NewChannel]) -> Sequence[Channel]:
        """Create channels."""
        self.channel_ids.extend(draft.id for draft in drafts)
        return await self.subject.platform.create_channels(*self.place, drafts)

    async def client(self, **values: Any) -> Client:
        """Create one client."""
        return (await self.clients([self.new_client(**values)]))[0]

    async def channel(self, **values: Any) -> Channel:
        """Create one channel."""
        return (await self.channels([self.new_channel(**values)]))[0]

    @property
    def place(self) -> tuple[Secret, str]:
        """Token and domain, as every call of the port begins."""
        return self.subject.token, self.subject.domain_id

    async def has_client(self, client_id: str) -> bool:
        """Tell whether the domain has a client, as the port says that one finds out."""
        query = ClientQuery(id=client_id, status=StatusFilter.ALL)
        return bool((await self.subject.platform.list_clients(*self.place, query)).total)

    async def has_channel(self, channel_id: str) -> bool:
        """Tell whether the domain has a channel."""
        query = ChannelQuery(id=channel_id, status=StatusFilter.ALL)
        return bool((await self.subject.platform.list_channels(*self.place, query)).total)

    async def channels_of(self, client_id: str) -> list[str]:
        """Return the channels that a client is connected to."""
        query = ChannelQuery(client_id=client_id, limit=100)
        page = await self.subject.platform.list_channels(*self.place, query)
        return sorted(channel.id for channel in page.items)

    async def clear(self) -> None:
        """Delete what is left."""
        for client_id in self.client_ids:
            with contextlib.suppress(NotFound):
                await self.subject.platform.delete_client(*self.place, client_id)
        for channel_id in self.channel_ids:
            with contextlib.suppress(NotFound):
                await self.subject.platform.delete_channel(*self.place, channel_id)


class PlatformContract:
    """The suite; a subclass provides the fixture ``subject``."""

    @pytest.fixture
    async def bench(self, subject: Subject) -> AsyncIterator[Bench]:
        bench = Bench(subject)
        yield bench
        await bench.clear()

    async def test_the_caller_is_somebody(self, subject: Subject) -> None:
        user = await subject.platform.view_user(subject.token)

        assert user.id
        assert user.status is Status.ENABLED

    async def test_the_domain_is_shown_to_its_member(self, subject: Subject) -> None:
        domain = await subject.platform.view_domain(subject.token, subject.domain_id)

        assert domain.id == subject.domain_id
        assert domain.status is Status.ENABLED

    async def test_an_unknown_domain_is_told_from_one_of_others(self, subject: Subject) -> None:
        with pytest.raises(DomainNotFound):
            await subject.platform.view_domain(subject.token, str(uuid4()))

    async def test_the_caller_s_domains_are_listed(self, subject: Subject) -> None:
        found, offset, total = set(), 0, 1
        while offset < total:
            page = await subject.platform.list_domains(subject.token, offset, 100)
            found |= {domain.id for domain in page.items}
            offset, total = offset + 100, page.total

        assert subject.domain_id in found

    async def test_a_token_that_nobody_issued_is_refused(self, subject: Subject) -> None:
        platform, nobody = subject.platform, Secret("a.b.c")

        for call in (
            platform.view_user(nobody),
            platform.view_domain(nobody, subject.domain_id),
            platform.list_clients(nobody, subject.domain_id, ClientQuery()),
            platform.create_channels(nobody, subject.domain_id, [NewChannel(str(uuid4()), "x")]),
        ):
            with pytest.raises(InvalidToken):
                await call

    async def test_nobody_signs_in_with_an_unknown_name(self, subject: Subject) -> None:
        with pytest.raises(PlatformError):
            await subject.platform.issue_token(f"nobody-{uuid4().hex[:8]}", Secret("12345678"))

    async def test_clients_are_held_as_created(self, bench: Bench) -> None:
        metadata = {"site": "north", "nested": {"list": [1, "two", None, True]}}
        draft = bench.new_client(identity="gateway-7", metadata=metadata, tags=("one", "two"))

        made = (await bench.clients([draft]))[0]
        viewed = await bench.subject.platform.view_client(*bench.place, draft.id)

        for client in (made, viewed):
            assert (client.id, client.name, client.secret) == (draft.id, draft.name, draft.secret)
            assert client.domain_id == bench.subject.domain_id
            assert client.identity == "gateway-7"
            assert client.metadata == metadata
            assert list(client.tags) == ["one", "two"]
            assert client.status is Status.ENABLED
            assert client.created_at.tzinfo is not None

    async def test_channels_are_held_as_created(self, bench: Bench) -> None:
        route = f"r{uuid4().hex[:12]}"
        draft = bench.new_channel(route=route, metadata={"type": "data"}, tags=("one",))

        made = (await bench.channels([draft]))[0]
        viewed = await bench.subject.platform.view_channel(*bench.place, draft.id)

        for channel in (made, viewed):
            assert (channel.id, channel.name, channel.route) == (draft.id, draft.name, route)
            assert channel.domain_id == bench.subject.domain_id
            assert channel.metadata == {"type": "data"}
            assert list(channel.tags) == ["one"]
            assert channel.status is Status.ENABLED

    async def test_several_are_returned_in_the_order_asked_for(self, bench: Bench) -> None:
        clients = [bench.new_client(name=f"{bench.mark}-{n}") for n in range(5)]
        channels = [bench.new_channel(name=f"{bench.mark}-{n}") for n in range(5)]

        made = await bench.clients(clients), await bench.channels(channels)

        assert [client.id for client in made[0]] == [draft.id for draft in clients]
        assert [channel.id for channel in made[1]] == [draft.id for draft in channels]

    async def test_what_is_created_disabled_is_disabled(self, bench: Bench) -> None:
        client = await bench.client(status=Status.DISABLED)
        channel = await bench.channel(status=Status.DISABLED)

        assert client.status is channel.status is Status.DISABLED

    async def test_a_taken_client_id_creates_nothing(self, bench: Bench) -> None:
        there, fresh = await bench.client(), bench.new_client()

        with pytest.raises(AlreadyExists):
            await bench.clients([fresh, bench.new_client(id=there.id)])

        assert not await bench.has_client(fresh.id)

    async def test_a_taken_secret_creates_nothing(self, bench: Bench) -> None:
        there, fresh = await bench.client(), bench.new_client()

        with pytest.raises(AlreadyExists):
            await bench.clients([fresh, bench.new_client(secret=there.secret)])

        assert not await bench.has_client(fresh.id)

    async def test_a_taken_channel_id_creates_nothing(self, bench: Bench) -> None:
        there, fresh = await bench.channel(), bench.new_channel()

        with pytest.raises(AlreadyExists):
            await bench.channels([fresh, bench.new_channel(id=there.id)])

        assert not await bench.has_channel(fresh.id)

    async def test_a_taken_route_creates_nothing(self, bench: Bench) -> None:
        route = f"r{uuid4().hex[:12]}"
        await bench.channel(route=route)
        fresh = bench.new_channel()

        with pytest.raises(AlreadyExists):
            await bench.channels([fresh, bench.new_channel(route=route)])

        assert not await bench.has_channel(fresh.id)

    async def test_nothing_is_created_in_an_unknown_domain(self, bench: Bench) -> None:
        platform, token = bench.subject.platform, bench.subject.token

        with pytest.raises((DomainNotFound, NotAMember)):
            await platform.create_clients(token, str(uuid4()), [bench.new_client()])
        with pytest.raises((DomainNotFound, NotAMember)):
            await platform.create_channels(token, str(uuid4()), [bench.new_channel()])

    async def test_what_is_not_there_is_not_found(self, bench: Bench) -> None:
        platform, place, missing = bench.subject.platform, bench.place, str(uuid4())

        for call in (
            platform.view_client(*place, missing),
            platform.update_client(*place, missing, ClientChange(name="x")),
            platform.update_client_secret(*place, missing, Secret("x")),
            platform.enable_client(*place, missing),
            platform.disable_client(*place, missing),
            platform.delete_client(*place, missing),
            platform.view_channel(*place, missing),
            platform.update_channel(*place, missing, ChannelChange(name="x")),
            platform.enable_channel(*place, missing),
            platform.disable_channel(*place, missing),
            platform.delete_channel(*place, missing),
        ):
            with pytest.raises(NotFound):
                await call

    async def test_a_change_replaces_what_it_names(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client = await bench.client(metadata={"a": 1, "b": 2}, tags=("one",))
        channel = await bench.channel(metadata={"a": 1, "b": 2}, tags=("one",))

        renamed = await platform.update_client(*place, client.id, ClientChange(name="renamed"))
        changed = await platform.update_client(
            *place, client.id, ClientChange(metadata={"c": 3}, tags=["two"])
        )
        other = await platform.update_channel(
            *place, channel.id, ChannelChange(name="renamed", metadata={"c": 3}, tags=["two"])
        )

        assert (renamed.name, renamed.metadata) == ("renamed", {"a": 1, "b": 2})
        assert (changed.name, changed.metadata, list(changed.tags)) == (
            "renamed",
            {"c": 3},
            ["two"],
        )
        assert (other.name, other.metadata, list(other.tags)) == ("renamed", {"c": 3}, ["two"])
        assert (await platform.view_client(*place, client.id)).metadata == {"c": 3}
        assert (await platform.view_channel(*place, channel.id)).name == "renamed"

    async def test_a_secret_is_replaced_and_stays_unique(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, other = await bench.client(), await bench.client()
        secret = Secret(str(uuid4()))

        await platform.update_client_secret(*place, client.id, secret)

        assert (await platform.view_client(*place, client.id)).secret == secret
        with pytest.raises(AlreadyExists):
            await platform.update_client_secret(*place, other.id, secret)
        assert (await platform.view_client(*place, other.id)).secret == other.secret

    async def test_status_is_changed_and_changing_it_again_is_no_error(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, channel = await bench.client(), await bench.channel()

        for _ in range(2):
            await platform.disable_client(*place, client.id)
            await platform.disable_channel(*place, channel.id)
        assert (await platform.view_client(*place, client.id)).status is Status.DISABLED
        assert (await platform.view_channel(*place, channel.id)).status is Status.DISABLED

        for _ in range(2):
            await platform.enable_client(*place, client.id)
            await platform.enable_channel(*place, channel.id)
        assert (await platform.view_client(*place, client.id)).status is Status.ENABLED
        assert (await platform.view_channel(*place, channel.id)).status is Status.ENABLED

    async def test_a_disabled_client_is_not_changed(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client = await bench.client(status=Status.DISABLED)

        with pytest.raises(NotFound):
            await platform.update_client(*place, client.id, ClientChange(name="x"))

    async def test_lists_are_paged_newest_first(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        made = [await bench.client(name=f"{bench.mark}-{n}") for n in range(3)]

        pages = [
            await platform.list_clients(
                *place, ClientQuery(name=bench.mark, offset=offset, limit=2)
            )
            for offset in (0, 2, 4)
        ]

        assert [page.total for page in pages[:2]] == [3, 3]
        listed = [client.id for page in pages for client in page.items]
        assert listed == [client.id for client in reversed(made)]
        assert [(page.offset, page.limit) for page in pages] == [(0, 2), (2, 2), (4, 2)]

    async def test_channels_are_paged_newest_first(self, bench: Bench) -> None:
        made = [await bench.channel(name=f"{bench.mark}-{n}") for n in range(3)]

        page = await bench.subject.platform.list_channels(
            *bench.place, ChannelQuery(name=bench.mark, offset=1, limit=1)
        )

        assert (page.total, [channel.id for channel in page.items]) == (3, [made[1].id])

    async def test_names_are_found_by_a_part_in_any_case(self, bench: Bench) -> None:
        client = await bench.client(name=f"{bench.mark}-Boiler 50%")

        for name in (f"{bench.mark}-boiler", f"{bench.mark}-BOILER 50%".upper()):
            page = await bench.subject.platform.list_clients(*bench.place, ClientQuery(name=name))
            assert [found.id for found in page.items] == [client.id]

    async def test_metadata_is_found_by_a_part(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client = await bench.client(metadata={"mark": bench.mark, "at": {"site": "a", "n": 1}})
        channel = await bench.channel(metadata={"mark": bench.mark, "at": {"site": "a", "n": 1}})

        for wanted, count in (({"site": "a"}, 1), ({"n": 1}, 1), ({"n": 2}, 0), ({"x": 1}, 0)):
            metadata = {"mark": bench.mark, "at": wanted}
            clients = await platform.list_clients(*place, ClientQuery(metadata=metadata))
            channels = await platform.list_channels(*place, ChannelQuery(metadata=metadata))
            assert [found.id for found in clients.items] == [client.id] * count
            assert [found.id for found in channels.items] == [channel.id] * count

    async def test_lists_show_the_enabled_unless_asked_otherwise(self, bench: Bench) -> None:
        enabled = await bench.client(name=bench.mark)
        disabled = await bench.client(name=bench.mark, status=Status.DISABLED)

        found = {}
        for status in StatusFilter:
            query = ClientQuery(name=bench.mark, status=status)
            page = await bench.subject.platform.list_clients(*bench.place, query)
            found[status] = {client.id for client in page.items}

        assert found == {
            StatusFilter.ENABLED: {enabled.id},
            StatusFilter.DISABLED: {disabled.id},
            StatusFilter.ALL: {enabled.id, disabled.id},
        }

    async def test_the_whole_product_is_connected(self, bench: Bench) -> None:
        clients = await bench.clients([bench.new_client(), bench.new_client()])
        channels = await bench.channels([bench.new_channel(), bench.new_channel()])
        everything = Connections([one.id for one in clients], [one.id for one in channels])

        await bench.subject.platform.connect(*bench.place, everything)

        for client in clients:
            assert await bench.channels_of(client.id) == sorted(everything.channel_ids)
        page = await bench.subject.platform.list_clients(
            *bench.place, ClientQuery(channel_id=channels[0].id)
        )
        assert {client.id for client in page.items} == set(everything.client_ids)

    async def test_connecting_what_is_connected_connects_nothing(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, other, channel = await bench.client(), await bench.client(), await bench.channel()
        await platform.connect(*place, Connections([client.id], [channel.id]))

        with pytest.raises(AlreadyExists):
            await platform.connect(*place, Connections([other.id, client.id], [channel.id]))

        assert await bench.channels_of(other.id) == []

    async def test_a_missing_or_disabled_end_connects_nothing(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, channel = await bench.client(), await bench.channel()
        disabled = await bench.client(status=Status.DISABLED)

        with pytest.raises(NotFound):
            await platform.connect(*place, Connections([client.id, str(uuid4())], [channel.id]))
        with pytest.raises(NotFound):
            await platform.connect(*place, Connections([client.id], [channel.id, str(uuid4())]))
        with pytest.raises(Rejected):
            await platform.connect(*place, Connections([client.id, disabled.id], [channel.id]))

        assert await bench.channels_of(client.id) == []

    async def test_disconnecting_is_repeatable(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, channel, kept = await bench.client(), await bench.channel(), await bench.channel()
        await platform.connect(*place, Connections([client.id], [channel.id, kept.id]))

        for _ in range(2):
            await platform.disconnect(*place, Connections([client.id], [channel.id]))

        assert await bench.channels_of(client.id) == [kept.id]
        await platform.connect(*place, Connections([client.id], [channel.id]))
        assert await bench.channels_of(client.id) == sorted([channel.id, kept.id])

    async def test_types_are_connected_one_by_one(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, channel = await bench.client(), await bench.channel()
        publish = Connections([client.id], [channel.id], [ConnectionType.PUBLISH])
        subscribe = evolve(publish, types=[ConnectionType.SUBSCRIBE])

        await platform.connect(*place, publish)
        await platform.connect(*place, subscribe)
        await platform.disconnect(*place, publish)
        assert await bench.channels_of(client.id) == [channel.id]
        await platform.disconnect(*place, subscribe)
        assert await bench.channels_of(client.id) == []

    async def test_deletes_are_complete_and_free_the_id(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, channel, other = await bench.client(), await bench.channel(), await bench.client()
        await platform.connect(*place, Connections([client.id, other.id], [channel.id]))

        await platform.delete_client(*place, client.id)
        assert not await bench.has_client(client.id)
        with pytest.raises(NotFound):
            await platform.view_client(*place, client.id)
        with pytest.raises(NotFound):
            await platform.delete_client(*place, client.id)
        again = await bench.client(id=client.id)
        assert await bench.channels_of(again.id) == []

        await platform.delete_channel(*place, channel.id)
        assert not await bench.has_channel(channel.id)
        with pytest.raises(NotFound):
            await platform.delete_channel(*place, channel.id)
        assert await bench.channels_of(other.id) == []
