"""Passwords: what they cost, how many at once, and which are too easily guessed."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from app.web.passwords import AT_ONCE, COSTLY, WAITING, Passwords, check
from app.web.problems import BadInput, TooManyRequests

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


def test_a_password_is_kept_as_argon2id_at_the_cost_that_the_rfc_recommends():
    parameters = extract_parameters(COSTLY.hash("a river of seven stones"))
    assert (parameters.type, parameters.memory_cost, parameters.time_cost) == (Type.ID, 65536, 3)


async def test_a_password_is_right_or_wrong_and_nobody_has_none():
    passwords = Passwords(CHEAP)
    kept = await passwords.hash("a river of seven stones")
    assert await passwords.is_right(kept, "a river of seven stones")
    for hashed, given in ((kept, "a river of six stones"), (None, "a river of seven stones"), ("no hash", "x")):
        assert not await passwords.is_right(hashed, given)
    assert not passwords.is_outdated(kept)
    assert Passwords(COSTLY).is_outdated(kept)


class Slow:
    """Hashes when it is let, and counts how many it does at a time."""

    def __init__(self):
        self.go, self.lock, self.now, self.most = threading.Event(), threading.Lock(), 0, 0

    def hash(self, password):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        assert self.go.wait(60)
        with self.lock:
            self.now -= 1
        return password


async def test_so_many_are_hashed_at_once_so_many_wait_and_a_further_one_comes_again():
    slow = Slow()
    passwords = Passwords(slow)
    tasks = [asyncio.create_task(passwords.hash(str(n))) for n in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests):
        await passwords.hash("one more")
    slow.go.set()
    assert await asyncio.gather(*tasks) == [str(n) for n in range(WAITING)]
    assert slow.most <= AT_ONCE
    assert await passwords.hash("one more") == "one more"


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaaa", "anna anna 1234", "ababababababab"])
def test_a_password_that_is_guessed_at_once_is_refused(password):
    with pytest.raises(BadInput):
        check(password, "Anna", "/password")
    check("a river of seven stones", "Anna", "/password")
