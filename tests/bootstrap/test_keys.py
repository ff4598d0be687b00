"""External keys: every kind of stored hash, and what is remembered of verified ones."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import sys
import threading
from collections.abc import AsyncIterator

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bootstrap_core.errors import Busy, Throttled
from bootstrap_core.http.answers import refusal
from bootstrap_core.keys import Cost, KeyHasher, is_hash
from bootstrap_core.secrets import Secret
from tests.bootstrap.world import CHEAP

KEY = Secret("k\u00e9y with space")
SIZED = "A" * 22 + "$" + "A" * 43
BCRYPT = bcrypt.hashpw(KEY.encode(), bcrypt.gensalt(4)).decode()


def go_scrypt(key: Secret) -> str:
    """Write a hash as the Go service's older releases did."""
    salt = b"0123456789abcdef"
    digest = hashlib.scrypt(key.encode(), salt=salt, n=16384, r=8, p=1, dklen=32)
    return f"scrypt${base64.b64encode(digest).decode()}.{base64.b64encode(salt).decode()}"


@pytest.fixture
async def hasher() -> AsyncIterator[KeyHasher]:
    hasher = KeyHasher(CHEAP, threads=2)
    yield hasher
    hasher.close()


@settings(max_examples=20, deadline=None)
@given(st.text(min_size=1, max_size=300).filter(lambda text: text.isprintable()))
def test_a_key_matches_its_own_hash_and_no_other(text: str) -> None:
    async def check() -> None:
        hasher = KeyHasher(CHEAP, threads=1)
        try:
            stored = await hasher.hash(Secret(text))
            assert await hasher.verify(Secret(text), stored)
            assert not await hasher.verify(Secret(text + "x"), stored)
            assert is_hash(stored)
            assert text not in stored or len(text) < 4
        finally:
            hasher.close()

    asyncio.run(check())


async def test_the_parameters_are_stored_with_the_hash(hasher: KeyHasher) -> None:
    assert (await hasher.hash(KEY)).startswith("$scrypt$ln=4,r=1,p=1$")
    raised = KeyHasher(Cost(ln=15, r=8, p=1), threads=1)
    old = await hasher.hash(KEY)
    assert await raised.verify(KEY, old)
    assert await hasher.verify(KEY, await raised.hash(KEY))
    raised.close()


async def test_the_default_cost_is_that_of_the_document() -> None:
    hasher = KeyHasher(threads=1)
    stored = await hasher.hash(KEY)
    hasher.close()
    assert stored.startswith("$scrypt$ln=14,r=8,p=1$")


@pytest.mark.parametrize(
    "stored",
    [BCRYPT, BCRYPT.replace("$2b$", "$2a$"), go_scrypt(KEY)],
    ids=["bcrypt 2b", "bcrypt 2a", "scrypt of Go"],
)
async def test_hashes_of_the_go_service_are_accepted(hasher: KeyHasher, stored: str) -> None:
    assert is_hash(stored)
    assert await hasher.verify(KEY, stored)
    assert not await hasher.verify(Secret("another"), stored)


async def test_a_key_that_bcrypt_would_cut_short_does_not_match(hasher: KeyHasher) -> None:
    long = Secret("x" * 72)
    stored = bcrypt.hashpw(long.encode(), bcrypt.gensalt(4)).decode()
    assert await hasher.verify(long, stored)
    assert not await hasher.verify(Secret("x" * 73), stored)


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "k\u00e9y with space",
        f"$scrypt$ln=40,r=8,p=1${SIZED}",
        f"$scrypt$ln=14,r=999,p=1${SIZED}",
        f"$scrypt$ln=0,r=8,p=1${SIZED}",
        f"$scrypt$ln=21,r=8,p=1${SIZED}",
        f"$scrypt$ln=14,r=0,p=1${SIZED}",
        f"$scrypt$ln=14,r=9,p=1${SIZED}",
        f"$scrypt$ln=14,r=8,p=0${SIZED}",
        f"$scrypt$ln=14,r=8,p=5${SIZED}",
        "$scrypt$ln=4,r=1,p=1$A$AAAA",
        "$scrypt$ln=4,r=1,p=1$AAAA$A",
        f"$scrypt$ln=4,r=1,p=1${SIZED}\n",
        "scrypt$AAAA.AAAA$",
        pytest.param(f"{BCRYPT}x", id="bcrypt with a letter more"),
        f"$scrypt$ln=16,r=1,p=1${SIZED}",
        "scrypt$no-dot",
        "scrypt$=.=",
        "scrypt$AAAA.A",
        "$2b$04$short",
        "$2a$99$zz",
        "scrypt$zz.yy",
        pytest.param(BCRYPT.replace("$04$", "$99$"), id="bcrypt of an endless cost"),
        pytest.param(f"$2a$04${'z' * 53}", id="bcrypt with a salt that is none"),
        pytest.param("scrypt$" + "A" * 43 + ".AAAA", id="a salt of three bytes"),
        pytest.param("scrypt$AAAA." + "A" * 22, id="a digest of three bytes"),
    ],
)
async def test_what_is_no_hash_matches_nothing(hasher: KeyHasher, stored: str) -> None:
    assert not is_hash(stored)
    assert not await hasher.verify(KEY, stored)


@pytest.mark.parametrize("cost", [Cost(1, 1, 1), Cost(20, 8, 4)])
def test_what_can_be_borne_is_a_hash(cost: Cost) -> None:
    assert is_hash(f"$scrypt$ln={cost.ln},r={cost.r},p={cost.p}${SIZED}")


async def test_a_hash_has_sixteen_bytes_of_salt_and_thirty_two_of_digest(hasher: KeyHasher) -> None:
    first, second = [(await hasher.hash(KEY)).split("$")[3:] for _ in range(2)]
    assert [len(base64.b64decode(part + "==")) for part in first] == [16, 32]
    assert first[0] != second[0]


async def test_no_more_is_hashed_at_once_than_there_are_threads() -> None:
    hasher = KeyHasher(CHEAP, threads=3)
    running, most = 0, 0

    def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        all_at_once.wait(timeout=10)
        running -= 1

    all_at_once = threading.Barrier(3)
    try:
        await asyncio.gather(*(hasher.take_turn(work) for _ in range(6)))
    finally:
        hasher.close()
    assert most == 3


async def test_hashing_leaves_the_processor_to_the_event_loop(hasher: KeyHasher) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    expected = min(own + 10, 19) if sys.platform == "linux" else own
    assert await hasher.take_turn(lambda: os.getpriority(os.PRIO_PROCESS, 0)) == expected


async def test_admission_is_asked_when_a_thread_is_free(hasher: KeyHasher) -> None:
    def refuse() -> None:
        raise Throttled(3)

    with pytest.raises(Throttled):
        await hasher.verify(KEY, None, admit=refuse)


async def test_too_many_waiting_are_turned_away() -> None:
    hasher = KeyHasher(CHEAP, threads=1, waiting=2)
    gate = threading.Event()
    try:
        for _ in range(2):
            gate.clear()
            waiting = [asyncio.create_task(hasher.take_turn(gate.wait)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(Busy) as caught:
                await hasher.verify(KEY, None)
            assert refusal(caught.value).headers["Retry-After"] == "1"
            gate.set()
            await asyncio.gather(*waiting)
            assert not await hasher.verify(KEY, None)
    finally:
        gate.set()
        hasher.close()
