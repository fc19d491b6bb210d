"""Signing in by an identity provider that runs beside: there, back, what it says of people, and when it is away."""

import json
import subprocess
import sys
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.machine.servers import free_port
from app.web.passwords import Passwords
from tests.waiting import PATIENCE_S, wait_until

PEOPLE = [
    {"sub": "1", "preferred_username": "Ines", "groups": ["staff"], "regions": ["default"], "partner": "acme"},
    {"sub": "2", "preferred_username": "Otto", "groups": ["guests"]},
    {"sub": "3", "preferred_username": "Bo", "groups": ["boss"]},
    {"sub": "4", "preferred_username": "bo", "groups": ["boss"]},
]
PASSWORD = "a river of seven stones"


@pytest.fixture(scope="module")
def provider():
    """Its address; a process of its own, for it is a program of others."""
    port = free_port()
    told = [part for one in PEOPLE for part in ("--user-claims", json.dumps(one))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce=true"]
    process = subprocess.Popen([*command, *told], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def is_there():
        try:
            return httpx.get(f"{url}/jwks", timeout=PATIENCE_S).status_code == 200
        except httpx.HTTPError:
            return False

    wait_until(is_there)
    yield url
    process.terminate()
    process.wait(PATIENCE_S)


@pytest.fixture
def settings(settings, provider):
    return replace(
        settings,
        oidc_issuer=provider,
        oidc_client_secret="hush",
        oidc_role_claim="groups",
        oidc_roles="staff=dispatcher boss=admin",
    )


@pytest.fixture
async def browser(api):
    """`browser()`: a stranger's page, with cookies of its own."""
    clients = []

    def make():
        transport = httpx.ASGITransport(app=api)
        ours = {"origin": "http://postrider"}
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://postrider", headers=ours))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


async def leave(page, provider):
    """From our page to the provider's; where it leads."""
    address = (await page.get("/v1/sign-in/oidc")).headers["location"]
    assert address.startswith(provider)
    return address


async def come_back(page, address, sub):
    """What the provider makes of somebody who says to be that, and what we make of it."""
    async with httpx.AsyncClient(timeout=PATIENCE_S) as there:
        back = (await there.post(address, data={"sub": sub})).headers["location"]
    assert back.startswith("http://postrider/v1/sign-in/oidc/callback?")
    return await page.get(back), back


async def sign_in(page, provider, sub):
    answer, _ = await come_back(page, await leave(page, provider), sub)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_a_person_of_the_provider_signs_in_and_is_what_it_says_each_time(admin, browser, provider):
    page = browser()
    address = await leave(page, provider)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", "postrider")
    answer, back = await come_back(page, address, "1")
    assert answer.headers["location"] == "/"
    session = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("postrider_session"))
    assert "HttpOnly" in session
    assert "SameSite=strict" in session
    me = (await page.get("/v1/me")).json()
    assert (me["name"], me["role"], me["partner"], me["by_provider"]) == ("Ines", "dispatcher", "acme", True)
    assert (me["has_password"], me["must_change_password"]) == (False, False)
    assert (await page.get(back)).headers["location"] == "/?sign-in=expired", "what came back comes once"
    async with httpx.AsyncClient(timeout=PATIENCE_S) as there:
        await there.put(f"{provider}/users/1", json={**PEOPLE[0], "groups": ["boss"], "partner": "other"})
    again = browser()
    assert await sign_in(again, provider, "1") == "/"
    both = [(await one.get("/v1/me")).json() for one in (page, again)]
    assert {(one["role"], one["partner"], one["user_id"]) for one in both} == {("admin", "other", me["user_id"])}
    actions = [one["action"] for one in (await admin.get("/v1/audit?subject=user:" + me["user_id"])).json()["items"]]
    assert actions == ["user.change", "user.add"]
    # Out: here, and there.
    await page.post("/v1/sign-out")
    assert (await page.get("/v1/me")).status_code == 401
    out = (await page.get("/v1/sign-in/oidc/out")).headers["location"]
    assert out.startswith(f"{provider}/oauth2/end_session?")
    assert "post_logout_redirect_uri=http%3A%2F%2Fpostrider%2F" in out


async def test_who_may_not_come_in_does_not(admin, api, browser, provider):
    api.state.passwords = Passwords()
    page = browser()
    assert await sign_in(page, provider, "2") == "/?sign-in=refused", "no role here"
    assert await sign_in(page, provider, "3") == "/"
    bo = (await page.get("/v1/me")).json()
    assert await sign_in(browser(), provider, "4") == "/?sign-in=refused", "a name that is somebody else's"
    await admin.patch(f"/v1/users/{bo['user_id']}", json={"disabled": True})
    assert (await page.get("/v1/me")).status_code == 401
    assert await sign_in(page, provider, "3") == "/?sign-in=refused"
    await admin.delete(f"/v1/users/{bo['user_id']}")
    assert await sign_in(page, provider, "3") == "/", "the provider knows Bo anew"
    # Begun elsewhere: somebody must not be signed in as somebody else by an address.
    _, back = await come_back(browser(), await leave(browser(), provider), "3")
    assert (await browser().get(back)).headers["location"] == "/?sign-in=expired"
    stranger = browser()
    address = await leave(stranger, provider)
    state = parse_qs(urlsplit(address).query)["state"][0]
    for query, how in ((f"state={state}&error=access_denied", "refused"), (f"state={state}x&code=1", "expired")):
        told = (await stranger.get(f"/v1/sign-in/oidc/callback?{query}")).headers["location"]
        assert told == f"/?sign-in={how}"
        await leave(stranger, provider)
    made_up = await leave(stranger, provider)
    state = parse_qs(urlsplit(made_up).query)["state"][0]
    told = (await stranger.get(f"/v1/sign-in/oidc/callback?state={state}&code=made-up")).headers["location"]
    assert told == "/?sign-in=refused"


async def test_a_token_of_another_attempt_or_of_another_signer_is_no_proof(api, browser, provider):
    page = browser()
    address = await leave(page, provider)
    other = address.replace(parse_qs(urlsplit(address).query)["nonce"][0], "another")
    answer, _ = await come_back(page, other, "3")
    assert answer.headers["location"] == "/?sign-in=refused"
    client = api.state.oidc._client
    real = client.send

    async def resigned(request, **more):
        response = await real(request, **more)
        if request.url.path.endswith("/token"):
            body = json.loads(await response.aread())
            head, payload, _ = body["id_token"].split(".")
            body["id_token"] = f"{head}.{payload}.{'A' * 342}"
            return httpx.Response(200, json=body, request=request)
        return response

    client.send = resigned
    assert await sign_in(page, provider, "3") == "/?sign-in=refused"
    client.send = real
    assert await sign_in(page, provider, "3") == "/"


async def test_a_provider_that_is_away_or_odd_keeps_nobody_else_out(admin, api, browser, provider):
    await admin.post("/v1/users", json={"name": "Local", "role": "viewer", "password": PASSWORD})
    page = browser()
    client = api.state.oidc._client
    real = client.send
    answers = [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"issuer": "https://elsewhere"}),
        httpx.Response(200, json=[1]),
        httpx.Response(200, content=b" " * 600_000),
    ]

    async def odd(request, **_):
        answer = answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content, request=request)

    client.send = odd
    while answers:
        api.state.oidc._metadata = None
        assert (await page.get("/v1/sign-in/oidc")).headers["location"] == "/?sign-in=unavailable"
        assert (await page.get("/v1/sign-in/oidc/out")).headers["location"] == "/"
        answers.pop(0)
    client.send = real
    signed_in = await page.post("/v1/sign-in", json={"name": "local", "password": PASSWORD})
    assert signed_in.status_code == 200
    config = (await page.get("/ui/config.json")).json()
    assert config["sign_in_with"] == urlsplit(provider).netloc
