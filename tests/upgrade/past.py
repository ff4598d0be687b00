"""What earlier versions left behind, opened by today's service."""

from __future__ import annotations

import contextlib
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen

from tests.cli.served import Served, serving
from tests.database import FILE, ON_POSTGRESQL
from tests.upgrade import moving

KEPT = Path(__file__).parents[1] / "data" / "upgrade"
LAYOUTS = KEPT / "layouts"
VERSIONS = tuple(sorted(each.parent.name for each in KEPT.glob("*/data.tar.gz")))


@frozen
class Gateway:
    """A gateway of then: what was asked for, what was answered, what its device fetched."""

    request: dict[str, Any]
    answer: dict[str, Any]
    device: dict[str, str]

    @property
    def external_id(self) -> str:
        return str(self.request["external_id"])

    @property
    def key(self) -> str:
        return str(self.request["external_key"])


@frozen
class Past:
    """The data directory of an earlier version."""

    version: str

    @property
    def archive(self) -> Path:
        return KEPT / self.version / "data.tar.gz"

    @property
    def recorded(self) -> dict[str, Any]:
        text = (KEPT / self.version / "recorded.json").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text)
        return found

    @property
    def gateways(self) -> list[Gateway]:
        return [Gateway(**each) for each in self.recorded["gateways"]]

    def unpack(self, data: Path) -> Path:
        """Put a copy of the data directory in place, its store where the tests have theirs."""
        data.mkdir(mode=0o700)
        with tarfile.open(self.archive) as archive:
            for member in archive.getmembers():
                content = archive.extractfile(member)
                assert content is not None, member.name
                (data / member.name).write_bytes(content.read())
        if ON_POSTGRESQL:
            moving.to_postgresql(data / FILE)
        return data

    @contextlib.contextmanager
    def served(self, data: Path) -> Iterator[Served]:
        """Run today's service on the data."""
        with serving(data, LAYOUTS) as served:
            yield served

    def devices(self, served: Served) -> dict[str, Any]:
        """Return what each device of then fetches now."""
        return {each.external_id: fetched(served, each).json() for each in self.gateways}

    @property
    def devices_then(self) -> dict[str, Any]:
        return {each.external_id: each.device for each in self.gateways}


def fetched(served: Served, gateway: Gateway) -> httpx.Response:
    """Ask for a device's configuration with its key of then."""
    return httpx.get(
        f"{served.url}/clients/bootstrap/{gateway.external_id}",
        headers={"Authorization": f"Client {gateway.key}"},
    )


def mapped(served: Served, request: dict[str, Any], **more: Any) -> httpx.Response:
    """Ask for a gateway."""
    return httpx.post(
        f"{served.url}/{served.domain}/mapping",
        json=request | more,
        headers={"Authorization": f"Bearer {served.token}"},
        timeout=60,
    )
