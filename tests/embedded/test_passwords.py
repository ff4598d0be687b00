"""Passwords are hashed with scrypt, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap_core.secrets import Secret
from provision.embedded.errors import Busy, Malformed
from provision.embedded.users import Cost, Passwords

CHEAP = Cost(n=2, r=8, p=1)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(CHEAP)
    yield made
    made.close()


async def test_a_password_is_verified_by_its_hash_alone(passwords: Passwords) -> None:
    stored = await passwords.hash(Secret("correct horse"))

    assert await passwords.verify(Secret("correct horse"), stored)
    assert not await passwords.verify(Secret("Correct horse"), stored)
    assert "horse" not in stored


async def test_the_same_password_is_never_hashed_alike(passwords: Passwords) -> None:
    assert await passwords.hash(Secret("same")) != await passwords.hash(Secret("same"))


async def test_a_hash_outlives_a_change_of_cost(passwords: Passwords) -> None:
    stored = await passwords.hash(Secret("old"))
    dearer = Passwords(Cost(n=4, r=8, p=1))

    assert await dearer.verify(Secret("old"), stored)
    assert (await dearer.hash(Secret("old"))).startswith("scrypt$4$8$1$")
    dearer.close()


async def test_the_default_cost_is_not_cheap() -> None:
    passwords = Passwords()
    stored = await passwords.hash(Secret("x"))
    passwords.close()

    assert stored.startswith("scrypt$16384$8$1$")


async def test_whoever_would_wait_too_long_is_told_to_come_back(passwords: Passwords) -> None:
    stored = await passwords.hash(Secret("x"))

    answers = await asyncio.gather(
        *(passwords.verify(Secret("x"), stored) for _ in range(200)), return_exceptions=True
    )

    assert answers[0] is True
    assert any(isinstance(answer, Busy) for answer in answers)
    assert await passwords.verify(Secret("x"), stored)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(TEXTS, TEXTS)
def test_only_the_password_itself_verifies(password: str, other: str) -> None:
    async def check() -> None:
        passwords = Passwords(CHEAP)
        stored = await passwords.hash(Secret(password))
        assert await passwords.verify(Secret(other), stored) == (other == password)
        passwords.close()

    asyncio.run(check())


async def test_a_password_with_nul_is_refused_and_verifies_as_no_other() -> None:
    passwords = Passwords(CHEAP)
    stored = await passwords.hash(Secret("good"))
    assert await passwords.verify(Secret("good"), stored)
    assert not await passwords.verify(Secret("good\0"), stored)
    with pytest.raises(Malformed, match=r"U\+0000"):
        await passwords.hash(Secret("good\0"))
    passwords.close()
