"""deploy/threats.md and deploy/privacy.md name tests and settings that exist."""

import re
from pathlib import Path

import pytest

from app.settings import Settings, variable_of

ROOT = Path(__file__).parents[2]
THREATS = [line for line in (ROOT / "deploy" / "threats.md").read_text(encoding="utf-8").splitlines() if "|" in line][
    2:
]


@pytest.mark.parametrize("line", THREATS)
def test_every_threat_has_a_test_that_exists_or_says_whose_part_it_is(line):
    named = line.rstrip("| ").rpartition("|")[2].strip()
    tests = re.findall(r"`([^`]+)`", named)
    assert tests or named.startswith("none: ")
    for test in tests:
        assert (ROOT / "tests" / test).exists(), test


def test_privacy_names_settings_and_tests_that_exist():
    text = (ROOT / "deploy" / "privacy.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(POSTRIDER_\w+)`", text)) <= {variable_of(name) for name in Settings.__slots__}
    for test in re.findall(r"`(tests/[^`]+)`", text):
        assert (ROOT / test).exists(), test
