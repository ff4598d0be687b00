"""The adapter over TLS: the operator's CA, a client certificate, HTTP/2, and wrong settings."""

import asyncio
import json
import ssl
from pathlib import Path

import attrs
import pytest

from bootstrap_core.secrets import Secret
from provision.platform.calls import TransportSettings
from provision.platform.errors import Misconfigured, PlatformError, Unavailable
from provision.platform.transport import Transport
from tests.pki.tools import hierarchy, issued, server_identity
from tests.platform.faulty import QUICK, FaultyServer, answers, endpoints, speaking_to
from tests.platform.http2 import Http2Server

DOMAIN = {"id": "d", "name": "factory", "route": "f", "status": "enabled"}
TOKEN = Secret("token")


def server_tls(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_identity(directory))
    return context


def trusting(directory: Path) -> TransportSettings:
    return attrs.evolve(QUICK, ca_file=directory / "server.pem", attempts=1)


async def test_a_service_is_trusted_through_the_ca_file(tmp_path: Path) -> None:
    server = FaultyServer()
    server.otherwise = answers(200, DOMAIN)
    tls = server_tls(tmp_path)

    async with server.serving(tls) as address, speaking_to(address, trusting(tmp_path)) as platform:
        assert (await platform.view_domain(TOKEN, "d")).name == "factory"


async def test_a_service_of_an_unknown_authority_gets_no_token(tmp_path: Path) -> None:
    server = FaultyServer()
    settings = attrs.evolve(QUICK, attempts=1)

    async with (
        server.serving(server_tls(tmp_path)) as address,
        speaking_to(address, settings) as platform,
    ):
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await platform.view_domain(TOKEN, "d")

    assert server.received == []


async def test_a_client_certificate_is_shown_to_a_service_that_asks_for_one(tmp_path: Path) -> None:
    issuer = hierarchy().intermediate
    certificate, key = issued(issuer).write(tmp_path)
    tls = server_tls(tmp_path)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(cadata=issuer.chain_pem())
    server = FaultyServer()
    server.otherwise = answers(200, DOMAIN)
    without = trusting(tmp_path)
    with_certificate = attrs.evolve(without, client_certificate=certificate, client_key=key)

    async with server.serving(tls) as address:
        async with speaking_to(address, with_certificate) as platform:
            await platform.view_domain(TOKEN, "d")
        async with speaking_to(address, without) as platform:
            with pytest.raises(PlatformError):
                await platform.view_domain(TOKEN, "d")

    assert len(server.received) == 1


async def test_http_2_is_spoken_where_it_is_offered(tmp_path: Path) -> None:
    server = Http2Server(json.dumps(DOMAIN).encode())

    async with (
        server.serving(server_tls(tmp_path)) as address,
        speaking_to(address, trusting(tmp_path)) as platform,
    ):
        await platform.view_domain(TOKEN, "d")
        await asyncio.gather(*(platform.view_domain(TOKEN, "d") for _ in range(10)))

    assert (server.connections, server.requests) == (1, 11)


@pytest.mark.parametrize("address", ["", "clients:9006", "ftp://clients", "http://", "http://a:b"])
def test_an_address_that_leads_nowhere_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(Misconfigured, match="clients service"):
        Transport(endpoints(address), QUICK)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    server_identity(tmp_path)

    with pytest.raises(Misconfigured, match=r"CA file .*missing\.pem"):
        TransportSettings(ca_file=tmp_path / "missing.pem").tls()
    with pytest.raises(Misconfigured, match=r"CA file .*empty\.pem"):
        TransportSettings(ca_file=tmp_path / "empty.pem").tls()
    with pytest.raises(Misconfigured, match=r"client certificate .*empty\.pem"):
        TransportSettings(
            client_certificate=tmp_path / "empty.pem", client_key=tmp_path / "server.key"
        ).tls()


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"call_timeout": 0}, {"pool_size": 0}, {"backoff": -1}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TransportSettings(**wrong)  # type: ignore[arg-type]
