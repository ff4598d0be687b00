"""The adapter satisfies the platform's contract, over the embedded platform's HTTP routes."""

from collections.abc import AsyncIterator

import httpx
import pytest

from provision.platform.calls import TransportSettings
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.transport import Transport
from tests.embedded.service import Installation, magistrala
from tests.platform.contract import PlatformContract, Subject
from tests.platform.faulty import endpoints


class TestMagistralaAdapter(PlatformContract):
    @pytest.fixture
    async def subject(self, installed: Installation) -> AsyncIterator[Subject]:
        wire = httpx.ASGITransport(app=magistrala(installed.platform))
        where = endpoints("http://magistrala.test")
        async with Transport(where, TransportSettings(attempts=1), wire) as transport:
            yield Subject(Magistrala(transport), installed.token, installed.operator.domain_id)
