"""The page says every code of the server in people's words, in both languages."""

import re
from pathlib import Path

import pytest

import app
from app.shapes.orders import REASON_TEXTS
from dispatch.arrivals.eta import Note
from dispatch.planning.proposal import ReasonCode

WHY = (Path(app.__file__).parent / "console" / "src" / "words" / "why.ts").read_text()


@pytest.mark.parametrize("code", [*ReasonCode, *Note], ids=str)
def test_code_has_a_sentence_in_both_languages(code):
    assert len(re.findall(rf"^\s+{code.value}: '", WHY, re.MULTILINE)) >= 2


def test_in_english_the_page_says_why_as_the_api_does():
    missing = [text for text in REASON_TEXTS.values() if f"'{text}'" not in WHY]
    assert missing == []
