"""Mutual TLS with what a gateway was given, against a server that trusts the answer's chain."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.certificates.world import SettableClock, certificates, delivered, post, serving
from tests.pki.test_mutual_tls import serve_once, server_context
from tests.service.running import Running

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def shake_hands(directory: Path, server: ssl.SSLContext, config: Mapping[str, Any]) -> str:
    """Connect as the device; return whom the server took it for, or raise its ``SSLError``."""
    (directory / "client.pem").write_text(config["client_cert"])
    (directory / "client.key").write_text(config["client_key"])
    device = ssl.create_default_context(cafile=str(directory / "server.pem"))
    device.load_cert_chain(directory / "client.pem", directory / "client.key")
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve_once, listener, server)
        try:
            with (
                socket.create_connection(listener.getsockname()) as raw,
                device.wrap_socket(raw, server_hostname="localhost") as connection,
            ):
                connection.recv(64)
        except OSError:
            return served.result()
        return served.result()


async def with_revocations(
    running: Running, directory: Path, server: ssl.SSLContext
) -> ssl.SSLContext:
    lists = await running.http.get("/certs/crl.pem")
    (directory / "crl.pem").write_text(lists.text)
    server.load_verify_locations(cafile=directory / "crl.pem")
    server.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    return server


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_gateway_is_let_in_until_its_certificate_is_revoked(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    async with serving(tmp_path, SettableClock()) as running:
        made = (await running.map()).json()
        config = await delivered(running)

        async def connect() -> str:
            server = server_context(tmp_path, version, made["ca_cert"])
            await with_revocations(running, tmp_path, server)
            return await asyncio.to_thread(shake_hands, tmp_path, server, config)

        assert await connect() == next(iter(made["client_cert"]))
        (old,) = await certificates(running)
        await post(running, f"/cert/{old['serial_number']}/renew")
        assert await connect() == next(iter(made["client_cert"]))
        await post(running, f"/cert/{old['serial_number']}/revoke")
        with pytest.raises(ssl.SSLError, match="certificate revoked"):
            await connect()
        config = await delivered(running)
        assert await connect() == next(iter(made["client_cert"]))
