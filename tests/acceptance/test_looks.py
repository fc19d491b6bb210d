"""Whoever looked at where couriers were is on record: one rule for every route."""

from dataclasses import replace

import pytest

from app.web.auth import Role
from tests.acceptance.test_access import ALL

NO_WHEREABOUTS = {
    "/": "the page",
    "/assets/{name:str}": "a file of the page",
    "/favicon.svg": "a file of the page",
    "/licenses.md": "a file of the page",
    "/courier": "the courier's page",
    "/courier-192.png": "a file of the page",
    "/courier-512.png": "a file of the page",
    "/courier-worker.js": "a file of the page",
    "/push-worker.js": "a file of the page",
    "/courier.webmanifest": "a file of the page",
    "/place": "the place's page",
    "/join/{code:str}": "a page that invites a phone",
    "/join/{code:str}/place": "a page that invites a place",
    "/ui/config.json": "how the page behaves",
    "/ui/session": "who is signed in",
    "/v1/me": "who is signed in",
    "/metrics": "counts",
    "/health/live": "whether we live",
    "/health/ready": "whether we are ready",
    "/map/style.json": "how streets are drawn",
    "/map/{zoom:int}/{column:int}/{name:str}": "streets",
    "/t/{token:str}": "the recipient's own order; who opens the link is unknown",
    "/t/{token:str}/map": "the same, drawn",
    "/t/{token:str}/note": "the same: back to the page",
    "/t/{token:str}/window": "when the recipient can be visited",
    "/.well-known/oauth-authorization-server": "where programs get tokens",
    "/v1/me/push": "a key of the installation",
    "/v1/me/second-factor": "whether the caller has one",
    "/v1/sessions": "where the caller is signed in",
    "/v1/sign-in/oidc": "a way to sign in",
    "/v1/sign-in/oidc/callback": "the same",
    "/v1/sign-in/oidc/out": "a way out",
    "/v1/users": "who may come in",
    "/v1/users/{user_id:uuid}": "who may come in",
    "/v1/users/{user_id:uuid}/sessions": "where somebody is signed in",
    "/v1/installation/check": "whether the installation is fit to run",
    "/v1/installation/retention": "how long what is kept",
    "/v1/couriers/{courier_id:uuid}/held": "how much is kept, without what",
    "/v1/channels": "which services tell people",
    "/v1/webhooks": "which systems are told",
    "/v1/webhooks/{webhook_id:uuid}": "which systems are told",
    "/v1/pay/rules": "how couriers are paid",
    "/v1/pay/entries": "what couriers earned",
    "/v1/couriers/{courier_id:uuid}/pay": "what a courier earned",
    "/v1/couriers/{courier_id:uuid}/messages": "what a courier and support wrote",
    "/v1/users/{user_id:uuid}/export": "what is held of a person of the staff, for the person",
    "/v1/couriers/{courier_id:uuid}/day": "what a courier has to do today",
    "/v1/audit": "who looked",
    "/v1/regions": "places of work",
    "/v1/reports/service-level": "how much was done, without places of couriers",
    "/v1/regions/{name:str}": "a place of work",
    "/v1/regions/{name:str}/settings/schema": "what can be set",
    "/v1/couriers": "who there is, without places",
    "/v1/couriers/{courier_id:uuid}": "who it is, without places",
    "/v1/couriers/{courier_id:uuid}/shifts": "when a courier shall work",
    "/v1/geocode": "addresses of the town",
    "/v1/geocode/reverse": "addresses of the town",
    "/v1/places": "where orders are prepared",
    "/v1/places/{place_id:uuid}/stock": "goods of a place",
    "/v1/places/{place_id:uuid}/stock/movements": "goods of a place",
    "/v1/places/{place_id:uuid}/stock/counts": "goods of a place",
    "/v1/stock/items": "goods",
    "/v1/places/{place_id:uuid}": "where orders are prepared",
    "/v1/places/{place_id:uuid}/tasks": "what is prepared, and when couriers come",
    "/v1/places/{place_id:uuid}/ahead": "what is prepared before it is ordered",
    "/v1/geofences": "places of the town",
    "/v1/geofences/{fence_id:uuid}": "a place of the town",
    "/v1/offers": "what was offered",
    "/v1/offers/{offer_id:uuid}": "what was offered",
    "/v1/orders": "what customers want",
    "/v1/orders/{order_id:uuid}": "what a customer wants",
    "/v1/orders/{order_id:uuid}/comments": "what staff wrote",
    "/v1/orders/{order_id:uuid}/proof": "what proves that it was handed over",
    "/pictures/{picture_id:uuid}": "a picture, for whoever was given its address",
    "/v1/orders/{order_id:uuid}/eta": "when it arrives",
    "/v1/orders/{order_id:uuid}/eta/history": "when it was to arrive",
    "/v1/orders/{order_id:uuid}/events": "what became of it",
    "/v1/couriers/{courier_id:uuid}/breaks": "when a courier rests",
    "/v1/couriers/{courier_id:uuid}/suggestions": "what orders would cost with a courier",
    "/v1/orders/{order_id:uuid}/candidates": "what an order would cost with whom",
    "/v1/plans/day/{plan_id:uuid}": "what is to be driven another day",
    "/v1/tokens": "tokens",
}


@pytest.fixture
def settings(settings):
    return replace(settings, trusted_proxies="127.0.0.1")


READING = [(path, handler) for path, method, handler in ALL if method == "GET"]


@pytest.mark.parametrize(("path", "handler"), READING, ids=[path for path, _ in READING])
def test_every_route_that_reads_is_marked_or_tells_no_whereabouts(path, handler):
    """A new route says `opt=looks_at(…)`, or stands above with the reason why not. Phones (`/ingest`) only send."""
    is_exempt = path in NO_WHEREABOUTS or path.startswith(("/schema", "/problems", "/ingest/"))
    assert ("looks_at" in handler.opt) != is_exempt


async def test_each_look_is_on_record_once_an_hour_with_who_and_from_where(admin, client_of):
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()["id"]
    viewer, phone = await client_of(Role.VIEWER), await client_of(Role.COURIER, courier=courier)
    viewer.headers["X-Forwarded-For"] = "198.51.100.9, 203.0.113.7"
    marked = {(path, handler.opt["looks_at"]) for path, handler in READING if "looks_at" in handler.opt}
    asked = set()
    for path, action in sorted(marked):
        if path in {"/v1/live", "/v1/couriers/{courier_id:uuid}/route/stream"}:
            continue  # never ends
        if "{webhook_id" in path or path.endswith("/export"):
            continue  # no viewer's business
        url = path.replace("{courier_id:uuid}", courier)
        for _ in range(3):
            answer = await viewer.get(url, params={"lat": 41, "lon": -8} if "nearby" in path else None)
        subject = f"courier:{courier}" if courier in url else "couriers"
        if answer.status_code == 200:
            asked.add((action, subject))
        else:
            assert (path, answer.status_code) == ("/v1/couriers/{courier_id:uuid}/position", 404)
    await viewer.get("/v1/fence-events", params={"courier_id": courier})
    await phone.get(f"/v1/couriers/{courier}/route")
    asked.add(("couriers.fence_events", f"courier:{courier}"))
    rows = (await admin.get("/v1/audit", params={"actor": "viewer:test viewer"})).json()["items"]
    assert sorted((row["action"], row["subject"]) for row in rows) == sorted(asked)
    assert {row["ip"] for row in rows} == {"203.0.113.7"}
    assert not (await admin.get("/v1/audit", params={"actor": f"courier:{courier}"})).json()["items"]
