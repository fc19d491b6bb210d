"""OAuth 2.0 for companies' own programs: a client's token for an hour, and a courier's app by a code."""

from app.web import device_codes
from app.web.auth import Role
from tests.waiting import until


async def test_a_service_gets_a_token_that_ends_and_nobody_else_does(admin, client_of, api):
    made = (await admin.post("/v1/tokens", json={"role": "service", "name": "shop"})).json()
    staff = (await admin.post("/v1/tokens", json={"role": "admin", "name": "boss"})).json()
    program = await client_of(Role.VIEWER)
    program.headers.pop("Authorization")
    described = (await program.get("/.well-known/oauth-authorization-server")).json()
    assert described["token_endpoint"].endswith("/oauth/token")
    form = {"grant_type": "client_credentials", "client_id": made["id"], "client_secret": made["token"]}
    given = await program.post("/oauth/token", data=form)
    assert (given.status_code, given.headers["cache-control"]) == (200, "no-store")
    assert given.json()["token_type"] == "Bearer"
    assert 3500 < given.json()["expires_in"] <= 3600
    bearer = {"Authorization": f"Bearer {given.json()['access_token']}"}
    assert (await program.get("/v1/me", headers=bearer)).json()["role"] == "service"
    by_basic = await program.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=("shop", made["token"])
    )
    assert by_basic.status_code == 200
    for wrong in (
        {"client_secret": "nonsense"},
        {"client_id": "another"},
        {"client_id": staff["id"], "client_secret": staff["token"]},
        {"client_secret": given.json()["access_token"]},
    ):
        refused = await program.post("/oauth/token", data=form | wrong)
        assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    for body, error in ((b"", "invalid_request"), (b"grant_type=password", "unsupported_grant_type")):
        refused = await program.post("/oauth/token", content=body)
        assert (refused.status_code, refused.json()) == (400, {"error": error})


async def test_a_couriers_app_gets_a_token_by_a_code_that_the_courier_confirms(admin, client_of, monkeypatch):
    monkeypatch.setattr(device_codes, "INTERVAL_S", 1)
    ana = (await admin.post("/v1/couriers", json={"name": "Ana", "mode": "car"})).json()["id"]
    phone, app = await client_of(Role.COURIER, courier=ana), await client_of(Role.VIEWER)
    app.headers.pop("Authorization")
    asked = (await app.post("/oauth/device_authorization")).json()
    assert asked["verification_uri_complete"].endswith(f"/courier?connect={asked['user_code']}")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": asked["device_code"]}

    async def poll():
        return (await app.post("/oauth/token", data=form)).json()

    assert await poll() == {"error": "authorization_pending"}
    assert await poll() == {"error": "slow_down"}
    assert (await phone.post("/v1/me/devices", json={"user_code": "BCDF-BCDF"})).status_code == 404
    shown = asked["user_code"].lower().replace("-", " ")
    assert (await phone.post("/v1/me/devices", json={"user_code": shown})).status_code == 204
    assert (await phone.post("/v1/me/devices", json={"user_code": shown})).status_code == 404

    async def given():
        return (await poll()).get("access_token")

    token = await until(given)
    me = (await app.get("/v1/me", headers={"Authorization": f"Bearer {token}"})).json()
    assert (me["role"], me["courier_id"]) == ("courier", ana)

    async def over():
        return (await poll())["error"] == "expired_token"

    await until(over)
    support = await client_of(Role.SUPPORT)
    other = (await app.post("/oauth/device_authorization")).json()["user_code"]
    assert (await support.post(f"/v1/couriers/{ana}/devices", json={"user_code": other})).status_code == 204
