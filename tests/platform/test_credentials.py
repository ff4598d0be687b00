"""The service's own credentials: one sign-in for many callers, renewed before it ends."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap_core.secrets import Secret
from provision.platform.credentials import ApiKey, PasswordSignIn, token_end, token_user
from provision.platform.errors import Failed, InvalidToken, NotFound, Rejected, Unavailable
from provision.platform.types import TokenPair

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PASSWORD = Secret("correct horse")
USER = "0c1f1a50-8d2f-4f3b-9a5e-2b8f6b1f7c11"
OTHER = "5e3f9e0a-3d52-4b49-8f0a-3c4f0d7f2a90"


class Platform:
    """Issues tokens that live an hour, or fails as it is told; counts what it is asked."""

    def __init__(self) -> None:
        self.now = START
        self.issued = self.refreshed = 0
        self.failure: Exception | None = None
        self.refresh_failure: Exception | None = None
        self.opaque = False

    async def issue_token(self, username: str, password: Secret) -> TokenPair:
        await asyncio.sleep(0)
        self.issued += 1
        if self.failure:
            raise self.failure
        assert (username, password) == ("operator", PASSWORD)
        return self._pair()

    async def refresh_token(self, refresh: Secret) -> TokenPair:
        await asyncio.sleep(0)
        self.refreshed += 1
        if self.refresh_failure:
            raise self.refresh_failure
        assert refresh.reveal().startswith("refresh")
        return self._pair()

    def _pair(self) -> TokenPair:
        number = self.issued + self.refreshed
        claims = {"exp": self.now + HOUR, "jti": str(number)}
        access = f"opaque-{number}" if self.opaque else jwt.encode(claims, "k" * 32)
        return TokenPair(Secret(access), Secret(f"refresh-{number}"))

    def clock(self) -> datetime:
        return self.now


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def source(platform: Platform) -> PasswordSignIn:
    return PasswordSignIn(platform, "operator", PASSWORD, platform.clock)


async def test_the_first_token_is_issued_and_then_kept(
    platform: Platform, source: PasswordSignIn
) -> None:
    first = await source.token()
    platform.now += timedelta(minutes=58)

    assert await source.token() == first
    assert (platform.issued, platform.refreshed) == (1, 0)


async def test_it_is_refreshed_before_it_ends(platform: Platform, source: PasswordSignIn) -> None:
    first = await source.token()
    platform.now += timedelta(minutes=59)

    second = await source.token()

    assert second != first
    assert (platform.issued, platform.refreshed) == (1, 1)
    ends = token_end(second)
    assert ends
    assert ends > platform.now + timedelta(minutes=59)


@pytest.mark.parametrize("failure", [InvalidToken(), Rejected(), NotFound(), Failed()])
async def test_when_refreshing_is_refused_it_signs_in_again(
    failure: Exception, platform: Platform, source: PasswordSignIn
) -> None:
    await source.token()
    platform.now += HOUR
    platform.refresh_failure = failure

    await source.token()

    assert (platform.issued, platform.refreshed) == (2, 1)


async def test_many_callers_at_once_ask_the_platform_once(
    platform: Platform, source: PasswordSignIn
) -> None:
    tokens = await asyncio.gather(*(source.token() for _ in range(20)))

    assert len(set(tokens)) == 1
    assert platform.issued == 1


async def test_a_failure_reaches_all_who_wait_and_the_next_one_asks_again(
    platform: Platform, source: PasswordSignIn
) -> None:
    platform.failure = Unavailable("down")
    failed = await asyncio.gather(*(source.token() for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in failed] == [Unavailable] * 5
    assert platform.issued == 1

    platform.failure = None
    assert await source.token()


async def test_a_caller_who_gives_up_does_not_take_the_token_from_others(
    platform: Platform, source: PasswordSignIn
) -> None:
    hasty, patient = asyncio.create_task(source.token()), asyncio.create_task(source.token())
    await asyncio.sleep(0)
    hasty.cancel()

    assert await patient
    with pytest.raises(asyncio.CancelledError):
        await hasty
    assert platform.issued == 1


@pytest.mark.parametrize("failure", [NotFound("no such user"), Rejected("wrong password")])
async def test_wrong_credentials_say_so(
    failure: Exception, platform: Platform, source: PasswordSignIn
) -> None:
    platform.failure = failure

    with pytest.raises(InvalidToken, match="configured user name and password"):
        await source.token()


async def test_a_token_that_was_refused_midway_is_replaced_once(
    platform: Platform, source: PasswordSignIn
) -> None:
    refused = await source.token()

    renewed = await asyncio.gather(*(source.renewed(refused) for _ in range(5)))

    assert len(set(renewed)) == 1
    assert renewed[0] != refused
    assert await source.renewed(refused) == renewed[0]
    assert platform.issued == 2


async def test_a_token_that_does_not_say_when_it_ends_is_kept_for_minutes(
    platform: Platform, source: PasswordSignIn
) -> None:
    platform.opaque = True
    first = await source.token()
    platform.now += timedelta(minutes=4)
    assert await source.token() == first

    platform.now += timedelta(minutes=2)
    assert await source.token() != first


async def test_an_api_key_is_used_as_it_is() -> None:
    source = ApiKey(Secret("pat_123"))

    assert await source.token() == Secret("pat_123")
    with pytest.raises(InvalidToken, match="API key"):
        await source.renewed(Secret("pat_123"))
    assert "pat_123" not in repr(source)


@given(st.text())
def test_any_text_may_be_a_token(text: str) -> None:
    assert token_end(Secret(text)) is None
    assert token_user(Secret(text)) == ""


@pytest.mark.parametrize("claims", [{}, {"exp": "soon"}, {"exp": 1e300}, {"exp": None}, [], 1])
def test_strange_claims_are_no_end(claims: object) -> None:
    assert token_end(token_of(claims)) is None


@pytest.mark.parametrize(
    ("claims", "user"),
    [
        ({"iss": "supermq.auth", "sub": USER, "role": 1}, USER),
        ({"iss": "magistrala.auth", "sub": f"{OTHER}_{USER}", "user": USER}, USER),
        ({"iss": "magistrala.auth", "sub": "", "user": USER, "domain": ""}, USER),
        ({"iss": "magistrala.auth", "sub": OTHER, "user": USER}, USER),
        ({"iss": "mainflux", "sub": "john.doe@email.com"}, ""),
        ({"sub": 7, "user": {}}, ""),
        ({}, ""),
        ([USER], ""),
    ],
)
def test_a_token_tells_whose_it_is_or_nothing(claims: object, user: str) -> None:
    assert token_user(token_of(claims)) == user


def token_of(claims: object) -> Secret:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Secret(f"h.{body}.s")


def test_a_token_in_another_form_tells_nobody() -> None:
    head, claims, signature = token_of({"sub": USER}).reveal().split(".")
    forged = token_of({"sub": OTHER}).reveal().split(".")[1]
    # RFC 7515, section 7.2.1: what a platform verifies are the members that have names in it.
    signed = {
        "payload": claims,
        "signatures": [{"protected": head, "signature": signature}],
        "x": f".{forged}.",
    }
    assert token_user(Secret(json.dumps(signed))) == ""
    assert token_user(Secret(f"pat_1.{forged}")) == ""
