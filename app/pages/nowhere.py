"""Where nothing is, and where something goes wrong: a page for people, a problem for programs."""

from collections.abc import Callable
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import NotFoundException

from app.pages.writing import language_of, page, wants_page, words
from app.web.problems import answer_http

OF_PROGRAMS: Final = ("/v1/", "/ingest/", "/ui/", "/map/", "/assets/")
"""What begins so is asked for by programs, whatever a browser says that it takes."""
OF_STRANGERS: Final = ("/t/", "/join/")
"""Pages and forms of people who were sent a link and know nothing of us."""
LATER: Final = frozenset({408, 429, 503})

Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]


def nothing_here(request: Request[Any, Any, Any], exc: NotFoundException) -> Response[Any]:
    """Answer a person who followed a link or mistyped one."""
    path = request.url.path
    is_page = request.method == "GET" or path.startswith(OF_STRANGERS)
    if not is_page or path.startswith(OF_PROGRAMS) or not wants_page(request.headers.get("accept")):
        return answer_http(exc)
    return page("nothing", language_of(request.headers.get("accept-language")), status=404)


def in_words(handler: Handler) -> Handler:
    """The same problem; who came by a link is told in words that it is not theirs, and what they can do."""

    def answer(request: Request[Any, Any, Any], exc: Any) -> Response[Any]:
        found = handler(request, exc)
        is_stranger = request.url.path.startswith(OF_STRANGERS)
        if not is_stranger or not wants_page(request.headers.get("accept")):
            return found
        status = found.status_code or 500
        kind = "later" if status in LATER else "odd" if status < 500 else "broken"
        language = language_of(request.headers.get("accept-language"))
        said = words(language)
        told = page("over", language, status=status, title=said[f"{kind}_title"], text=said[f"{kind}_text"])
        if "Retry-After" in found.headers:
            told.headers["Retry-After"] = found.headers["Retry-After"]
        return told

    return answer
