"""Secrets at rest open only with their key and in their row."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap_core.errors import SealedValueUnreadable, SealingKeyInvalid
from bootstrap_core.secrets import Sealer, SealingKey

KEY = SealingKey(bytes(range(32)))
OTHER = SealingKey(bytes(32))


@given(st.binary(max_size=200), st.text(max_size=60))
def test_what_is_sealed_opens_in_its_place(plaintext: bytes, binding: str) -> None:
    sealer = Sealer([KEY])
    assert sealer.open(sealer.seal(plaintext, binding), binding) == plaintext


def test_a_value_moved_to_another_row_does_not_open() -> None:
    sealer = Sealer([KEY])
    sealed = sealer.seal(b"private key", "configs/1/client_key")
    with pytest.raises(SealedValueUnreadable, match="configs/2/client_key"):
        sealer.open(sealed, "configs/2/client_key")


def test_what_was_sealed_once_opens_ever_after() -> None:
    sealed = "v1.e7e3f3339d5a.LY3ErScfTBQOEIqJdvzgIDbYfg3R-f9Y5Ae2SUvGEdaLH4h2EEJo"
    assert Sealer([KEY]).open(sealed, "configs/1/client_key") == b"private key"
    with pytest.raises(SealedValueUnreadable):
        Sealer([KEY]).open("v2" + sealed.removeprefix("v1"), "configs/1/client_key")


def test_the_same_plaintext_is_never_sealed_the_same() -> None:
    sealer = Sealer([KEY])
    assert sealer.seal(b"x", "row") != sealer.seal(b"x", "row")


@pytest.mark.parametrize("position", [0, 20, -3])
def test_an_altered_value_does_not_open(position: int) -> None:
    sealer = Sealer([KEY])
    version, key_id, body = sealer.seal(b"private key of some length", "row").split(".")
    raw = bytearray(base64.urlsafe_b64decode(body))
    raw[position] ^= 1
    with pytest.raises(SealedValueUnreadable):
        sealer.open(f"{version}.{key_id}.{base64.urlsafe_b64encode(raw).decode()}", "row")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "v1..",
        "v1.ffff.AAAA",
        "v2.x.y",
        "plain text",
        *(f"v1.{KEY.id}.{body}" for body in ("", "A", "AAAA", "A" * 64)),
    ],
)
def test_what_was_never_sealed_is_refused(text: str) -> None:
    with pytest.raises(SealedValueUnreadable):
        Sealer([KEY]).open(text, "row")


def test_rotation_seals_with_the_first_key_and_still_opens_the_old() -> None:
    old = Sealer([OTHER]).seal(b"value", "row")
    both = Sealer([KEY, OTHER])
    assert both.key_id == KEY.id
    assert both.open(old, "row") == b"value"
    new = both.reseal(old, "row")
    assert Sealer([KEY]).open(new, "row") == b"value"
    assert both.reseal(new, "row") == new
    with pytest.raises(SealedValueUnreadable, match=OTHER.id):
        Sealer([KEY]).open(old, "row")


def test_keys_that_another_process_changed_are_learned_and_none_is_forgotten() -> None:
    news: list[list[SealingKey]] = []
    sealer = Sealer([OTHER], lambda: news.pop() if news else [])
    old = sealer.seal(b"value", "row")
    theirs = Sealer([KEY]).seal(b"theirs", "row")
    with pytest.raises(SealedValueUnreadable):
        sealer.open(theirs, "row")
    news.append([KEY])
    assert sealer.open(theirs, "row") == b"theirs"
    assert sealer.open(old, "row") == b"value"
    assert Sealer([KEY]).open(sealer.seal(b"new", "row"), "row") == b"new"
    news.append([OTHER])
    assert Sealer([OTHER]).open(sealer.seal(b"back", "row"), "row") == b"back"


def test_keys_are_written_and_read_as_text_and_never_shown() -> None:
    key = SealingKey.generate()
    assert SealingKey.from_text(key.to_text() + "\n") == key
    assert key.to_text() not in repr(key)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64 at all!", "ü", "!" + KEY.to_text()])
def test_a_bad_key_is_refused(text: str) -> None:
    with pytest.raises(SealingKeyInvalid):
        SealingKey.from_text(text)


def test_a_sealer_needs_a_key() -> None:
    with pytest.raises(SealingKeyInvalid):
        Sealer([])
