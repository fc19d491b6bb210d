"""The cookie of a session: no script reads it, and no other site sends it."""

from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from app.web.auth import SESSION_COOKIE


def session_cookie(request: Request[Any, Any, Any], value: str, life_s: int) -> Cookie:
    """The token of a session, for `life_s`."""
    return Cookie(
        key=SESSION_COOKIE,
        value=value,
        max_age=life_s,
        httponly=True,
        samesite="strict",
        secure=is_https(request),
        path="/",
    )


def is_https(request: Request[Any, Any, Any]) -> bool:
    """Directly, or at the proxy in front of us (which can only make the cookie stricter by saying so)."""
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"


def own_address(request: Request[Any, Any, Any]) -> str:
    """Where the caller finds this server: `https://host`, as the caller said it."""
    return f"{'https' if is_https(request) else 'http'}://{request.headers.get('host', request.url.netloc)}"
