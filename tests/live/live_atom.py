"""The platform's contract against a live Atom: ``make test-live``.

The Atom is named by the variables that the service reads: ``MG_PROVISION_ATOM_URL``, with a user
and password or an unscoped access token. A tenant is made for the run; everything in it is deleted
again. The tenant stays, since only the platform's administrator may delete one.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import httpx
import pytest
from attrs import frozen

from bootstrap_core.secrets import Secret
from provision.layout.model import parse_lifetime
from provision.pki.keys import KeyType
from provision.platform.atom.adapter import Atom
from provision.platform.atom.calls import Endpoint
from provision.platform.atom.certificates import AtomCertificates
from provision.platform.transport import Transport
from provision.platform_choice import own_credentials, transport_settings
from provision.settings_reader import load
from tests.atom.test_contract import ADAPTER_EXCEPTIONS, CERTIFICATE_EXCEPTIONS
from tests.platform.certificate_contract import CertificateContract, CertificateSubject
from tests.platform.contract import PlatformContract, Subject

CREATE = "mutation($i: CreateTenantInput!) { createTenant(input: $i) { id } }"


@frozen
class Live:
    """The adapter to a live Atom, and a tenant of this run."""

    atom: Atom
    certificates: AtomCertificates
    token: Secret
    domain_id: str


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    settings = load(os.environ, {}).settings
    if not settings.uses_atom or not (settings.api_key or settings.password):
        pytest.exit(
            "these tests need an Atom: set MG_PROVISION_ATOM_URL, and MG_PROVISION_USERNAME with "
            "_PASS or _API_KEY",
            returncode=2,
        )
    async with Transport(Endpoint(settings.atom_url), transport_settings(settings)) as transport:
        atom = Atom(transport)
        own = own_credentials(settings, atom)
        assert own
        token = await own.token()
        name = f"contract-{uuid.uuid4().hex[:12]}"
        body: dict[str, Any] = {"query": CREATE, "variables": {"i": {"name": name, "alias": name}}}
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        async with httpx.AsyncClient(verify=settings.verify_tls, headers=headers) as http:
            made = (await http.post(f"{settings.atom_url.rstrip('/')}/graphql", json=body)).json()
        domain_id = str(made["data"]["createTenant"]["id"])
        maximum = timedelta(seconds=parse_lifetime(settings.atom_max_ttl))
        certificates = AtomCertificates(atom.graph, maximum)
        yield Live(atom, certificates, token, domain_id)


class TestLiveAtom(PlatformContract):
    exceptions: ClassVar[Mapping[str, str]] = ADAPTER_EXCEPTIONS

    @pytest.fixture
    async def subject(self, live: Live) -> Subject:
        return Subject(live.atom, live.token, live.domain_id)


class TestLiveAtomCertificates(CertificateContract):
    key_type = KeyType.EC_P256
    exceptions: ClassVar[Mapping[str, str]] = CERTIFICATE_EXCEPTIONS

    @pytest.fixture
    async def subject(self, live: Live) -> CertificateSubject:
        return CertificateSubject(live.certificates, live.atom, live.token, live.domain_id)
