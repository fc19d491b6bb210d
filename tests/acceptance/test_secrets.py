"""Secrets stay at the door: a token sent by every door in every wrong way is nowhere afterwards."""

import asyncio
import base64
import gzip
import json
import logging
from uuid import uuid4

import asyncpg
import httpx
import pyotp
from litestar.handlers import HTTPRouteHandler

from app.logs import JsonFormatter
from app.web.auth import Role
from tests.described import described

OF_THE_TEST = ("httpx", "httpcore", "asyncio")
"""Loggers of the client that sends, not of the program."""


def routes():
    return sorted(
        (route.path, method)
        for route in described().routes
        for handler in getattr(route, "route_handlers", [])
        if isinstance(handler, HTTPRouteHandler)
        for method in handler.http_methods
        if method != "OPTIONS" and not route.path.startswith("/schema") and route.path != "/v1/live"
    )


def filled(path, token):
    """The path with the token for every text, and some id for every id."""
    parts = path.split("/")
    return "/".join(
        (str(uuid4()) if part.endswith(":uuid}") else "1" if part.endswith(":int}") else token) if "{" in part else part
        for part in parts
    )


def wrong_ways(token):
    """Headers, query and body of requests that hold a token where none belongs."""
    basic = base64.b64encode(f"anna:{token}".encode()).decode()
    body = {"token": token, "password": token, "Authorization": f"Bearer {token}", "deep": [{"api_key": token}]}
    yield {"params": {"token": token, "access_token": token, "cursor": token, "from": token, "bbox": token}}
    yield {"params": {token: token, "id": token, "lat": token, "lon": "1", "limit": token}}
    yield {"json": body}
    yield {"json": [body, token]}
    yield {"content": token.encode(), "headers": {"Content-Type": "text/plain"}}
    yield {"data": {"token": token, "id": token, "lat": "north", "lon": token}}
    yield {"files": {"token": (token, token.encode())}}
    yield {"headers": {"Authorization": f"Token {token}", "X-Api-Key": token, "X-Limit-U": token, "X-Limit-D": token}}
    yield {"headers": {"Cookie": f"a={token}; postrider_session={token}", "Referer": f"http://x/{token}"}}
    yield {"headers": {"Last-Event-ID": token, "If-Match": token, "traceparent": token, "User-Agent": token}}
    yield {"headers": {"Authorization": f"Basic {basic}"}, "json": body}


def phones(token):
    """What goes wrong with phones, and is kept: (path, body, headers)."""
    basic = base64.b64encode(f"anna:{token}".encode()).decode()
    for door in ("osmand", "owntracks", "gpslogger"):
        yield f"/ingest/{door}/{token}?lat=north&lon=1&token={token}", b"", {}
        yield f"/ingest/{door}?token={token}&lat=1&lon=2&timestamp=soon", b"", {}
        yield f"/ingest/{door}?token={token}&lat={token}&lon=2&id={token}", b"", {}
        yield f"/ingest/{door}/{token}", f"hello, my token is {token}".encode(), {}
        yield f"/ingest/{door}/{token}", f"token={token}&Authorization=Basic+{basic}&x=1".encode(), {}
        yield f"/ingest/{door}/{token}", f"id={token.replace('_', '%5F')}&lat=x".encode(), {}
        yield f"/ingest/{door}/{token}", json.dumps({"token": token, "x": [{"password": token}]}).encode(), {}
        yield f"/ingest/{door}/{token}", json.dumps({"_type": "dump?", "url": f"http://a:{token}@b/"}).encode(), {}
        yield f"/ingest/{door}/{token}", json.dumps({"token": token})[:-1].encode(), {}
        yield f"/ingest/{door}/{token}", json.dumps({token: token}).encode("utf-16"), {}
        yield (
            f"/ingest/{door}/{token}",
            gzip.compress(f"token={token}".encode() * 50)[:-4],
            {"Content-Encoding": "gzip"},
        )
        yield f"/ingest/{door}", b"hello", {"Authorization": f"Basic {basic}"}
    for body in (token.encode(), json.dumps([{"token": token, "lat": "x"}, token]).encode(), b"{" + token.encode()):
        yield "/v1/positions", body, {"Authorization": f"Bearer {token}"}


async def everything_in_postgresql(url):
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        found = []
        for (table,) in tables:
            rows = await connection.fetch(f"SELECT t::text FROM {table} AS t")
            found += [f"{table} {row[0]}" for row in rows]
    finally:
        await connection.close()
    return found


async def everything_in_redis(redis):
    found = []
    async for key in redis.scan_iter(count=1000):
        kind = (await redis.type(key)).decode()
        match kind:
            case "string":
                value = await redis.get(key)
            case "hash":
                value = await redis.hgetall(key)
            case "list":
                value = await redis.lrange(key, 0, -1)
            case "set":
                value = await redis.smembers(key)
            case "zset":
                value = await redis.zrange(key, 0, -1)
            case "stream":
                value = await redis.xrange(key)
        found.append(f"{key!r} {value!r}")
    return found


async def test_a_token_sent_by_every_door_in_every_wrong_way_is_nowhere_afterwards(
    admin, api, client_of, settings, writer, caplog
):
    anna = (await admin.post("/v1/couriers", json={"name": "Anna", "mode": "car"})).json()["id"]
    phone = await client_of(Role.COURIER, anna)
    token = phone.headers.pop("Authorization").removeprefix("Bearer ")
    caplog.set_level(logging.DEBUG)
    answers = []
    for path, method in routes():
        url = filled(path, token)
        for way in wrong_ways(token):
            for client in (phone, admin):
                if client is admin and "Authorization" in way.get("headers", {}):
                    continue
                answers.append(await client.request(method, url, **way))
    for path, body, headers in phones(token):
        answers.append(await phone.post(path, content=body, headers=headers))
        assert answers[-1].status_code in {200, 202}, (path, body, answers[-1].text)
    # The writer goes by the order of the log: once the last is stored all others are.
    await phone.post(f"/ingest/osmand/{token}", content=b"the last")
    while "the last" not in (await admin.get("/v1/quarantine")).text:
        await asyncio.sleep(0.1)
    answers.append(await admin.get("/v1/quarantine", params={"limit": 1000}))
    answers.append(await admin.get("/metrics"))

    places = [f"{a.request.method} {a.request.url.path} {a.headers} {a.text}" for a in answers]
    places += await everything_in_postgresql(settings.database_url)
    places += await everything_in_redis(api.state.redis)
    formatter = JsonFormatter()
    places += [formatter.format(record) for record in caplog.records if not record.name.startswith(OF_THE_TEST)]
    assert any("removed" in place for place in places), "something was kept"
    forms = (token, token[5:], token.encode().hex(), base64.b64encode(f"anna:{token}".encode()).decode())
    told = [place for place in places for form in forms if form in place.replace(f"/{token}", "/")]
    assert told == []


async def test_passwords_codes_and_sessions_of_people_are_nowhere_but_where_they_are_needed(
    admin, api, settings, caplog
):
    caplog.set_level(logging.DEBUG)
    name, first, second = "Zoraida", "seven green lanterns", "eleven quiet harbours"
    transport = httpx.ASGITransport(app=api)
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers={"origin": "http://x"}) as page:
        kept = {"name": name, "role": "viewer", "password": first}
        answers = [await admin.post("/v1/users", json=kept, headers={"Idempotency-Key": "once"})]
        invited = (await admin.post("/v1/users", json={"name": "Yaroslav", "role": "viewer"})).json()
        answers.append(await page.post("/v1/sign-in", json={"name": name, "password": first}))
        cookie = page.cookies["postrider_session"]
        answers.append(await page.post("/v1/me/password", json={"new": second, "current": first}))
        setup = (await page.post("/v1/me/second-factor")).json()
        app = pyotp.TOTP(setup["secret"])
        code = app.now()
        recovery = (await page.post("/v1/me/second-factor/confirm", json={"totp": code})).json()["codes"]
        # Each in a place where it does not belong.
        for wrong in (first, second, recovery[0], setup["secret"], cookie):
            answers.append(await page.post("/v1/sign-in", json={"name": wrong, "password": wrong, "totp": wrong}))
            answers.append(await page.post("/v1/sign-in", json={"password": wrong, "x": wrong}))
            answers.append(await page.post("/v1/me/second-factor/remove", json={"password": wrong + "x"}))
        answers.append(await page.post("/v1/sign-in", json={"name": name, "password": second, "totp": recovery[1]}))
        answers.append(await page.get("/v1/sessions"))
    answers += [await admin.get(path) for path in ("/v1/users", "/v1/audit", "/v1/tokens", "/metrics")]

    places = [f"{a.request.method} {a.request.url.path} {a.text}" for a in answers]
    places += await everything_in_postgresql(settings.database_url)
    places += await everything_in_redis(api.state.redis)
    formatter = JsonFormatter()
    places += [formatter.format(record) for record in caplog.records if not record.name.startswith(OF_THE_TEST)]
    code_of_address = invited["address"].partition("#code=")[2]
    secrets = (first, second, cookie, code_of_address, *recovery, *(one.replace("-", "") for one in recovery))
    assert [place for place in places for secret in secrets if secret in place] == []
    # The app's secret has to be known to compare; it is in its column only.
    assert {place.split()[0] for place in places if setup["secret"] in place} == {"public.users"}
