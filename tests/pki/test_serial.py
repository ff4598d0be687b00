"""Serial numbers have one spelling, and are found however they are spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.pki.issuer import new_serial, normal_serial, read_serial, write_serial


@given(st.integers(1, 2**159))
def test_what_is_written_is_read_back_the_same(serial: int) -> None:
    text = write_serial(serial)

    assert read_serial(text) == serial
    assert normal_serial(text) == text


@given(st.integers(1, 2**159))
def test_every_spelling_finds_the_serial(serial: int) -> None:
    text = write_serial(serial)

    spellings = [text.upper(), f" {text} ", f"{serial:x}", f"{serial:040X}", f"00:{text}"]
    assert {normal_serial(each) for each in spellings if len(each) < 60} == {text}


@given(st.text(max_size=80))
def test_other_text_is_no_serial_or_a_normal_one(text: str) -> None:
    normal = normal_serial(text)

    assert normal == "" or normal_serial(normal) == normal


@pytest.mark.parametrize("text", ["", ":", "zz", "1:2", "aa:b", "aa::bb", "a" * 41])
def test_what_is_no_serial_comes_back_empty(text: str) -> None:
    assert normal_serial(text) == ""


def test_serials_fit_their_field() -> None:
    assert all(0 < new_serial() < 2**128 for _ in range(100))
