"""The adapter to Atom keeps the platform's contract, over a working double of Atom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import ClassVar, Final

import pytest

from provision.pki.keys import KeyType
from tests.atom.world import speaking_to, town
from tests.platform.certificate_contract import CertificateContract, CertificateSubject
from tests.platform.contract import PlatformContract, Subject

CONTINUES: Final = "what follows an error in a document runs all the same"
NOT_UNIQUE: Final = "keys need not be unique"


ADAPTER_EXCEPTIONS: Final = {
    "test_an_unknown_domain_is_told_from_one_of_others": "Atom says forbidden to both",
    "test_a_taken_client_id_creates_nothing": CONTINUES,
    "test_a_taken_channel_id_creates_nothing": CONTINUES,
    "test_a_taken_route_creates_nothing": CONTINUES,
    "test_a_taken_secret_creates_nothing": NOT_UNIQUE,
    "test_a_secret_is_replaced_and_stays_unique": NOT_UNIQUE,
    "test_a_deleted_id_is_free_again": "a deleted ID is never free again",
}
CERTIFICATE_EXCEPTIONS: Final = {
    "test_a_lifetime_is_cut_to_what_the_authority_allows": "a longer one is refused, not cut",
}


class TestAtomAdapter(PlatformContract):
    exceptions: ClassVar[Mapping[str, str]] = ADAPTER_EXCEPTIONS

    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        there = town()
        async with speaking_to(there.double) as speaking:
            yield Subject(speaking.atom, there.token, there.tenant.id)


class TestAtomCertificates(CertificateContract):
    key_type = KeyType.EC_P256
    exceptions: ClassVar[Mapping[str, str]] = CERTIFICATE_EXCEPTIONS

    @pytest.fixture
    async def subject(self) -> AsyncIterator[CertificateSubject]:
        there = town()
        async with speaking_to(there.double) as speaking:
            yield CertificateSubject(
                speaking.certificates, speaking.atom, there.token, there.tenant.id
            )
