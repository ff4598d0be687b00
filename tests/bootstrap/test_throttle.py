"""Failed attempts are slowed down, per device and per address, within bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap_core.errors import Throttled
from bootstrap_core.http.answers import refusal
from bootstrap_core.throttle import Allowance, Throttle


class Clock:
    """A time that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(Allowance(3, 10.0), Allowance(5, 2.0), limit=100, clock=clock)


def fail(throttle: Throttle, times: int, device: str = "gw", address: str = "10.0.0.1") -> None:
    for _ in range(times):
        throttle.failed(device, address)


def test_a_few_failures_are_borne(throttle: Throttle) -> None:
    fail(throttle, 2)
    throttle.check("gw", "10.0.0.1")


def test_a_device_is_refused_from_wherever_it_is_tried(throttle: Throttle) -> None:
    for number in range(3):
        throttle.failed("gw", f"10.0.0.{number}")
    with pytest.raises(Throttled) as caught:
        throttle.check("gw", "10.0.0.9")
    assert caught.value.status == 429
    assert refusal(caught.value).headers["Retry-After"] == "10"
    throttle.check("another", "10.0.0.9")


def test_an_address_is_refused_whatever_it_tries(throttle: Throttle) -> None:
    for number in range(5):
        throttle.failed(f"gw-{number}", "10.0.0.1")
    with pytest.raises(Throttled):
        throttle.check("gw-99", "10.0.0.1")
    throttle.check("gw-99", "10.0.0.2")


def test_who_waits_as_told_may_try_again(throttle: Throttle, clock: Clock) -> None:
    fail(throttle, 3)
    with pytest.raises(Throttled) as caught:
        throttle.check("gw", "10.0.0.1")
    told = int(refusal(caught.value).headers["Retry-After"])
    clock.now += told - 0.5
    with pytest.raises(Throttled) as still:
        throttle.check("gw", "10.0.0.1")
    assert refusal(still.value).headers["Retry-After"] == "1"
    clock.now += 0.5
    throttle.check("gw", "10.0.0.1")


def test_success_forgets_the_device_but_not_the_address(throttle: Throttle) -> None:
    fail(throttle, 5)
    throttle.succeeded("gw")
    throttle.check("gw", "10.0.0.2")
    with pytest.raises(Throttled):
        throttle.check("gw", "10.0.0.1")


def test_what_is_no_ip_address_is_an_address_all_the_same(throttle: Throttle) -> None:
    for number in range(5):
        throttle.failed(f"gw-{number}", "a socket")
    with pytest.raises(Throttled):
        throttle.check("gw-9", "a socket")
    throttle.check("gw-9", "another socket")


def test_who_goes_on_failing_is_not_forgotten_for_others(clock: Clock) -> None:
    throttle = Throttle(Allowance(3, 10.0), limit=10, clock=clock)
    for number in range(50):
        throttle.failed("gw", "10.0.0.1")
        throttle.failed(f"other-{number}", "10.0.0.1")
    with pytest.raises(Throttled):
        throttle.check("gw", "10.0.0.2")


def test_an_ipv6_network_is_one_address(throttle: Throttle) -> None:
    for number in range(5):
        throttle.failed(f"gw-{number}", f"2001:db8:1:2::{number}")
    with pytest.raises(Throttled):
        throttle.check("gw-9", "2001:db8:1:2:ffff::1")
    throttle.check("gw-9", "2001:db8:1:3::1")


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=300))
def test_memory_is_bounded(attempts: list[tuple[str, str]]) -> None:
    throttle = Throttle(limit=20)
    for device, address in attempts:
        throttle.failed(device, address)
    assert len(throttle) <= 20


@given(st.integers(0, 40), st.floats(0, 500))
def test_waiting_never_takes_longer_than_told(failures: int, pause: float) -> None:
    clock = Clock()
    throttle = Throttle(Allowance(3, 10.0), Allowance(5, 2.0), clock=clock)
    fail(throttle, failures)
    clock.now += pause
    try:
        throttle.check("gw", "10.0.0.1")
    except Throttled as refused:
        clock.now += int(refusal(refused).headers["Retry-After"])
        throttle.check("gw", "10.0.0.1")
