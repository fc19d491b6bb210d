"""What proves a delivery: pictures and codes, for whom it is asked, and who sees it."""

import io
from dataclasses import replace
from uuid import uuid4

import asyncpg
from PIL import Image

from app.commands.forgetting import Forgetting, Retention
from app.pictures.keeping import PictureKeeping
from app.pictures.store import PictureStore
from app.web.auth import Role
from tests.acceptance.test_orders import town  # noqa: F401 - fixture

PAGE = {"Accept": "text/html"}


def photo(colour="red"):
    file = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(file, "JPEG")
    return file.getvalue()


async def at_the_door(town, **facts):  # noqa: F811
    """An order on board, its courier's phone, and the recipient's link."""
    courier_id, phone = await town.hire("Ana")
    order = await town.place(**facts)
    link = (await town.staff.post(f"/v1/orders/{order['id']}/share")).json()["url"]
    given = {"courier_id": courier_id, "reason": "test"}
    assert (await town.staff.post(f"/v1/orders/{order['id']}/reassign", json=given)).status_code == 200
    await phone.post(f"/v1/offers/{await town.offered(phone, order['id'])}/accept")
    assert (await phone.post(f"/v1/orders/{order['id']}/picked-up")).status_code == 200
    return f"/v1/orders/{order['id']}", courier_id, phone, link


async def ask_for(admin, **proof):
    answer = await admin.patch("/v1/regions/default", json={"settings": {"proof": proof}})
    assert answer.status_code == 200, answer.text


async def test_a_region_asks_for_proof_and_everybody_sees_their_part_of_it(town, admin, client_of):  # noqa: F811
    await ask_for(admin, photo=True, name=True, code="always")
    order, courier_id, phone, link = await at_the_door(town)
    viewer, stranger = await client_of(Role.VIEWER), await client_of(Role.COURIER, courier=(await town.hire("Rui"))[0])
    [door] = (await phone.get(f"/v1/couriers/{courier_id}/route")).json()["stops"]
    assert door["proof"] == ["photo", "name", "code"]
    code = (await viewer.get(link)).json()["code"]
    assert code in (await viewer.get(link, headers=PAGE)).text
    assert (await town.staff.get(f"{order}/proof")).json()["code"] == code
    assert "code" not in {k for k, v in (await viewer.get(f"{order}/proof")).json().items() if v}

    refused = (await phone.post(f"{order}/delivered", json={"name": "Rita"})).json()
    assert (refused["code"], refused["missing"]) == ("proof-missing", ["photo", "code"])
    picture = str(uuid4())
    path = f"{order}/pictures/{picture}"
    assert (await stranger.put(path, content=photo())).status_code == 403
    not_one = await phone.put(path, content=b"<svg/>")
    assert (not_one.status_code, not_one.json()["code"]) == (400, "bad-input")
    for _ in range(2):  # sent again, for the answer was lost
        assert (await phone.put(path, content=photo())).status_code == 200
    said = {"name": "Rita", "code": f" {code} ", "photo": picture}
    done = await phone.post(f"{order}/delivered", json=said)
    assert (done.status_code, done.json()["state"]) == (200, "delivered")

    [shown] = (await viewer.get(f"{order}/proof")).json()["pictures"]
    nobody = await client_of(Role.VIEWER)
    nobody.headers.pop("Authorization")
    seen = await nobody.get(shown["url"])
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(seen.content)).size == (640, 480)
    assert (await nobody.get(shown["url"].replace("sign=", "sign=0"))).status_code == 404
    page = (await nobody.get(link, headers=PAGE)).text
    assert shown["url"].replace("&", "&amp;") in page
    assert code not in page
    await admin.patch("/v1/regions/default", json={"settings": {"recipient": {"may_see_proof": False}}})
    assert "/pictures/" not in (await nobody.get(link, headers=PAGE)).text


async def test_wrong_codes_are_counted_and_a_dispatcher_decides(town, client_of):  # noqa: F811
    order, _, phone, _ = await at_the_door(town, code="AB12")
    left = []
    for _ in range(6):
        answer = (await phone.post(f"{order}/delivered", json={"code": "AB13"})).json()
        left.append((answer["code"], answer["attempts_left"]))
    assert left == [("code-wrong", n) for n in (4, 3, 2, 1, 0, 0)]
    right = await phone.post(f"{order}/delivered", json={"code": "ab12"})
    assert (right.status_code, right.json()["code"]) == (409, "code-wrong")
    support = await client_of(Role.SUPPORT)
    assert (await support.post(f"{order}/code", json={"code": "new9"})).json() == {"code": "NEW9"}
    assert (await support.get(f"{order}/proof")).json()["attempts_left"] == 5
    without = {"unproved": "the recipient has no phone"}
    assert (await phone.post(f"{order}/delivered", json=without)).status_code == 400
    assert (await town.staff.post(f"{order}/delivered", json={})).json()["code"] == "proof-missing"
    assert (await town.staff.post(f"{order}/delivered", json=without)).json()["state"] == "delivered"
    events = (await town.staff.get(f"{order}/events")).json()["items"]
    assert [event["facts"] for event in events if event["action"] == "delivered"] == [without]


async def test_an_order_has_a_bounded_number_of_pictures(town):  # noqa: F811
    order, _, phone, _ = await at_the_door(town)
    answers = [(await phone.put(f"{order}/pictures/{uuid4()}", content=photo())).status_code for _ in range(13)]
    assert answers == [200] * 12 + [409]


async def test_pictures_move_to_their_store_and_leave_it_with_their_order(town, client_of, settings, tmp_path):  # noqa: F811
    order, _, phone, _ = await at_the_door(town)
    ids = [str(uuid4()) for _ in range(2)]
    for one in ids:
        await phone.put(f"{order}/pictures/{one}?kind=signature", content=photo())
    assert (await phone.post(f"{order}/delivered")).status_code == 200
    async with asyncpg.create_pool(settings.database_url, min_size=0, max_size=3) as pool:
        folder = tmp_path / "pictures"
        store = PictureStore.of(replace(settings, pictures=str(folder)))
        keeping = PictureKeeping(pool, store)
        (tmp_path / "pictures" / ids[0]).mkdir(parents=True)  # one that cannot be stored keeps no other
        assert await keeping.once() is False
        (tmp_path / "pictures" / ids[0]).rmdir()
        assert await keeping.once() is True
        assert {path.name for path in folder.iterdir()} == set(ids)
        assert await pool.fetchval("SELECT count(*) FROM order_pictures WHERE content IS NOT NULL") == 0
        await pool.execute(
            "UPDATE orders SET closed_at = now() - interval '99 days', placed_at = now() - interval '99 days'"
        )
        await pool.execute("UPDATE order_pictures SET stored_at = now() - interval '99 days'")
        await Forgetting(pool, Retention.of(settings)).once()
        await keeping.once()
        assert list(folder.iterdir()) == []
        assert await pool.fetchval("SELECT count(*) FROM pictures_gone") == 0
