"""The console's own endpoints: page, session, settings."""

from dataclasses import replace

import httpx
import pytest

from app.routes import console
from app.web.auth import Role
from app.web.static import FOR_EVER, Asset


@pytest.fixture
async def stranger(api):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=api), base_url="http://postrider") as client:
        yield client


def token_of(client):
    return client.headers["authorization"].removeprefix("Bearer ")


async def test_staff_token_becomes_a_cookie_that_scripts_cannot_read(stranger, client_of):
    support = await client_of(Role.SUPPORT)
    assert (await stranger.get("/v1/me")).status_code == 401
    signed_in = await stranger.post("/v1/sign-in", json={"token": token_of(support)})
    assert (signed_in.status_code, signed_in.json()["role"], signed_in.json()["region"]) == (200, "support", "default")
    cookie = signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await stranger.get("/v1/me")).json()["name"] == "test support"
    assert (await stranger.get("/v1/couriers")).status_code == 200
    out = await stranger.post("/v1/sign-out", headers={"origin": "http://postrider"})
    assert out.status_code == 204
    assert (await stranger.get("/v1/couriers")).status_code == 401


async def test_cookie_is_marked_secure_behind_https(stranger, client_of):
    support = await client_of(Role.SUPPORT)
    headers = {"x-forwarded-proto": "https"}
    signed_in = await stranger.post("/v1/sign-in", json={"token": token_of(support)}, headers=headers)
    assert "secure" in signed_in.headers["set-cookie"].lower()


async def test_courier_cannot_sign_in_and_neither_can_another_site(admin, stranger):
    courier = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()
    device = (await admin.post(f"/v1/couriers/{courier['id']}/tokens")).json()["token"]
    assert (await stranger.post("/v1/sign-in", json={"token": device})).status_code == 401
    elsewhere = {"sec-fetch-site": "cross-site"}
    refused = await stranger.post("/v1/sign-in", json={"token": token_of(admin)}, headers=elsewhere)
    assert refused.status_code == 403


async def test_cookie_changes_nothing_when_another_site_sends_the_request(admin, stranger):
    await stranger.post("/v1/sign-in", json={"token": token_of(admin)})
    body = {"name": "Anna", "mode": "car"}
    forged = await stranger.post("/v1/couriers", json=body, headers={"origin": "http://evil.example"})
    own = await stranger.post("/v1/couriers", json=body, headers={"origin": "http://postrider"})
    assert (forged.status_code, own.status_code) == (401, 201)


async def test_page_says_how_to_build_it_where_it_is_not_built(stranger, monkeypatch, tmp_path):
    monkeypatch.setattr(console, "DIST", tmp_path)
    monkeypatch.setattr(console, "_assets", {})
    answer = await stranger.get("/")
    assert answer.status_code == 503
    assert "make setup" in answer.text


async def test_page_and_its_files_are_cached_as_their_names_allow(stranger, monkeypatch):
    assets = {
        "index.html": Asset(b"<!doctype html>", "text/html; charset=utf-8", "no-cache"),
        "assets/index-abc.js": Asset(b"let a", "text/javascript", FOR_EVER),
    }
    monkeypatch.setattr(console, "_assets", assets)
    page = await stranger.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    again = await stranger.get("/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    script = await stranger.get("/assets/index-abc.js")
    assert (script.headers["cache-control"], script.headers["content-type"]) == (FOR_EVER, "text/javascript")
    assert (await stranger.get("/assets/nothing.js")).status_code == 404


async def test_worker_of_the_map_may_load_what_the_page_may(stranger, monkeypatch):
    """A worker lives by the policy of its own script: with `default-src 'none'` it would load no tile."""
    worker = Asset(b"let a", "text/javascript", FOR_EVER)
    assets = {"index.html": Asset(b"", "text/html", "no-cache"), f"assets/{console.WORKER}abc.js": worker}
    monkeypatch.setattr(console, "_assets", assets)
    script = await stranger.get(f"/assets/{console.WORKER}abc.js")
    page = await stranger.get("/")
    assert script.headers["content-security-policy"] == page.headers["content-security-policy"]
    assert script.headers["cache-control"] == "no-cache"  # kept for ever, it would outlive a change of the settings


async def test_map_hosts_and_nothing_else_are_let_through_by_the_policy(settings):
    chosen = replace(settings, map_style_url="https://tiles.example/style.json", map_hosts="https://glyphs.example")
    policy = str(console.Policy.of(chosen))
    assert "connect-src 'self' https://tiles.example https://glyphs.example;" in policy
    assert "worker-src 'self'" in policy


async def test_config_tells_the_page_what_it_must_know_and_no_secret(stranger, settings):
    config = (await stranger.get("/ui/config.json")).json()
    assert config["online_within_s"] == settings.online_within_s
    of_times = {"online_within_s", "stale_within_s"}
    assert set(config) == {"version", "map_style_url", "map_attribution", "demo", "sign_in_with"} | of_times
