"""What guards the console: sessions, cookies, form tokens, headers. No browser is needed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from provision.console.sessions import sessions
from provision.store.database import open_engine
from tests.cli.prompt import provision
from tests.console.visiting import Visitor, operator, visiting
from tests.database import FILE, contents, url_of
from tests.service.running import Running, beside_platform, embedded

FOREIGN = (
    ("Origin", "https://evil.example.com"),
    ("Origin", "null"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Sec-Fetch-Site", "same-site"),
)
ELSEWHERE = (
    "https://evil.example.com",
    "//evil.example.com",
    "/console//evil.example.com",
    "/\\evil.example.com",
    "/health",
    "/console/../health",
    "/console/%2e%2e/health",
    "/console/%2F%2Fevil.example.com",
    "/consolex",
    "/console/\r\nSet-Cookie:a=b",
    "javascript:alert(1)",
    "/console/sign-in",
)


async def test_a_page_leads_to_sign_in_and_back(running: Running, tmp_path: Path) -> None:
    async with visiting(running) as someone:
        asked = await someone.open("/console/domains?offset=0")
        assert asked.url.path == "/console/sign-in"
        answer = await someone.send("/console/sign-in", **operator(tmp_path))
        assert str(answer.url).endswith("/console/domains?offset=0")


async def test_signing_in_leads_nowhere_else(running: Running, tmp_path: Path) -> None:
    async with visiting(running) as someone:
        for wanted in ELSEWHERE:
            await someone.open("/console/sign-in")
            answer = await someone.send("/console/sign-in", next=wanted, **operator(tmp_path))
            assert str(answer.url) == "http://service/console", wanted


async def test_the_operator_enters_the_own_domain(running: Running, tmp_path: Path) -> None:
    user = {"email": "gateways@example.com", "password": "a good password"}
    await running.http.post("/users", json=user, headers=running.headers)
    async with visiting(running) as someone:
        page = await someone.sign_in(**operator(tmp_path))
        assert f'<option value="{running.domain}" selected>default</option>' in page.text


async def test_a_refusal_does_not_tell_what_was_wrong(running: Running, tmp_path: Path) -> None:
    async with visiting(running) as someone:
        known = await someone.sign_in(operator(tmp_path)["username"], "not the password")
        unknown = await someone.sign_in("nobody", "not the password")
    for answer in (known, unknown):
        assert answer.status_code == 422
        assert "do not belong together" in answer.text
    assert "not the password" not in known.text


async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    running: Running, tmp_path: Path
) -> None:
    for base, prefix, secure in (
        ("http://service", "", False),
        ("https://service", "__Secure-", True),
    ):
        async with visiting(running, base) as someone:
            await someone.open("/console/sign-in")
            values = someone.form("/console/sign-in").values | operator(tmp_path)
            answer = await someone.http.post("/console/sign-in", data=values)
            assert answer.status_code == 303, answer.text
            (cookie,) = (
                each
                for each in answer.headers.get_list("set-cookie")
                if each.startswith(f"{prefix}provision-session=")
            )
        parts = [part.strip() for part in cookie.split(";")[1:]]
        assert {"HttpOnly", "SameSite=lax", "Path=/console"} <= set(parts)
        assert ("Secure" in parts) is secure


async def test_the_store_holds_neither_cookie_nor_token(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    # All the platform's tokens have one header; fewer letters of it could stand in a sealed value.
    header = running.token.partition(".")[0].encode()
    cookie = visitor.http.cookies["provision-session"]
    await visitor.open("/console")
    stored = contents(tmp_path / FILE)
    assert cookie.encode() not in stored
    assert header not in stored


async def test_every_page_has_its_guards(visitor: Visitor, running: Running) -> None:
    for path in ("/console", "/console/domains", "/console/nothing", "/console/sign-in"):
        answer = await visitor.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "<script>" not in answer.text
        assert " style=" not in answer.text
        assert answer.headers["x-request-id"]
    document = (await running.http.get("/openapi.json")).json()
    assert not [path for path in document["paths"] if path.startswith("/console")]


async def test_files_are_kept_for_good_under_the_name_of_their_content(visitor: Visitor) -> None:
    page = (await visitor.open("/console")).text
    url = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    answer = await visitor.http.get(url)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    digest = url.split("/")[3]
    assert (await visitor.http.get(url.replace(digest, "0" * 16))).status_code == 404


async def test_another_sites_form_is_refused(visitor: Visitor) -> None:
    await visitor.open("/console")
    values = visitor.form("/console/theme").values | {"theme": "dark"}
    for name, value in FOREIGN:
        answer = await visitor.post("/console/theme", values, **{name: value})
        assert answer.status_code == 403, value
        assert 'data-theme="auto"' in (await visitor.open("/console")).text


async def test_a_form_without_its_token_is_refused(visitor: Visitor) -> None:
    for token in ("", "0" * 64, "ä"):
        answer = await visitor.post("/console/sign-out", {"form_token": token})
        assert answer.status_code == 403
        assert "load the page again" in answer.text
        assert "Overview" in (await visitor.open("/console")).text


@pytest.mark.slow
async def test_sign_in_needs_its_token_too(running: Running, tmp_path: Path) -> None:
    async with visiting(running) as someone:
        account = operator(tmp_path)
        without_cookie = await someone.post("/console/sign-in", account)
        assert without_cookie.status_code == 403
        assert "allow cookies" in without_cookie.text
        with_cookie = await someone.post("/console/sign-in", account | {"form_token": "x"})
        assert with_cookie.status_code == 403
        assert "provision-session" not in someone.http.cookies


async def test_signing_out_ends_the_session_everywhere(visitor: Visitor) -> None:
    await visitor.open("/console")
    cookies = dict(visitor.http.cookies)
    answer = await visitor.send("/console/sign-out")
    assert answer.url.path == "/console/sign-in"
    stolen = await visitor.http.get("/console", headers={"Cookie": _header(cookies)})
    assert stolen.status_code == 303
    assert stolen.headers["location"].startswith("/console/sign-in")


async def test_a_session_that_is_not_used_expires(visitor: Visitor, tmp_path: Path) -> None:
    ((created, _),) = await _rows(tmp_path)
    await _set(tmp_path, expires_at=created)
    answer = await visitor.open("/console")
    assert answer.url.path == "/console/sign-in"
    assert await _rows(tmp_path) == []


async def test_a_session_that_is_used_lives_on_but_not_for_ever(
    visitor: Visitor, tmp_path: Path
) -> None:
    ((created, expired_first),) = await _rows(tmp_path)
    ago = timedelta(hours=3)
    await _set(tmp_path, created_at=created - ago, seen_at=created - ago)
    await visitor.open("/console")
    ((_, expires),) = await _rows(tmp_path)
    assert expires >= expired_first
    ago = timedelta(hours=11)
    await _set(tmp_path, created_at=created - ago, seen_at=created - ago)
    await visitor.open("/console")
    ((_, expires),) = await _rows(tmp_path)
    assert expires == created - ago + timedelta(hours=12)


async def test_tokens_are_renewed_before_they_end(visitor: Visitor, tmp_path: Path) -> None:
    ((created, _),) = await _rows(tmp_path)
    await _set(tmp_path, access_ends_at=created)
    answers = await asyncio.gather(*(visitor.http.get("/console") for _ in range(5)))
    assert [each.status_code for each in answers] == [200] * 5
    engine = open_engine(url_of(tmp_path / FILE))
    async with engine.connect() as connection:
        ends = await connection.scalar(select(sessions.c.access_ends_at))
    await engine.dispose()
    assert ends > created + timedelta(minutes=30)


async def test_tokens_are_renewed_once_however_many_pages_ask(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running, visiting(running) as someone:
        await someone.sign_in(**operator(tmp_path / "platform"))
        ((created, _),) = await _rows(tmp_path / "service")
        await _set(tmp_path / "service", access_ends_at=created)
        await asyncio.gather(*(someone.http.get("/console") for _ in range(5)))
        assert running.wire is not None
        assert running.wire.calls.count("POST /users/tokens/refresh") == 1


async def test_expired_sessions_are_swept_at_the_next_sign_in(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    ((created, _),) = await _rows(tmp_path)
    await _set(tmp_path, expires_at=created)
    async with visiting(running) as another:
        await another.sign_in(**operator(tmp_path))
    assert len(await _rows(tmp_path)) == 1
    assert (await visitor.open("/console")).url.path == "/console/sign-in"


async def test_whoever_is_in_no_domain_is_told_what_to_do(running: Running) -> None:
    body = {
        "first_name": "New",
        "last_name": "Comer",
        "email": "new@example.com",
        "credentials": {"username": "newcomer", "secret": "a-long-password"},
    }
    made = await running.http.post("/users", json=body, headers=running.headers)
    assert made.status_code == 201, made.text
    async with visiting(running) as someone:
        home = await someone.sign_in("newcomer", "a-long-password")
        assert "not a member of any domain" in home.text
        for path in ("/console/bootstraps", "/console/bootstraps/new", "/console/domains"):
            answer = await someone.open(path)
            assert "not a member of any domain" in answer.text
            assert answer.status_code in (200, 409)


async def test_a_proxy_may_end_tls_before_the_service(tmp_path: Path) -> None:
    public = "https://console.example.com"
    async with embedded(tmp_path, MG_PROVISION_PUBLIC_URL=public) as running:
        # The proxy speaks plain HTTP with the service, under the host that the browser named.
        async with visiting(running, "http://console.example.com") as someone:
            await someone.open("/console/sign-in")
            values = someone.form("/console/sign-in").values | operator(tmp_path)
            cookies = {"Cookie": _header(dict(someone.http.cookies))}
            answer = await someone.http.post(
                "/console/sign-in", data=values, headers={"Origin": public} | cookies
            )
        assert answer.status_code == 303, answer.text
        assert answer.headers["set-cookie"].startswith("__Secure-provision-session=")


async def test_a_session_whose_tokens_are_revoked_ends(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    account = operator(tmp_path)
    changed = await running.http.patch(
        "/users/secret",
        json={"old_secret": account["password"], "new_secret": "another-password"},
        headers=running.headers,
    )
    assert changed.status_code == 200
    answer = await visitor.open("/console/domains")
    assert answer.url.path == "/console/sign-in"


@pytest.mark.slow
async def test_sessions_outlive_a_change_of_the_sealing_key(
    visitor: Visitor, tmp_path: Path
) -> None:
    before = (await visitor.open("/console")).url.path
    ended = await asyncio.to_thread(provision, "keys", "rotate", "--data", str(tmp_path), "--json")
    assert ended.code == 0, ended.err
    assert ended.json["resealed"]["console sessions"] == 1
    assert (await visitor.open("/console")).url.path == before != "/console/sign-in"


async def test_a_form_of_another_domain_is_refused(visitor: Visitor, running: Running) -> None:
    made = await running.http.post(
        "/domains", json={"name": "Second", "route": "second"}, headers=running.headers
    )
    second = made.json()["id"]
    await visitor.open("/console/domains")
    old = visitor.form("/console/theme").values
    answer = await visitor.send("/console/domain", domain_id=second)
    assert "You are in the domain Second now." in answer.text
    assert "You are in the domain" not in (await visitor.open("/console")).text
    assert (await visitor.post("/console/theme", old)).status_code == 403
    refused = await visitor.send("/console/domain", domain_id="not-a-domain")
    assert refused.url.path == "/console/domains"
    assert "Second" in refused.text


async def test_htmx_is_led_to_sign_in(running: Running) -> None:
    async with visiting(running) as someone:
        answer = await someone.open("/console", **{"HX-Request": "true"})
        assert answer.headers["hx-redirect"] == "/console/sign-in"


async def test_the_front_door(running: Running) -> None:
    browser = await running.http.get("/", headers={"Accept": "text/html,*/*"})
    assert (browser.status_code, browser.headers["location"]) == (303, "/console")
    program = await running.http.get("/")
    assert program.status_code == 404
    assert program.json()["code"] == "unknown_route"


async def test_what_is_not_there_is_said_in_words(visitor: Visitor) -> None:
    lost = await visitor.http.get("/console/nothing")
    assert lost.status_code == 404
    assert "There is nothing at this address" in lost.text
    wrong = await visitor.http.put("/console")
    assert wrong.status_code == 405


def _header(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


async def _set(data: Path, **values: object) -> None:
    engine = open_engine(url_of(data / FILE))
    async with engine.begin() as connection:
        await connection.execute(update(sessions).values(**values))
    await engine.dispose()


async def _rows(data: Path) -> list[tuple[Any, ...]]:
    engine = open_engine(url_of(data / FILE))
    query = select(sessions.c.created_at, sessions.c.expires_at)
    async with engine.connect() as connection:
        rows = [tuple(row) for row in await connection.execute(query)]
    await engine.dispose()
    return rows
