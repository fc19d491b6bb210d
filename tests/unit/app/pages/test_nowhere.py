"""What people and programs read where nothing is, and where they may not go."""

from types import SimpleNamespace

import msgspec
import pytest
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.testing import RequestFactory

from app.pages.nowhere import nothing_here
from app.web.auth import Role, requires

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-language": "ru"}


def answer(path, headers):
    return nothing_here(RequestFactory().get(path, headers=headers), NotFoundException())


def test_a_person_reads_a_page_in_their_language_with_a_way_on():
    found = answer("/couriers", BROWSER)
    assert (found.status_code, found.media_type, found.headers["Content-Language"]) == (404, "text/html", "ru")
    assert "Здесь ничего нет" in found.content
    assert 'href="/"' in found.content


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/couriers", {"accept": "application/json"}), ("/v1/nothing", BROWSER), ("/map/1/2/3", BROWSER)],
)
def test_a_program_gets_a_problem(path, headers):
    found = answer(path, headers)
    assert (found.status_code, msgspec.json.decode(found.content)["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("role", "said"),
    [(Role.ADMIN, "This needs the role admin."), (Role.VIEWER, "This needs the role viewer or a higher one.")],
)
async def test_who_may_not_is_told_who_may(role, said):
    with pytest.raises(PermissionDeniedException, match=said.replace(".", r"\.")):
        await requires(role)(SimpleNamespace(user=None), None)
