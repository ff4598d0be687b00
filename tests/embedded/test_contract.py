"""The embedded platform keeps the port's promises: in this process, and over its HTTP routes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from provision.platform.magistrala import Magistrala
from provision.platform.magistrala_settings import Endpoints, TransportSettings
from provision.platform.magistrala_transport import Transport
from tests.embedded.service import Installation, magistrala
from tests.platform.contract import PlatformContract, Subject

ADDRESS = "http://platform.test"


class TestInProcess(PlatformContract):
    @pytest.fixture
    def subject(self, installed: Installation) -> Subject:
        return Subject(installed.platform, installed.token, installed.operator.domain_id)


class TestOverHttp(PlatformContract):
    @pytest.fixture
    async def subject(self, installed: Installation) -> AsyncIterator[Subject]:
        wire = httpx.ASGITransport(app=magistrala(installed.platform))
        endpoints = Endpoints(ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS)
        async with Transport(endpoints, TransportSettings(), wire) as transport:
            yield Subject(Magistrala(transport), installed.token, installed.operator.domain_id)
