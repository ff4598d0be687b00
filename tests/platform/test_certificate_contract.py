"""The embedded authority and the adapter to Magistrala's certs service keep the same promises."""

from collections.abc import AsyncIterator

import httpx
import pytest

from provision.embedded.authority import EmbeddedAuthority
from provision.embedded.issuer_store import open_issuer
from provision.embedded.tokens import utc_now
from provision.pki.keys import KeyType
from provision.pki.profiles import ClientProfile
from provision.platform.calls import TransportSettings
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.magistrala.certificates import MagistralaCertificates
from provision.platform.transport import Transport
from tests.embedded.service import SEALER, Installation, with_certificates
from tests.platform.certificate_contract import CertificateContract, CertificateSubject
from tests.platform.faulty import endpoints


class TestEmbeddedAuthority(CertificateContract):
    key_type = KeyType.EC_P256

    @pytest.fixture
    async def subject(self, installed: Installation) -> CertificateSubject:
        issuer = await open_issuer(installed.engine, SEALER, "Contract", utc_now())
        return CertificateSubject(
            EmbeddedAuthority(installed.engine, installed.platform, issuer, ClientProfile()),
            installed.platform,
            installed.token,
            installed.operator.domain_id,
        )


class TestMagistralaCertificates(CertificateContract):
    key_type = KeyType.EC_P256

    @pytest.fixture
    async def subject(self, installed: Installation) -> AsyncIterator[CertificateSubject]:
        wire = httpx.ASGITransport(app=await with_certificates(installed))
        where = endpoints("http://magistrala.test")
        async with Transport(where, TransportSettings(attempts=1), wire) as transport:
            platform = Magistrala(transport)
            yield CertificateSubject(
                MagistralaCertificates(transport, platform.clients),
                platform,
                installed.token,
                installed.operator.domain_id,
            )
