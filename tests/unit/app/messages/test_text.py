"""What is said, to whom, and when it is not."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.messages import child, text
from app.pages.writing import LANGUAGES, words
from dispatch.alert_kind import AlertKind

NOW = datetime(2026, 11, 27, 21, 30, tzinfo=UTC)
LISBON = ZoneInfo("Europe/Lisbon")
NOTHING = dict.fromkeys(
    (
        "alert_region",
        "acknowledged_at",
        "resolved_at",
        "snoozed_until",
        "courier_name",
        "alert_order",
        "alert_order_id",
    ),
)
ALERT = NOTHING | {"kind": "silent", "alert_region": "porto", "region_title": "Porto", "courier_name": "Ana"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_and_step_has_words(language):
    said = words(language)
    assert {f"a_{kind}" for kind in AlertKind} <= set(said)
    assert {f"m_{step}" for step in text.STEPS} <= set(said)


def test_one_alert_is_its_own_title_and_many_are_counted():
    late = ALERT | {"kind": "late", "courier_name": None, "alert_order": "A-1", "alert_order_id": "x"}
    assert text.title_of([ALERT], "en") == "Porto: Silent: Ana"
    assert text.title_of([ALERT, late], "en") == "Porto: alerts: 2"
    assert text.body_of([ALERT, late], "en").splitlines() == ["Silent: Ana", "Late: order A-1"]
    assert text.body_of([ALERT] * 25, "ru").splitlines()[-1] == "и ещё 5"


@pytest.mark.parametrize(
    "over", [{"resolved_at": NOW}, {"acknowledged_at": NOW}, {"snoozed_until": NOW + timedelta(minutes=1)}]
)
def test_an_alert_that_somebody_looks_after_is_not_told(over):
    assert not text.is_needless(ALERT, now=NOW)
    assert text.is_needless(ALERT | over, now=NOW)


@pytest.mark.parametrize(
    ("step", "state", "needless"),
    [
        ("placed", "placed", False),
        ("on_its_way", "picked_up", False),
        ("arriving", "delivered", True),
        ("on_its_way", "returning", True),
        ("delivered", "delivered", False),
    ],
)
def test_a_recipient_is_told_nothing_that_is_over(step, state, needless):
    row = NOTHING | {"kind": step, "order_state": state}
    assert text.is_needless(row, now=NOW) is needless


def test_a_recipient_is_told_by_whom_with_the_code_and_where_to_look():
    said = text.told_recipient({"kind": "on_its_way"}, sender="Acme", link="https://a/t/1", code="1234", language="en")
    assert said == "Acme: Your order is on its way. Your code for the courier: 1234. https://a/t/1"
    without = {"kind": "on_its_way", "missing": '[{"item": "cola", "quantity": 2}, {"item": "lemon", "quantity": 1}]'}
    assert text.told_recipient(without, sender="", link="", code=None, language="en") == (
        "Your order is on its way. Not with it, for there was none left: 2 × cola, 1 × lemon."
    )
    assert text.told_recipient({"kind": "delivered"}, sender="", link="", code="1", language="en") == (
        "Your order was delivered."
    )


def test_an_address_has_the_recipients_own_in_it_and_nothing_else_of_theirs():
    contact = {"phone": "+351 912-345 678", "email": "a/b?c@example.com"}
    assert text.address_of("sms://x/{phone}", contact) == "sms://x/351912345678"
    assert text.address_of("mailto://u:p@h?to={email}", contact) == "mailto://u:p@h?to=a%2Fb%3Fc%40example.com"
    assert text.address_of("sms://x/{phone}", {"email": "a@b"}) is None
    assert text.address_of("mailto://h?to={email}", {"email": "nobody"}) is None


@pytest.mark.parametrize(
    ("begins", "ends", "until"),
    [
        (None, None, None),
        (time(22), time(7), None),  # it is 21:30
        (time(21), time(7), datetime(2026, 11, 28, 7, 0, tzinfo=LISBON)),
        (time(9), time(21, 45), datetime(2026, 11, 27, 21, 45, tzinfo=LISBON)),
        (time(0), time(21, 30), None),
        (time(5), time(5), None),
    ],
)
def test_quiet_hours_end_by_the_clocks_there(begins, ends, until):
    assert text.quiet_until(NOW, begins, ends, LISBON) == until


@pytest.mark.parametrize(
    "address", [("127.0.0.1", 80), ("10.1.2.3", 80), ("169.254.169.254", 80), ("::1", 80, 0, 0), "/run/docker.sock"]
)
def test_what_sends_reaches_nothing_inside(address):
    with pytest.raises(OSError, match="public"):
        child.judge("socket.connect", (None, address))
    child.judge("socket.connect", (None, ("1.1.1.1", 443)))


def test_what_sends_starts_nothing():
    with pytest.raises(OSError, match="not for messages"):
        child.judge("subprocess.Popen", ("sh",))


def test_what_speaks_to_the_machine_is_refused():
    assert child.answer({"do": "check", "url": "syslog://"})["ok"] is False
