"""The platform's contract against a live Magistrala: ``make test-live``.

The Magistrala is named by the same variables that the service reads (``MG_PROVISION_CLIENTS_URL``
and so on, with a user and password or an API key). A domain is made for the run; everything in it
is removed again, and the domain is disabled at the end, since Magistrala does not delete domains.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from bootstrap_core.secrets import Secret
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.transport import Transport
from provision.platform_choice import endpoints, own_credentials, transport_settings
from provision.settings import Settings
from provision.settings_reader import load
from tests.platform.contract import PlatformContract, Subject


def live_settings() -> Settings:
    """Return the settings of the environment, which must name a Magistrala and credentials."""
    settings = load(os.environ, {}).settings
    if not settings.uses_magistrala or not (settings.api_key or settings.password):
        pytest.exit(
            "make test-live needs a Magistrala: set MG_PROVISION_CLIENTS_URL, _CHANNELS_URL, "
            "_USERS_URL, _DOMAINS_URL, and MG_PROVISION_USERNAME with _PASS or _API_KEY",
            returncode=2,
        )
    return settings


class TestLiveMagistrala(PlatformContract):
    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        settings = live_settings()
        where = endpoints(settings)
        async with Transport(where, transport_settings(settings)) as transport:
            magistrala = Magistrala(transport)
            own = own_credentials(settings, magistrala)
            assert own
            token = await own.token()
            async with httpx.AsyncClient(
                base_url=where.domains, headers=_bearer(token), verify=settings.verify_tls
            ) as http:
                domain_id = await _make_domain(http)
                yield Subject(magistrala, token, domain_id)
                await http.post(f"/domains/{domain_id}/disable")


async def _make_domain(http: httpx.AsyncClient) -> str:
    mark = uuid.uuid4().hex[:12]
    made = await http.post("/domains", json={"name": f"contract-{mark}", "route": f"c{mark}"})
    made.raise_for_status()
    return str(made.json()["id"])


def _bearer(token: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}
