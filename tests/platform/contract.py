"""What every implementation of the port ``Platform`` promises.

A promise that a platform can't keep is named in ``exceptions``, with the fact that says why: the
test must fail there. A module of tests makes the suite its own::

    class TestEmbedded(PlatformContract):
        @pytest.fixture
        async def subject(self) -> AsyncIterator[Subject]:
            yield Subject(platform, token, domain_id)

Nothing is needed but the platform, the access token of somebody who operates the domain, and the
domain's ID; the domain may have other things in it. What a test makes is removed again, so that
the suite can run against a live platform.
"""

from __future__ import annotations

from uuid import uuid4

import pytest
from attrs import evolve

from bootstrap_core.model import ConnectionType, Status
from provision.platform.errors import AlreadyExists, NotFound, NotReady
from provision.platform.types import Connections, EntityQuery, StatusFilter
from tests.platform.bench import Bench, Subject
from tests.platform.contract_entities import EntityContract

__all__ = ["PlatformContract", "Subject"]


class PlatformContract(EntityContract):
    """The suite; a subclass provides the fixture ``subject``."""

    async def test_lists_are_paged_newest_first(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        made = [await bench.client(name=f"{bench.mark}-{n}") for n in range(3)]

        pages = [
            await platform.clients.list(
                *place, EntityQuery(name=bench.mark, offset=offset, limit=2)
            )
            for offset in (0, 2, 4)
        ]

        assert [page.total for page in pages[:2]] == [3, 3]
        listed = [client.id for page in pages for client in page.items]
        assert listed == [client.id for client in reversed(made)]
        assert [(page.offset, page.limit) for page in pages] == [(0, 2), (2, 2), (4, 2)]

    async def test_channels_are_paged_newest_first(self, bench: Bench) -> None:
        made = [await bench.channel(name=f"{bench.mark}-{n}") for n in range(3)]

        page = await bench.subject.platform.channels.list(
            *bench.place, EntityQuery(name=bench.mark, offset=1, limit=1)
        )

        assert (page.total, [channel.id for channel in page.items]) == (3, [made[1].id])

    async def test_names_are_found_by_a_part_in_any_case(self, bench: Bench) -> None:
        client = await bench.client(name=f"{bench.mark}-Boiler 50%")

        for name in (f"{bench.mark}-boiler", f"{bench.mark}-BOILER 50%".upper()):
            page = await bench.subject.platform.clients.list(*bench.place, EntityQuery(name=name))
            assert [found.id for found in page.items] == [client.id]

    async def test_metadata_is_found_by_a_part(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client = await bench.client(metadata={"mark": bench.mark, "at": {"site": "a", "n": 1}})
        channel = await bench.channel(metadata={"mark": bench.mark, "at": {"site": "a", "n": 1}})

        for wanted, count in (({"site": "a"}, 1), ({"n": 1}, 1), ({"n": 2}, 0), ({"x": 1}, 0)):
            metadata = {"mark": bench.mark, "at": wanted}
            clients = await platform.clients.list(*place, EntityQuery(metadata=metadata))
            channels = await platform.channels.list(*place, EntityQuery(metadata=metadata))
            assert [found.id for found in clients.items] == [client.id] * count
            assert [found.id for found in channels.items] == [channel.id] * count

    async def test_lists_show_the_enabled_unless_asked_otherwise(self, bench: Bench) -> None:
        enabled = await bench.client(name=f"{bench.mark}-on")
        disabled = await bench.client(name=f"{bench.mark}-off", status=Status.DISABLED)

        found = {}
        for status in StatusFilter:
            query = EntityQuery(name=bench.mark, status=status)
            page = await bench.subject.platform.clients.list(*bench.place, query)
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
        page = await bench.subject.platform.clients.list(
            *bench.place, EntityQuery(connected_to=channels[0].id)
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
        with pytest.raises(NotReady):
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

        async def types() -> frozenset[ConnectionType] | None:
            page = await platform.clients.list(*place, EntityQuery(connected_to=channel.id))
            return page.items[0].connection_types

        await platform.connect(*place, publish)
        assert await types() == {ConnectionType.PUBLISH}
        await platform.connect(*place, subscribe)
        assert await types() == {ConnectionType.PUBLISH, ConnectionType.SUBSCRIBE}
        await platform.disconnect(*place, publish)
        assert await types() == {ConnectionType.SUBSCRIBE}
        assert await bench.channels_of(client.id) == [channel.id]
        everywhere = await platform.clients.list(*place, EntityQuery(id=client.id))
        assert everywhere.items[0].connection_types is None
        await platform.disconnect(*place, subscribe)
        assert await bench.channels_of(client.id) == []

    async def test_a_deleted_id_is_free_again(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, channel = await bench.client(), await bench.channel()
        await platform.connect(*place, Connections([client.id], [channel.id]))
        await platform.clients.delete(*place, client.id)

        again = await bench.client(id=client.id)

        assert await bench.channels_of(again.id) == []

    async def test_deletes_are_complete(self, bench: Bench) -> None:
        platform, place = bench.subject.platform, bench.place
        client, channel, other = await bench.client(), await bench.channel(), await bench.client()
        await platform.connect(*place, Connections([client.id, other.id], [channel.id]))

        await platform.clients.delete(*place, client.id)
        assert not await bench.has("client", client.id)
        with pytest.raises(NotFound):
            await platform.clients.view(*place, client.id)
        with pytest.raises(NotFound):
            await platform.clients.delete(*place, client.id)

        await platform.channels.delete(*place, channel.id)
        assert not await bench.has("channel", channel.id)
        with pytest.raises(NotFound):
            await platform.channels.delete(*place, channel.id)
        assert await bench.channels_of(other.id) == []
