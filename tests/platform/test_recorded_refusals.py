"""What Magistrala refuses, as it was recorded, and what that means."""

from collections.abc import Mapping
from typing import Final

import pytest
from pytest_httpx import HTTPXMock

from bootstrap_core.model import ConnectionType, Status
from bootstrap_core.secrets import Secret
from provision.platform.errors import (
    AlreadyExists,
    DomainNotFound,
    Failed,
    InvalidToken,
    NotAMember,
    NotFound,
    NotPermitted,
    NotReady,
    PlatformError,
    Rejected,
    RouteTaken,
)
from provision.platform.types import Connections, EntityChange, EntityQuery, NewChannel
from tests.platform.exchange import (
    NOWHERE,
    ROWS,
    A,
    Act,
    T,
    client,
    play,
)

REFUSED: Final[Mapping[str, tuple[type[PlatformError], Act]]] = {
    "clients.bulk.duplicate_id_existing": (
        AlreadyExists,
        lambda p, _: p.clients.create(T, A, [client("{{b3}}"), client("{{b1}}")]),
    ),
    "clients.bulk.duplicate_secret_existing": (
        AlreadyExists,
        lambda p, _: p.clients.create(T, A, [client("{{b3}}", secret="bk-sec-3")]),
    ),
    "clients.bulk.one_bad_id": (Rejected, lambda p, _: p.clients.create(T, A, [client("abc")])),
    "clients.bulk.no_token": (InvalidToken, lambda p, _: p.clients.create(T, A, [client("x")])),
    "clients.bulk.non_member": (NotPermitted, lambda p, _: p.clients.create(T, A, [client("x")])),
    "clients.view.unknown": (NotFound, lambda p, _: p.clients.view(T, A, NOWHERE)),
    "clients.view.non_member": (NotFound, lambda p, _: p.clients.view(T, A, "{{c1}}")),
    "clients.view.no_token": (InvalidToken, lambda p, _: p.clients.view(T, A, "{{c1}}")),
    "clients.list.limit101": (
        Rejected,
        lambda p, _: p.clients.list(T, A, EntityQuery(limit=101)),
    ),
    "clients.update.non_member": (
        NotFound,
        lambda p, _: p.clients.update(T, A, "{{c1}}", EntityChange(name="x")),
    ),
    "clients.update.disabled_client": (
        NotFound,
        lambda p, _: p.clients.update(T, A, "{{c1}}", EntityChange(name="while-disabled")),
    ),
    "clients.secret.duplicate": (
        AlreadyExists,
        lambda p, _: p.clients.update_secret(T, A, "{{c1}}", Secret("bk-sec-3")),
    ),
    "clients.secret.unknown": (
        NotFound,
        lambda p, _: p.clients.update_secret(T, A, NOWHERE, Secret("q")),
    ),
    "clients.enable.unknown": (
        NotFound,
        lambda p, _: p.clients.set_status(T, A, NOWHERE, Status.ENABLED),
    ),
    "clients.delete.again": (NotFound, lambda p, _: p.clients.delete(T, A, "{{c1}}")),
    "clients.delete.non_member": (NotFound, lambda p, _: p.clients.delete(T, A, "{{c1}}")),
    "channels.bulk.duplicate_id_existing": (
        AlreadyExists,
        lambda p, _: p.channels.create(T, A, [NewChannel("{{k3}}", "x")]),
    ),
    "channels.bulk.duplicate_route": (
        RouteTaken,
        lambda p, _: p.channels.create(T, A, [NewChannel("k", "x", route="rt-1")]),
    ),
    "channels.bulk.non_member": (
        NotPermitted,
        lambda p, _: p.channels.create(T, A, [NewChannel("k", "x")]),
    ),
    "channels.view.non_member": (NotFound, lambda p, _: p.channels.view(T, A, "{{ch1}}")),
    "channels.update.unknown": (
        NotFound,
        lambda p, _: p.channels.update(T, A, NOWHERE, EntityChange(name="x")),
    ),
    "channels.list.limit0": (Rejected, lambda p, _: p.channels.list(T, A, EntityQuery(limit=0))),
    "channels.connect.domain.again": (
        AlreadyExists,
        lambda p, _: p.connect(T, A, Connections(["{{cl1}}"], ["{{ch1}}", "{{ch2}}"])),
    ),
    "channels.connect.domain.partly_new": (
        AlreadyExists,
        lambda p, _: p.connect(T, A, Connections(["{{cl1}}", "{{cl2}}"], ["{{ch1}}"])),
    ),
    "channels.connect.unknown_client": (
        NotFound,
        lambda p, _: p.connect(T, A, Connections([NOWHERE], ["{{ch1}}"])),
    ),
    "channels.connect.type_twice": (
        NotReady,
        lambda p, _: p.connect(
            T, A, Connections(["{{cl3}}"], ["{{ch1}}"], [ConnectionType.PUBLISH] * 2)
        ),
    ),
    "channels.connect.disconnect.unknown_client": (
        NotFound,
        lambda p, _: p.disconnect(T, A, Connections([NOWHERE], ["{{ch1}}"])),
    ),
    "channels.connect.delete_channel.again": (
        NotFound,
        lambda p, _: p.channels.delete(T, A, "{{ch1}}"),
    ),
    "users.token.issue.unknown_user": (
        NotFound,
        lambda p, _: p.issue_token("nobody-here", Secret("12345678")),
    ),
    "users.token.issue.empty_password": (
        Rejected,
        lambda p, _: p.issue_token("{{alice_username}}", Secret("")),
    ),
    "users.token.refresh.garbage": (InvalidToken, lambda p, _: p.refresh_token(Secret("garbage"))),
    "users.token.refresh.with_access_token": (
        Failed,
        lambda p, _: p.refresh_token(Secret("{{access}}")),
    ),
    "users.token.profile.garbage": (InvalidToken, lambda p, _: p.view_user(Secret("a.b.c"))),
    "domains.get.unknown": (DomainNotFound, lambda p, _: p.view_domain(T, NOWHERE)),
    "domains.get.bad_token": (InvalidToken, lambda p, _: p.view_domain(T, "{{dom_id}}")),
    "certs.view.non_member": (NotAMember, lambda _, c: c.view_certificate(T, A, "{{serial}}")),
    "certs.view.no_token": (InvalidToken, lambda _, c: c.view_certificate(T, A, "{{serial}}")),
    "certs.list.no_token": (InvalidToken, lambda _, c: c.list_certificates(T, A, "x")),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_recorded_refusal_means_what_it_means(name: str, httpx_mock: HTTPXMock) -> None:
    kind, act = REFUSED[name]

    with pytest.raises(PlatformError) as caught:
        await play(httpx_mock, name, act)

    assert type(caught.value) is kind
    message = ROWS[name]["response"].get("json", {}).get("message", "")
    assert message in str(caught.value)
    assert caught.value.service == ROWS[name]["request"]["service"]
