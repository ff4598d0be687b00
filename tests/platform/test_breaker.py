"""The circuit breaker, on a clock of its own: a state machine that never strands a service."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from provision.platform.errors import Unavailable
from provision.platform.transport import Breaker

FAILURES, SECONDS = 3, 10.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("clients", FAILURES, SECONDS, clock)


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.admit()
        breaker.record(down=True)


def test_it_opens_after_so_many_failures_in_a_row(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    breaker.admit()
    breaker.record(down=False)
    fail(breaker, FAILURES - 1)
    breaker.admit()
    breaker.record(down=True)

    with pytest.raises(Unavailable, match="asked again in 10 s") as caught:
        breaker.admit()
    assert caught.value.retry_after == SECONDS
    assert caught.value.service == "clients"


def test_the_wait_is_never_longer_than_the_circuit_is_open(clock: Clock) -> None:
    clock.now = 122.913
    breaker = Breaker("clients", 1, SECONDS, clock)
    fail(breaker)
    with pytest.raises(Unavailable, match="asked again in 10 s") as caught:
        breaker.admit()
    assert caught.value.retry_after == SECONDS


def test_one_probe_at_a_time_goes_through_when_the_time_has_passed(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, FAILURES)
    clock.now += SECONDS

    breaker.admit()
    with pytest.raises(Unavailable):
        breaker.admit()


def test_a_good_probe_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += SECONDS
    breaker.admit()
    breaker.record(down=False)

    fail(breaker, FAILURES - 1)
    breaker.admit()


def test_a_bad_probe_opens_it_for_as_long_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += SECONDS
    fail(breaker)

    clock.now += SECONDS - 1
    with pytest.raises(Unavailable, match="asked again in 1 s"):
        breaker.admit()


def test_a_probe_that_was_given_up_leaves_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += SECONDS
    breaker.admit()
    breaker.release()

    breaker.admit()


class AnyBreaker(RuleBasedStateMachine):
    """Calls of several tasks, in any order and at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker("clients", FAILURES, SECONDS, self.clock)
        self.under_way = 0

    @rule()
    def begin(self) -> None:
        refusal = None
        try:
            self.breaker.admit()
        except Unavailable as error:
            refusal = error
        if refusal is None:
            self.under_way += 1
        else:
            assert 0 < (refusal.retry_after or 0) <= SECONDS

    @precondition(lambda self: self.under_way)
    @rule(down=st.booleans())
    def end(self, *, down: bool) -> None:
        self.under_way -= 1
        self.breaker.record(down=down)

    @precondition(lambda self: self.under_way)
    @rule()
    def give_up(self) -> None:
        self.under_way -= 1
        self.breaker.release()

    @rule(seconds=st.floats(0, 2 * SECONDS))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def it_always_opens_again(self) -> None:
        if self.under_way == 0:
            later = self.clock.now
            self.clock.now += SECONDS
            self.breaker.admit()
            self.breaker.release()
            self.clock.now = later


TestAnyBreaker = AnyBreaker.TestCase
TestAnyBreaker.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
