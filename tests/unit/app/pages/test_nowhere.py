"""What people and programs read where nothing is, and where they may not go."""

from types import SimpleNamespace

import msgspec
import pytest
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.testing import RequestFactory

from app.pages.nowhere import in_words, nothing_here
from app.web.auth import Role, requires
from app.web.problems import BadInput, TooManyRequests, exception_handlers

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
    ("exc", "status", "said"),
    [
        (TooManyRequests(retry_after_s=7), 429, "Попробуйте через минуту"),
        (ConnectionRefusedError("the database is away"), 503, "Попробуйте через минуту"),
        (BadInput("No."), 400, "Откройте ссылку ещё раз"),
        (ZeroDivisionError(), 500, "наша ошибка"),
    ],
)
@pytest.mark.parametrize("path", ["/t/abc", "/t/abc/window", "/join/abc"])
def test_who_came_by_a_link_reads_of_problems_in_words(path, exc, status, said):
    handlers = exception_handlers()
    handler = in_words(next(handlers[cls] for cls in type(exc).__mro__ if cls in handlers))
    found = handler(RequestFactory().get(path, headers=BROWSER), exc)
    assert (found.status_code, found.media_type) == (status, "text/html")
    assert said in found.content
    assert found.headers.get("Retry-After") == {429: "7", 503: "2"}.get(status)
    program = handler(RequestFactory().get(path, headers={"accept": "application/json"}), exc)
    assert (program.status_code, msgspec.json.decode(program.content)["status"]) == (status, status)
    api = handler(RequestFactory().get("/v1/orders", headers=BROWSER), exc)
    assert msgspec.json.decode(api.content)["status"] == status


@pytest.mark.parametrize(
    ("role", "said"),
    [(Role.ADMIN, "This needs the role admin."), (Role.VIEWER, "This needs the role viewer or a higher one.")],
)
async def test_who_may_not_is_told_who_may(role, said):
    with pytest.raises(PermissionDeniedException, match=said.replace(".", r"\.")):
        await requires(role)(SimpleNamespace(user=None), None)
