"""Who may call what: deny by default, and no route without a rule."""

import re

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from app.web.auth import Role, requires_any, requires_courier
from tests.described import described


def handlers(application: Litestar) -> list[tuple[str, str, HTTPRouteHandler]]:
    return sorted(
        (
            (route.path, method, handler)
            for route in application.routes
            for handler in getattr(route, "route_handlers", [])
            for method in handler.http_methods
            if method != "OPTIONS"
        ),
        key=lambda row: row[:2],
    )


ALL = handlers(described())
SAMPLES = {"uuid": "00000000-0000-4000-8000-000000000000", "int": "1", "str": "x", "path": "x"}


def filled(path: str) -> str:
    """An address of the route, with something in each of its places that is of the right kind."""
    return re.sub(r"\{[^}:]+:([a-z]+)\}", lambda place: SAMPLES[place.group(1)], path)


@pytest.mark.parametrize(("path", "method", "handler"), ALL, ids=[f"{method} {path}" for path, method, _ in ALL])
def test_every_route_has_a_guard_or_is_public_on_purpose(path, method, handler):
    is_public = handler.opt.get("public", False)
    assert is_public != bool(handler.guards), "a route is public, or it has a guard"
    if not is_public:
        known = {requires_any, requires_courier}
        assert all(guard in known or hasattr(guard, "postrider_role") for guard in handler.guards)


async def test_stranger_gets_nowhere(api, client_of):
    stranger = await client_of(Role.VIEWER)
    stranger.headers.pop("Authorization")
    for path, method, handler in ALL:
        if not handler.opt.get("public", False):
            answer = await stranger.request(method, filled(path))
            assert (path, answer.status_code) == (path, 401)


async def test_courier_gets_no_staff_route(admin, client_of):
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "foot"})).json()
    phone = await client_of(Role.COURIER, courier=courier["id"])
    for path, method, handler in ALL:
        is_for_staff = any(
            hasattr(guard, "postrider_role") and Role.COURIER not in guard.postrider_also
            for guard in handler.guards or ()
        )
        if is_for_staff:
            answer = await phone.request(method, filled(path))
            assert (path, answer.status_code) == (path, 403)


async def test_cookie_of_the_console_changes_nothing_from_another_site(admin, client_of):
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    page = await client_of(Role.VIEWER)
    page.headers.pop("Authorization")
    page.headers["Cookie"] = f"postrider_session={token}"
    body = {"name": "Anna", "mode": "foot"}
    assert (await page.get("/v1/couriers")).status_code == 200
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://elsewhere"}):
        assert (await page.post("/v1/couriers", json=body, headers=headers)).status_code == 401
    ours = await page.post("/v1/couriers", json=body, headers={"Sec-Fetch-Site": "same-origin"})
    assert ours.status_code == 201


async def test_basic_password_is_as_good_as_bearer(admin):
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    answer = await admin.get("/v1/couriers", auth=("anybody", token))
    assert answer.status_code == 200
