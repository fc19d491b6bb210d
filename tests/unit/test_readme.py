import re

from tests.readme import README, written


def test_readme_tells_every_setting_and_every_problem():
    text = README.read_text()
    assert written(text) == text, "run: python -m tests.readme"


def test_every_file_the_readme_links_to_exists():
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", README.read_text()):
        assert (README.parent / target).exists(), target
