from tracking.memo import Memo


def test_what_is_used_stays():
    memo = Memo(size=3)
    for key in "abc":
        memo.put(key, key.upper(), 1.0)
    for stranger in range(100):
        assert memo.get("a") == ("A", 1.0)
        memo.put(f"new {stranger}", "x", 1.0)
    assert memo.get("a") == ("A", 1.0)
    assert memo.get("b") is None
    assert len(memo) == 3


def test_made_up_keys_take_the_place_of_none_that_has_a_value():
    memo = Memo(size=3, unknown_size=5)
    memo.put("a", "A", 1.0)
    for stranger in range(100):
        memo.put(f"made up {stranger}", None, 1.0)
    assert memo.get("a") == ("A", 1.0)
    assert memo.get("made up 99") == (None, 1.0)
    assert memo.get("made up 0") is None
    assert len(memo) == 1 + 5


def test_a_key_is_known_or_unknown():
    memo = Memo(size=3)
    memo.put("a", None, 1.0)
    memo.put("a", "A", 2.0)
    assert memo.get("a") == ("A", 2.0)
    memo.put("a", None, 3.0)
    assert memo.get("a") == (None, 3.0)
    assert len(memo) == 1


def test_renewing_revives_nothing():
    memo = Memo(size=3)
    memo.put("a", "A", 1.0)
    memo.forget("a")
    memo.renew("a", "A", 2.0)
    assert memo.get("a") is None
