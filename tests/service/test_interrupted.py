"""What counts as a fetch where the connection breaks, over a real socket."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from bootstrap_core.keys import KeyHasher
from tests import database
from tests.cli.served import KEY, ROOT, Served, serving

PATIENCE = 20.0


def fetch_and_reset(served: Served, external_id: str) -> None:
    """Ask for a configuration, and reset the connection without waiting for the answer."""
    url = urlsplit(served.url)
    link = socket.create_connection((url.hostname, url.port))
    request = f"GET /clients/bootstrap/{external_id} HTTP/1.1\r\nHost: x\r\n"
    link.sendall(f"{request}Authorization: Client {KEY}\r\n\r\n".encode())
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def test_an_answer_that_was_not_taken_is_no_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bootstrap_core.core.KeyHasher", KeyHasher)
    with serving(tmp_path, ROOT / "layouts") as served:
        headers = {"Authorization": f"Bearer {served.token}"}
        document = {"external_id": "gw", "external_key": KEY, "content": "x"}
        base = f"{served.url}/{served.domain}/clients/configs"
        made = httpx.post(base, json=document, headers=headers).json()

        def last_fetch() -> Any:
            shown = httpx.get(f"{base}/{made['id']}", headers=headers).json()
            return shown.get("last_fetch", {}).get("outcome")

        # The slow hash of the key takes longer than the reset.
        database.execute(served.data / database.FILE, "DELETE FROM device_pairs")
        fetch_and_reset(served, "gw")
        until = time.monotonic() + PATIENCE
        while last_fetch() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert last_fetch() == "interrupted"
        device = {"Authorization": f"Client {KEY}"}
        assert httpx.get(f"{served.url}/clients/bootstrap/gw", headers=device).status_code == 200
        assert last_fetch() == "delivered"
