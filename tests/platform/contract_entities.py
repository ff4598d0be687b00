"""What the port promises of single clients and channels, and of who may ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import ClassVar
from uuid import uuid4

import pytest

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from provision.platform.errors import (
    AlreadyExists,
    DomainNotFound,
    InvalidToken,
    NotAMember,
    NotFound,
    PlatformError,
)
from provision.platform.types import EntityChange, EntityQuery, NewChannel
from tests.platform.bench import Bench, Subject, expect


class EntityContract:
    """One by one: made, viewed, changed, switched off."""

    exceptions: ClassVar[Mapping[str, str]] = {}
    """The tests that can't hold on this platform, each with the fact that says why."""

    @pytest.fixture(autouse=True)
    def expected(self, request: pytest.FixtureRequest) -> None:
        expect(request, self.exceptions)

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
            platform.clients.list(nobody, subject.domain_id, EntityQuery()),
            platform.channels.create(nobody, subject.domain_id, [NewChannel(str(uuid4()), "x")]),
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
        viewed = await bench.subject.platform.clients.view(*bench.place, draft.id)

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
        viewed = await bench.subject.platform.channels.view(*bench.place, draft.id)

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

        assert not await bench.has("client", fresh.id)

    async def test_a_taken_secret_creates_nothing(self, bench: Bench) -> None:
        there, fresh = await bench.client(), bench.new_client()

        with pytest.raises(AlreadyExists):
            await bench.clients([fresh, bench.new_client(secret=there.secret)])

        assert not await bench.has("client", fresh.id)

    async def test_a_taken_channel_id_creates_nothing(self, bench: Bench) -> None:
        there, fresh = await bench.channel(), bench.new_channel()

        with pytest.raises(AlreadyExists):
            await bench.channels([fresh, bench.new_channel(id=there.id)])

        assert not await bench.has("channel", fresh.id)

    async def test_a_taken_route_creates_nothing(self, bench: Bench) -> None:
        route = f"r{uuid4().hex[:12]}"
        await bench.channel(route=route)
        fresh = bench.new_channel()

        with pytest.raises(AlreadyExists):
            await bench.channels([fresh, bench.new_channel(route=route)])

        assert not await bench.has("channel", fresh.id)

    async def test_nothing_is_created_in_an_unknown_domain(self, bench: Bench) -> None:
        platform, token = bench.subject.platform, bench.subject.token

        with pytest.raises((DomainNotFound, NotAMember)):
            await platform.clients.create(token, str(uuid4()), [bench.new_client()])
        with pytest.raises((DomainNotFound, NotAMember)):
            await platform.channels.create(token, str(uuid4()), [bench.new_channel()])

    async def test_what_is_not_there_is_not_found(self, bench: Bench) -> None:
        platform, place, missing = bench.subject.platform, bench.place, str(uuid4())

        for call in (
            platform.clients.view(*place, missing),
            platform.clients.update(*place, missing, EntityChange(name="x")),
            platform.clients.update_secret(*place, missing, Secret("x")),
            platform.clients.set_status(*place, missing, Status.ENABLED),
            platform.clients.set_status(*place, missing, Status.DISABLED),
            platform.clients.delete(*place, missing),
            platform.channels.view(*place, missing),
            platform.channels.update(*place, missing, EntityChange(name="x")),
            platform.channels.set_status(*place, missing, Status.ENABLED),
            platform.channels.set_status(*place, missing, Status.DISABLED),
            platform.channels.delete(*place, missing),
        ):
            with pytest.raises(NotFound):
                await call

    async def test_a_change_replaces_what_it_names(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client = await bench.client(metadata={"a": 1, "b": 2}, tags=("one",))
        channel = await bench.channel(metadata={"a": 1, "b": 2}, tags=("one",))

        renamed = await platform.clients.update(*place, client.id, EntityChange(name="renamed"))
        changed = await platform.clients.update(
            *place, client.id, EntityChange(metadata={"c": 3}, tags=["two"])
        )
        other = await platform.channels.update(
            *place, channel.id, EntityChange(name="renamed", metadata={"c": 3}, tags=["two"])
        )

        assert (renamed.name, renamed.metadata) == ("renamed", {"a": 1, "b": 2})
        assert (changed.name, changed.metadata, list(changed.tags)) == (
            "renamed",
            {"c": 3},
            ["two"],
        )
        assert (other.name, other.metadata, list(other.tags)) == ("renamed", {"c": 3}, ["two"])
        assert (await platform.clients.view(*place, client.id)).metadata == {"c": 3}
        assert (await platform.channels.view(*place, channel.id)).name == "renamed"

    async def test_a_secret_is_replaced_and_stays_unique(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, other = await bench.client(), await bench.client()
        secret = Secret(str(uuid4()))

        await platform.clients.update_secret(*place, client.id, secret)

        assert (await platform.clients.view(*place, client.id)).secret == secret
        with pytest.raises(AlreadyExists):
            await platform.clients.update_secret(*place, other.id, secret)
        assert (await platform.clients.view(*place, other.id)).secret == other.secret

    async def test_status_is_changed_and_changing_it_again_is_no_error(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, channel = await bench.client(), await bench.channel()

        for _ in range(2):
            await platform.clients.set_status(*place, client.id, Status.DISABLED)
            await platform.channels.set_status(*place, channel.id, Status.DISABLED)
        assert (await platform.clients.view(*place, client.id)).status is Status.DISABLED
        assert (await platform.channels.view(*place, channel.id)).status is Status.DISABLED

        for _ in range(2):
            await platform.clients.set_status(*place, client.id, Status.ENABLED)
            await platform.channels.set_status(*place, channel.id, Status.ENABLED)
        assert (await platform.clients.view(*place, client.id)).status is Status.ENABLED
        assert (await platform.channels.view(*place, channel.id)).status is Status.ENABLED

    async def test_a_disabled_client_is_not_changed(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client = await bench.client(status=Status.DISABLED)

        with pytest.raises(NotFound):
            await platform.clients.update(*place, client.id, EntityChange(name="x"))
