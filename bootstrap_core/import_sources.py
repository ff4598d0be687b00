"""Where existing data come from: a dump of the Go service's tables, or its HTTP API.

A dump is a text of JSON lines, one row each: ``{"table": "profiles", "row": {...}}`` with the
tables ``profiles``, ``configs`` and ``bindings`` and their columns as they are
(docs/bootstrap-import.md has the psql command that writes it). Columns of older releases are
understood: ``template_format``, ``client_id`` for ``id``, ``state`` for ``status``.

The API tells neither the hashes of external keys nor the secrets of bindings nor certificates.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

import httpx
from attrs import field, frozen

from bootstrap_core.errors import Malformed
from bootstrap_core.secret import Secret

PAGE: Final = 100


class Kind(StrEnum):
    """What a row is; also the name of its table."""

    PROFILE = "profiles"
    CONFIG = "configs"
    BINDING = "bindings"


@frozen
class Record:
    """A row with the columns of the Go service's tables; ``place`` says where it was read."""

    kind: Kind
    row: Mapping[str, Any] = field(repr=False)
    place: str


def read_dump(lines: Iterable[str]) -> list[Record]:
    """Return the rows of a dump: profiles first, then configs, then bindings.

    Raises ``Malformed`` with the number of a line that is not a row.
    """
    records = [
        _read_line(line, f"line {number}") for number, line in enumerate(lines, 1) if line.strip()
    ]
    order = list(Kind)
    return sorted(records, key=lambda record: order.index(record.kind))


async def read_api(
    http: httpx.AsyncClient, domain_id: str, token: Secret, keys: Mapping[str, Secret]
) -> AsyncIterator[Record]:
    """Yield the rows of a domain as the Go service's API tells them, in the order of ``Kind``.

    ``http`` has the service's address as its base URL. ``keys`` are the devices' external keys by
    external ID, since the API does not tell their hashes.

    Raises ``Malformed``: the service answered with an error or nonsense.
    """
    api = _Api(http, domain_id, token)
    async for profile in api.pages("bootstrap/profiles?", "profiles"):
        yield Record(Kind.PROFILE, profile, f"profile {profile.get('id')}")
    config_ids = []
    async for config in api.pages("configs?status=all&", "configs"):
        config_ids.append(str(config.get("id")))
        key = keys.get(str(config.get("external_id")))
        row = {**config, "domain_id": domain_id, "external_key": key.reveal() if key else ""}
        yield Record(Kind.CONFIG, row, f"config {config.get('id')}")
    for config_id in config_ids:
        bound = await api.get(f"bootstrap/enrollments/{config_id}/bindings")
        for binding in bound.get("bindings") or ():
            yield Record(Kind.BINDING, binding, f"config {config_id}, slot {binding.get('slot')}")


@frozen
class _Api:
    http: httpx.AsyncClient
    domain_id: str
    token: Secret

    async def pages(self, path: str, key: str) -> AsyncIterator[Mapping[str, Any]]:
        offset = 0
        while True:
            page = await self.get(f"{path}offset={offset}&limit={PAGE}")
            items = page.get(key) or []
            for item in items:
                yield item
            offset += len(items)
            if not items or offset >= page.get("total", 0):
                return

    async def get(self, path: str) -> Mapping[str, Any]:
        try:
            answer = await self.http.get(
                f"/{self.domain_id}/clients/{path}",
                headers={"Authorization": f"Bearer {self.token.reveal()}"},
            )
            document = answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError) as error:
            raise Malformed(f"the bootstrap service cannot be read: {error}") from error
        if not isinstance(document, Mapping):
            raise Malformed(
                f"the bootstrap service answered {answer.status_code} to GET {answer.url.path}: "
                f"{answer.text[:200]}"
            )
        return document


def _read_line(line: str, place: str) -> Record:
    try:
        document = json.loads(line)
        return Record(Kind(document["table"]), dict(document["row"]), place)
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(
            f'{place}: {{"table": "profiles", "configs" or "bindings", "row": {{...}}}} is wanted'
        ) from error
