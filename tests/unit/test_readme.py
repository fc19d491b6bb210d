import re

import pytest

from tests.readme import PAGES, PARTS, README, ROOT, written


@pytest.mark.parametrize("part", PARTS)
def test_the_pages_tell_every_setting_and_every_problem(part):
    page, text = written(part)
    assert page.read_text() == text, "run: python -m tests.readme"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_file_a_page_links_to_exists(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_page_can_be_reached_from_the_front_door():
    reached, todo = set(), [README]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\((?!https?:|#)([^)#]+\.md)", page.read_text())
        todo += [(page.parent / target).resolve() for target in links]
    assert {page.resolve() for page in PAGES} <= reached


@pytest.mark.parametrize("folder", ["app", "dispatch", "tracking"])
def test_a_page_names_every_room_of_its_folder_and_no_other(folder):
    rooms = {init.parent.name for init in (ROOT / folder).glob("*/__init__.py")}
    named = set(re.findall(r"^\| `(\w+)/` \|", (ROOT / folder / "README.md").read_text(), re.MULTILINE))
    assert rooms == named - {folder, "console", "lua"}  # these two hold no Python that is imported


@pytest.mark.parametrize("tier", ["unit", "integration"])
def test_tests_lie_where_the_code_lies(tier):
    for area in ("app", "dispatch", "tracking", "sql", "benchmarks"):
        for file in (ROOT / "tests" / tier / area).rglob("test_*.py"):
            assert (ROOT / file.parent.relative_to(ROOT / "tests" / tier)).is_dir(), file
