"""Calls at the same moment: one wins, nothing is half done, nobody waits in vain."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

from bootstrap_core.secrets import Secret
from provision.platform.types import Connections, EntityQuery, NewChannel, NewClient
from tests.embedded.service import Installation


async def test_an_id_is_given_once(installed: Installation) -> None:
    place, key = (installed.token, installed.operator.domain_id), str(uuid4())
    drafts = [
        [
            NewClient(str(uuid4()), "other", secret=Secret("")),
            NewClient(key, "same", secret=Secret("")),
        ]
        for _ in range(20)
    ]

    answers = await asyncio.gather(
        *(installed.platform.clients.create(*place, draft) for draft in drafts),
        return_exceptions=True,
    )

    assert Counter(type(answer).__name__ for answer in answers) == {"list": 1, "AlreadyExists": 19}
    page = await installed.platform.clients.list(*place, EntityQuery(limit=100))
    assert page.total == 2


async def test_a_connection_is_made_once(installed: Installation) -> None:
    place, platform = (installed.token, installed.operator.domain_id), installed.platform
    client, channel = str(uuid4()), str(uuid4())
    await platform.clients.create(*place, [NewClient(client, "c", secret=Secret(""))])
    await platform.channels.create(*place, [NewChannel(channel, "ch")])

    answers = await asyncio.gather(
        *(platform.connect(*place, Connections([client], [channel])) for _ in range(20)),
        return_exceptions=True,
    )

    outcomes = Counter(type(answer).__name__ for answer in answers)
    assert outcomes == {"NoneType": 1, "AlreadyExists": 19}


async def test_many_gateways_at_once_are_all_there_at_once(installed: Installation) -> None:
    place, platform = (installed.token, installed.operator.domain_id), installed.platform

    async def onboard() -> bool:
        clients = [NewClient(str(uuid4()), "c", secret=Secret(""))]
        channels = [NewChannel(str(uuid4()), "ch") for _ in range(2)]
        await asyncio.gather(
            platform.clients.create(*place, clients), platform.channels.create(*place, channels)
        )
        await platform.connect(
            *place, Connections([clients[0].id], [channel.id for channel in channels])
        )
        await platform.clients.view(*place, clients[0].id)
        found = await platform.channels.list(*place, EntityQuery(connected_to=clients[0].id))
        return found.total == len(channels)

    assert all(await asyncio.gather(*(onboard() for _ in range(50))))
