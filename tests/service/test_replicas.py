"""Several services on one store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509

from bootstrap_core.secrets import SealingKey
from provision.app import open_service
from provision.settings_reader import load
from provision.store.data_directory import DataDirectory
from tests.database import url_of
from tests.service.running import BASE, ROOT, open_client

REPLICAS = 3


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, str]:
    """What the replicas have in common."""
    return {
        "MG_PROVISION_DATABASE_URL": url_of(tmp_path / "shared.db"),
        "MG_PROVISION_SEALING_KEYS": SealingKey.generate().to_text(),
        "MG_PROVISION_LAYOUTS": str(ROOT / "layouts"),
    }


async def _started_at_once(
    directories: Sequence[Path], shared: dict[str, str]
) -> list[dict[str, Any]]:
    """Run a replica on each directory; return what each answers while all of them run."""
    everybody = asyncio.Barrier(len(directories))

    async def run(data: Path) -> dict[str, Any]:
        loaded = load(shared | {"MG_PROVISION_DATA": str(data)}, {})
        async with open_service(loaded, BASE) as service, open_client(service) as http:
            await everybody.wait()
            (account,) = filter(None, (DataDirectory(each).read_operator() for each in directories))
            answers = await _answers(http, account)
            await everybody.wait()
            return answers

    async with asyncio.timeout(60):
        return await asyncio.gather(*(run(each) for each in directories))


async def _answers(http: httpx.AsyncClient, account: dict[str, str]) -> dict[str, Any]:
    assert (await http.get("/health")).status_code == 200
    body = {"username": account["username"], "password": account["password"]}
    tokens = (await http.post("/users/tokens/issue", json=body)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    users = (await http.get("/users?limit=100", headers=headers)).json()["users"]
    domains = (await http.get("/domains?limit=100", headers=headers)).json()["domains"]
    revoked = x509.load_der_x509_crl((await http.get("/certs/crl.der")).content)
    signer = revoked.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return {
        "users": [user["id"] for user in users],
        "domains": [domain["id"] for domain in domains],
        "authority": signer.key_identifier,
    }


async def test_first_starts_at_once_make_one_operator_and_one_authority(
    tmp_path: Path, shared: dict[str, str]
) -> None:
    directories = [tmp_path / f"replica-{number}" for number in range(REPLICAS)]
    first = await _started_at_once(directories, shared)
    assert all(answers == first[0] for answers in first)
    assert (len(first[0]["users"]), len(first[0]["domains"])) == (1, 1)
    assert await _started_at_once(directories, shared) == first
