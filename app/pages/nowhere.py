"""An address where nothing is: a page for people, a problem for programs."""

from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import NotFoundException

from app.pages.writing import language_of, page, wants_page
from app.web.problems import answer_http

OF_PROGRAMS: Final = ("/v1/", "/ingest/", "/ui/", "/map/", "/assets/")
"""What begins so is asked for by programs, whatever a browser says that it takes."""


def nothing_here(request: Request[Any, Any, Any], exc: NotFoundException) -> Response[Any]:
    """Answer a person who followed a link or mistyped one."""
    path = request.url.path
    if request.method != "GET" or path.startswith(OF_PROGRAMS) or not wants_page(request.headers.get("accept")):
        return answer_http(exc)
    return page("nothing", language_of(request.headers.get("accept-language")), status=404)
