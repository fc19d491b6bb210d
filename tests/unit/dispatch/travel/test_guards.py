from hypothesis import given
from hypothesis import strategies as st

from dispatch.travel.guards import Allowance, Circuit, CircuitBreaker


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


def test_circuit_opens_after_failures_in_a_row_and_admits_one_trial_after_the_recovery_time():
    clock = Clock()
    breaker = CircuitBreaker(n_failures=2, recovery_s=10, clock=clock)
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.state is Circuit.CLOSED
    breaker.failed()
    assert breaker.state is Circuit.OPEN
    assert not breaker.admits()
    clock.now += 10
    assert breaker.admits()
    assert breaker.state is Circuit.HALF_OPEN
    assert not breaker.admits()


def test_a_failed_trial_opens_the_circuit_again_and_a_good_one_closes_it():
    clock = Clock()
    breaker = CircuitBreaker(n_failures=1, recovery_s=10, clock=clock)
    breaker.failed()
    clock.now += 10
    assert breaker.admits()
    breaker.failed()
    assert not breaker.admits()
    clock.now += 10
    assert breaker.admits()
    breaker.succeeded()
    assert breaker.state is Circuit.CLOSED
    assert breaker.admits()


@given(st.lists(st.sampled_from(["admits", "succeeded", "failed", "skipped", "wait"]), max_size=40))
def test_circuit_always_admits_someone_after_the_recovery_time(events):
    clock = Clock()
    breaker = CircuitBreaker(n_failures=2, recovery_s=10, clock=clock)
    pending = 0
    for event in events:
        if event == "admits":
            pending += breaker.admits()
        elif event == "wait":
            clock.now += 3
        elif pending:
            pending -= 1
            getattr(breaker, event)()
    for _ in range(pending):
        breaker.skipped()
    clock.now += 10
    assert breaker.admits()


def test_an_allowance_without_limits_says_so():
    assert not Allowance(price_per_1000=5).is_limited
    assert Allowance(spend_per_day=1).is_limited
