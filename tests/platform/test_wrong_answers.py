"""Answers of the wrong shape, refusals and odd IDs: told clearly, with no secret in it."""

import json

import pytest

from bootstrap_core.secrets import Secret
from provision.platform.errors import (
    BadAnswer,
    InvalidToken,
    PlatformError,
    Rejected,
)
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.types import EntityQuery, NewClient
from tests.platform.faulty import (
    FaultyServer,
    answers,
    sends,
)
from tests.platform.samples import CLIENT, DOMAIN, NEW, OTHER, TOKEN, VIEWED, create, view


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html><body>Bad Gateway</body></html>", b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "cut JSON", "HTML", "no text", "endless nesting"],
)
async def test_what_is_no_json_names_the_service(
    body: bytes, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(sends(200, body))

    with pytest.raises(BadAnswer, match="clients service's answer to view clients is not JSON"):
        await view(platform)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id is missing, expected text"),
        ({"id": 7}, "id is a number, expected text"),
        ({"credentials": "s3cret-value"}, "credentials is other text, expected an object"),
        ({"credentials": {"secret": 5}}, r"credentials\.secret is a number, expected text"),
        ({"metadata": []}, "metadata is a list, expected an object"),
        ({"tags": [1]}, r"tags\[0\] is a number, expected text"),
        ({"tags": {}}, "tags is an object, expected a list"),
        ({"status": "odd"}, "status is other text, expected enabled or disabled"),
        ({"created_at": "soon"}, "created_at is other text, expected a time"),
        ({"created_at": "2026-01-01T00:00:00"}, "created_at is other text, expected a time with"),
        ({"created_at": "0001-01-01T00:00:00+05:00"}, "created_at is other text"),
    ],
)
async def test_a_wrong_shape_names_the_service_and_the_field_but_no_value(
    change: dict[str, object], field: str, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(answers(200, {**VIEWED, **change}))

    with pytest.raises(BadAnswer, match=f"clients service.*view clients.*{field}") as caught:
        await view(platform)

    assert "s3cret-value" not in str(caught.value)
    assert caught.value.status == 502


@pytest.mark.parametrize("document", [[], "text", 5, None, True])
async def test_an_answer_that_is_no_object_is_refused(
    document: object, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(sends(200, json.dumps(document).encode()))

    with pytest.raises(BadAnswer, match=r"the body is .*, expected an object"):
        await view(platform)


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"total": "1"}, "total is other text, expected a whole number"),
        ({"total": -1}, "total is a number, expected a whole number"),
        ({}, "total is missing"),
        ({"total": 1, "clients": {}}, "clients is an object, expected a list"),
        ({"total": 1, "clients": [{}]}, r"clients\[0\]\.id is missing"),
        ({"total": 1, "clients": [None]}, r"clients\[0\] is missing, expected an object"),
    ],
)
async def test_a_wrong_list_names_the_member(
    page: dict[str, object], field: str, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(answers(200, page))

    with pytest.raises(BadAnswer, match=field):
        await platform.clients.list(TOKEN, DOMAIN, EntityQuery())


async def test_a_bulk_call_that_half_succeeds_has_an_unknown_outcome(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(answers(200, {"total": 1, "clients": [VIEWED]}))
    second = NewClient(OTHER, "second", secret=Secret("other-secret"))

    with pytest.raises(BadAnswer, match="does not list the 2 that were asked for") as caught:
        await platform.clients.create(TOKEN, DOMAIN, [NEW, second])

    assert caught.value.outcome_unknown


async def test_a_bulk_answer_in_another_order_is_put_right(
    server: FaultyServer, platform: Magistrala
) -> None:
    second = NewClient(OTHER, "second", secret=Secret("other-secret"))
    answered = [{**VIEWED, "id": OTHER, "name": "second"}, VIEWED]
    server.script.append(answers(200, {"total": 2, "clients": answered}))

    made = await platform.clients.create(TOKEN, DOMAIN, [NEW, second])

    assert [each.id for each in made] == [CLIENT, OTHER]


async def test_an_expired_token_is_told_at_once(server: FaultyServer, platform: Magistrala) -> None:
    server.otherwise = answers(401, {"message": "failed to perform authentication"})

    for call in (view(platform), create(platform)):
        with pytest.raises(InvalidToken):
            await call

    assert len(server.received) == 2


@pytest.mark.parametrize("token", ["", "two\r\nX-Evil: yes", "töken", "a\0b"])
async def test_a_token_that_no_header_can_hold_is_never_sent(
    token: str, server: FaultyServer, platform: Magistrala
) -> None:
    with pytest.raises(InvalidToken):
        await platform.clients.view(Secret(token), DOMAIN, CLIENT)

    assert server.received == []


@pytest.mark.parametrize("entity", ["", ".", "..", "a\nb"])
async def test_an_id_that_no_path_can_hold_is_not_asked_for(
    entity: str, server: FaultyServer, platform: Magistrala
) -> None:
    with pytest.raises(PlatformError) as caught:
        await platform.clients.view(TOKEN, DOMAIN, entity)
    with pytest.raises(PlatformError) as domain:
        await platform.view_domain(TOKEN, entity)

    assert (caught.value.code, domain.value.code) == ("not_found", "domain_not_found")
    assert server.received == []


async def test_a_strange_id_stays_one_segment_of_the_path(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = answers(403)

    with pytest.raises(PlatformError):
        await platform.clients.view(TOKEN, DOMAIN, "../../users?x=#ü")

    assert server.received[0].path == f"/{DOMAIN}/clients/..%2F..%2Fusers%3Fx=%23%C3%BC"


async def test_no_secret_comes_back_in_an_error(server: FaultyServer, platform: Magistrala) -> None:
    echo = f"bad {NEW.secret.reveal()} of {TOKEN.reveal()}\r\n{'x' * 1_000}"
    server.otherwise = answers(400, {"message": echo})

    with pytest.raises(Rejected, match=r"bad \*+ of \*+") as caught:
        await create(platform)

    text = f"{caught.value!r} {caught.value}"
    assert "client-secret" not in text
    assert "a.secret.token" not in text
    assert "\n" not in text
    assert len(str(caught.value)) < 500
    assert caught.value.answered == 400


async def test_a_redirect_is_not_followed(server: FaultyServer, platform: Magistrala) -> None:
    server.otherwise = answers(301, Location="http://127.0.0.1:1/")

    with pytest.raises(BadAnswer, match="answered 301"):
        await view(platform)

    assert len(server.received) == 1
