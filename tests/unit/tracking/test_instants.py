"""The one reader of instants."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.instants import FIRST, LAST, from_unix, is_believable, parse

zones = st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=45)))
believable = st.integers(86_400, int(LAST.timestamp()) - 86_400).flatmap(
    lambda seconds: zones.map(lambda zone: datetime.fromtimestamp(seconds, zone))
)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@given(believable)
def test_what_is_written_is_read(at: datetime) -> None:
    assert parse(at.isoformat()) == at
    assert parse(at.isoformat(sep=" ")) == at
    assert parse(at.isoformat().replace("+", " ")) == at, "a plus that nobody escaped arrives as a space"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23t12:00:00z",
        " 2026-11-23T12:00Z ",
        "2026-11-23T15:00:00+03:00",
        "2026-11-23T15:00:00 03:00",
        "2026-11-23 15:00:00 0300",
        "2026-11-23T12:00:00.000000000Z",
        "20261123T120000Z",
    ],
)
def test_every_way_to_write_an_instant_is_read(text: str) -> None:
    assert parse(text) == NOON


def test_without_a_zone_it_is_utc_or_refused() -> None:
    assert parse("2026-11-23 12:00:00", needs_zone=False) == NOON
    with pytest.raises(ValueError, match="with zone"):
        parse("2026-11-23 12:00:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1795435200",
        "44888.5",
        "2026-11-23",
        "2026-11-23T",
        "2026-13-01T00:00:00Z",
        "2026-11-23T12:00:00ZZ",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999-14:00",
        "1969-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "2026-11-23T12:00:00\x00Z",
    ],
)
def test_what_nobody_can_mean_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected RFC 3339"):
        parse(text)


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert is_believable(parse(text, needs_zone=False))


@given(st.floats() | st.integers())
def test_no_number_becomes_an_instant_that_is_not_believed(seconds: float) -> None:
    with contextlib.suppress(ValueError):
        assert FIRST <= from_unix(seconds) < LAST
