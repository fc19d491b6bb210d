"""Pages that the server writes: languages, words, times."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.pages.writing import LANGUAGES, day_and_time, language_of, words

NOW = datetime(2026, 3, 14, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de-DE, fr;q=0.5", "en"),
        ("ru", "ru"),
        ("RU-ru,ru;q=0.9,en-US;q=0.8", "ru"),
        ("en;q=0.2, ru;q=0.7", "ru"),
        ("de, ru;q=0, en;q=0.1", "en"),
        ("ru;q=much, en;q=0.3", "en"),
        ("," * 10_000, "en"),
    ],
)
def test_a_page_is_in_the_language_that_is_liked_best(accept, language):
    assert language_of(accept) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything_with_the_same_facts(language):
    def facts(text):
        return set(re.findall(r"\{(\w+)\}", text))

    said, first = words(language), words(LANGUAGES[0])
    assert {key: facts(text) for key, text in said.items()} == {key: facts(text) for key, text in first.items()}
    assert all(said.values())


def test_a_time_has_its_day_when_that_is_not_today():
    late = datetime(2026, 3, 14, 23, 15, tzinfo=UTC)
    assert day_and_time(late, ZoneInfo("UTC"), "en", now=NOW) == "23:15"
    assert day_and_time(late, ZoneInfo("Europe/Berlin"), "en", now=NOW) == "00:15 on 15 March"
    assert day_and_time(late, ZoneInfo("Europe/Berlin"), "ru", now=NOW) == "00:15, 15 марта"
