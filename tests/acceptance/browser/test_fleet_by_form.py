"""A dispatcher hires a courier by form, says when the courier works, and connects the phone."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.acceptance.browser.conftest import AXE, VIOLATIONS, jump, patient, show


def test_dispatcher_hires_a_courier_gives_shifts_and_an_invitation(browser, world):
    context = patient(browser, viewport={"width": 1000, "height": 600}, reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    page.goto(f"{world.url}/#token={world.token}")
    name = f"Vera {uuid4().hex[:6]}"
    page.get_by_role("button", name="New courier").click()
    add = page.get_by_role("button", name="Add the courier")
    expect(add).to_be_disabled()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("combobox", name=re.compile("^Transport")).select_option("car")
    page.get_by_label("Phone", exact=True).fill("+351 900 123 456")
    page.get_by_label("Weight, kg").fill("12.5")
    page.get_by_label("Skills").fill("cold box, cash")
    page.get_by_label("Home: latitude").fill("41.15, -8.61")
    add.click()
    expect(page.get_by_role("heading", name=f"Edit {name}")).to_be_visible()
    [made] = world.client.get("/v1/couriers", params={"q": name}).json()["items"]
    assert (made["mode"], made["skills"], made["capacity"][1]) == ("car", ["cold box", "cash"], 12_500)
    assert (made["home"], made["attributes"]) == ({"lat": 41.15, "lon": -8.61}, {"phone": "+351 900 123 456"})

    expect(page.get_by_text("No shifts ahead.")).to_be_visible()
    page.get_by_label("From", exact=True).fill("2036-05-05T08:00")
    page.get_by_label("To", exact=True).fill("2036-05-05T16:00")
    page.get_by_label("With a break").check()
    page.get_by_label("Break not before").fill("2036-05-05T11:00")
    page.get_by_label("Break not after").fill("2036-05-05T13:00")
    every_week = page.get_by_role("group", name="Every week on")
    every_week.get_by_role("button", name="Mon").click()
    every_week.get_by_role("button", name="Tue").click()
    page.get_by_label("Weeks").fill("2")
    page.get_by_role("button", name="Add the shift").click()
    expect(page.get_by_text("4 shifts added")).to_be_visible()
    url = f"/v1/couriers/{made['id']}/shifts"
    assert [len(shift["breaks"]) for shift in world.client.get(url).json()["items"]] == [1, 1, 1, 1]
    page.get_by_role("button", name="This and the following").nth(1).click()
    expect(page.get_by_role("button", name="This and the following")).to_have_count(1)

    page.get_by_role("button", name="Make an invitation").click()
    expect(page.get_by_role("textbox", name="The courier’s phone")).to_have_value(re.compile(f"^{world.url}/join/"))
    page.add_script_tag(path=AXE)
    assert page.evaluate(VIOLATIONS) == []

    world.client.patch(f"/v1/couriers/{made['id']}", json={"max_orders": 7}).raise_for_status()
    page.get_by_label("Name", exact=True).fill(f"{name} B")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("form [role=alert]").first).to_contain_text("Somebody else has changed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=f"Edit {name} B")).to_be_visible()
    show(page, "test_dispatcher_hires_a_courier_gives_shifts_and_an_invitation")
    context.close()


@pytest.mark.with_map
def test_area_is_drawn_corner_by_corner_changed_as_text_and_removed(page, world):
    name = f"Zone {uuid4().hex[:6]}"
    page.get_by_role("button", name="Areas").click()
    page.get_by_role("button", name="New area").click()
    page.get_by_label("Name of the area").fill(name)
    save = page.get_by_role("button", name="Save the area")
    page.wait_for_function("() => window.__map && window.__map.getLayer('couriers')")
    jump(page, 41.15, -8.584, 12)
    page.get_by_role("button", name="Draw on the map").click()
    box = page.locator(".map").bounding_box()
    assert box is not None
    for n, (lat, lon) in enumerate(((41.14, -8.63), (41.16, -8.63), (41.16, -8.61)), 1):
        expect(save).to_be_disabled()
        x, y = page.evaluate(
            "([lat, lon]) => { const p = window.__map.project([lon, lat]); return [p.x, p.y] }", [lat, lon]
        )
        page.mouse.click(box["x"] + x, box["y"] + y)
        expect(page.get_by_text(f"{n} corner")).to_be_visible()
    expect(page.locator(".maplibregl-marker")).to_have_count(3)
    save.click()
    expect(page.get_by_text("Area saved")).to_be_visible()

    def found() -> list[dict]:
        fences = world.client.get("/v1/geofences?limit=1000").json()["items"]
        return [fence for fence in fences if fence["name"] == name]

    [fence] = found()
    assert all(abs(lat - 41.15) < 0.02 and abs(lon + 8.62) < 0.02 for lon, lat in fence["geometry"]["coordinates"][0])
    page.get_by_role("button", name=f"Change {name}").click()
    shape = page.get_by_label("Shape as GeoJSON")
    shape.fill("no shape")
    expect(page.get_by_text("Not a GeoJSON")).to_be_visible()
    shape.fill('{"type":"Polygon","coordinates":[[[-8.6,41.1],[-8.5,41.1],[-8.5,41.2],[-8.6,41.1]]]}')
    save.click()
    expect(page.get_by_text("Area saved")).to_be_visible()
    [changed] = found()
    assert (changed["id"], changed["geometry"]["coordinates"][0][0]) == (fence["id"], [-8.6, 41.1])
    # Somebody else was faster: said, and whoever has read it may go on.
    page.get_by_role("button", name=f"Change {name}").click()
    world.client.patch(f"/v1/geofences/{fence['id']}", json={"tags": ["theirs"]}).raise_for_status()
    page.get_by_label("Tags").fill("ours")
    save.click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else")
    save.click()
    expect(page.get_by_text("Area saved")).to_be_visible()
    assert [fence["tags"] for fence in found()] == [["ours"]]
    page.get_by_role("button", name=f"Remove {name}").click()
    expect(page.get_by_text("Area removed")).to_be_visible()
    assert found() == []
