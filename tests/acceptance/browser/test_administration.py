"""Administration on the page: people, tokens, the audit log, regions, webhooks, what is kept, and what check says."""

import re
from datetime import datetime

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.browser.conftest import AXE, GO, VIOLATIONS, World, patient, show
from tests.waiting import wait_until


@pytest.fixture
def page(browser: Browser, world: World):
    """An administrator's; it goes round the page's policy, for the checker of accessibility is put into it."""
    context = patient(
        browser,
        viewport={"width": 1000, "height": 760},
        reduced_motion="reduce",
        bypass_csp=True,
        accept_downloads=True,
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{world.url}/#token={world.token}")
    yield page
    context.close()
    assert problems == []


def open_administration(page: Page):
    page.get_by_role("button", name=re.compile("^You: .")).click()
    page.get_by_role("button", name="Administration").click()
    return page.get_by_role("dialog", name="Administration")


def go(admin, section: str) -> None:
    admin.get_by_role("button", name=section, exact=True).click()
    expect(admin.get_by_role("heading", name=section)).to_be_visible()


def assert_clean(page: Page, name: str) -> None:
    """Wide and narrow, light and dark: nothing that keeps somebody out, and nothing beyond the edge."""
    page.add_script_tag(path=str(AXE))
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        assert page.evaluate(VIOLATIONS) == [], (name, theme)
        show(page, f"admin-{name}-{theme}")
    page.set_viewport_size({"width": 390, "height": 800})
    body = page.locator("dialog .body")
    assert body.evaluate("it => it.scrollWidth <= it.clientWidth"), f"{name}: wider than a phone"
    show(page, f"admin-{name}-phone")
    page.set_viewport_size({"width": 1000, "height": 760})
    page.evaluate("document.documentElement.dataset.theme = 'light'")


def test_people_are_added_changed_kept_out_and_helped_and_all_of_it_is_on_record(page, world):
    admin = open_administration(page)
    admin.get_by_role("button", name="Add a person").click()
    admin.get_by_label("Name", exact=True).fill("Nora")
    admin.get_by_label("Role").select_option("support")
    admin.get_by_label("Partner").fill("acme")
    admin.get_by_role("button", name="Add", exact=True).click()
    address = admin.get_by_label("An address for Nora")
    expect(address).to_have_value(re.compile("#code="))
    nora = admin.get_by_role("listitem").filter(has_text="Nora").first
    expect(nora).to_contain_text("partner acme")
    expect(nora).to_contain_text("invited")
    assert world.client.post("/v1/users", json={"name": "nora", "role": "viewer"}).status_code == 409
    nora.get_by_role("button", name="Change: Nora").click()
    nora.get_by_label("Role").select_option("dispatcher")
    nora.get_by_role("button", name="Save").click()
    expect(nora).to_contain_text("dispatcher · ")  # and not the choice of the same name
    # Somebody else is faster: the page says so, and goes on from what they wrote.
    (known,) = [one for one in world.client.get("/v1/users").json()["items"] if one["name"] == "Nora"]
    world.client.patch(f"/v1/users/{known['id']}", json={"role": "viewer"}).raise_for_status()
    nora.get_by_label("May not come in").check()
    nora.get_by_role("button", name="Save").click()
    expect(nora.get_by_role("alert")).to_contain_text("changed")
    page.reload()
    admin = page.get_by_role("dialog", name="Administration")
    nora = admin.get_by_role("listitem").filter(has_text="Nora").first
    nora.get_by_role("button", name="Change: Nora").click()
    nora.get_by_label("May not come in").check()
    nora.get_by_role("button", name="Save").click()
    expect(nora).to_contain_text("disabled")
    nora.get_by_role("button", name="Reset password").click()
    nora.get_by_role("button", name="Yes, do it").click()
    expect(nora.get_by_label("An address for Nora")).to_have_value(re.compile("#code="))
    assert_clean(page, "people")
    nora.get_by_role("button", name="Remove").click()
    nora.get_by_role("button", name="Yes, do it").click()
    expect(admin.get_by_role("status").filter(has_text="Nora was removed")).to_be_visible()
    expect(nora).to_have_count(0)

    go(admin, "Tokens")
    admin.get_by_role("button", name="Make a token").click()
    admin.get_by_label("What it is for").fill("the shop")
    admin.get_by_role("button", name="Make", exact=True).click()
    expect(admin.get_by_label("The token “the shop”:")).to_have_value(re.compile("^pr_s_"))
    admin.get_by_label("Kind").select_option("service")
    shop = admin.get_by_role("listitem").filter(has_text="the shop")
    shop.get_by_role("button", name="Revoke").click()
    shop.get_by_role("button", name="Yes, do it").click()
    expect(shop).to_have_count(0)
    admin.get_by_label("Only those that work").uncheck()
    expect(shop).to_contain_text("revoked")
    assert_clean(page, "tokens")

    go(admin, "Audit log")
    admin.get_by_label("What was done").fill("user.remove")
    admin.get_by_role("button", name="Find").click()
    expect(admin.get_by_role("row").filter(has_text="user.remove")).to_have_count(1)
    expect(admin.get_by_role("row").filter(has_text="token.revoke")).to_have_count(0)
    admin.get_by_text("Details", exact=True).last.click()
    expect(admin.get_by_role("row").filter(has_text="Nora")).to_be_visible()
    with page.expect_download() as download:
        admin.get_by_role("link", name="As CSV").click()
    assert download.value.path().read_text().count("user.remove") == 1
    assert_clean(page, "audit")
    page.keyboard.press("Escape")
    expect(admin).to_be_hidden()
    assert "open=" not in page.url


def test_a_region_is_set_and_systems_and_persons_are_looked_after(page, world):
    gone = world.courier("Zora Quandt")
    admin = open_administration(page)
    go(admin, "Regions")
    admin.get_by_role("button", name="Add a region").click()
    admin.get_by_label("Short name").fill("mars")
    admin.get_by_label("Time zone").fill("Mars/Olympus")
    admin.get_by_role("button", name="Add", exact=True).click()
    expect(admin.get_by_role("alert")).to_contain_text("/timezone")
    admin.get_by_role("button", name="Cancel").click()
    admin.get_by_role("button", name=re.compile("^Settings: ")).click()
    admin.get_by_text("Alerts", exact=True).click()
    late = admin.get_by_label("late_after_s", exact=True)
    late.fill("-5")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_text(re.compile("[Ee]xpected")).first).to_be_visible()
    expect(late).to_have_attribute("aria-invalid", "true")
    expect(late).to_be_focused()
    late.fill("77")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("status")).to_have_text("Saved.")
    region = world.client.get("/v1/regions").json()["items"][0]
    assert region["settings"]["alerts"]["late_after_s"] == 77
    assert_clean(page, "regions")
    url = f"/v1/regions/{region['name']}"
    world.client.patch(url, json={"settings": {"alerts": {"late_after_s": 88}}}).raise_for_status()
    late.fill("99")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("alert")).to_contain_text("Somebody else changed it meanwhile")
    expect(late).to_have_value("88")
    late.fill("")
    admin.get_by_role("button", name="Save").click()
    expect(admin.get_by_role("status")).to_have_text("Saved.")
    assert "late_after_s" not in world.client.get(url).json()["settings"].get("alerts", {})

    world.roles.start("gateway")
    go(admin, "Webhooks")
    admin.get_by_role("button", name="Add a webhook").click()
    admin.get_by_label("Address").fill("https://hooks.invalid/postrider")
    admin.get_by_label("Events, separated").fill("postrider.order.*, postrider.nonsense")
    admin.get_by_role("button", name="Add", exact=True).click()
    expect(admin.get_by_label("Events, separated")).to_have_attribute("aria-invalid", "true")
    admin.get_by_label("Events, separated").fill("postrider.order.*")
    admin.get_by_role("button", name="Add", exact=True).click()
    secret = admin.get_by_label("The secret that signs what is sent:")
    expect(secret).to_have_value(re.compile("^whsec_"))
    first = secret.input_value()
    hook = admin.get_by_role("listitem").filter(has_text="hooks.invalid").first
    hook.get_by_role("button", name="Send a test").click()
    delivery = hook.get_by_role("list", name="Deliveries").get_by_role("listitem").first
    expect(delivery).to_contain_text("postrider.test")
    delivery.get_by_text("What was sent").click()
    expect(delivery).to_contain_text('"specversion"')
    delivery.get_by_role("button", name="Send again").click()
    expect(hook.get_by_role("status")).to_have_text("It is on its way again.")
    hook.get_by_role("button", name="New secret").click()
    expect(secret).not_to_have_value(first)
    hook.get_by_role("button", name="Turn off").click()
    expect(hook.get_by_role("button", name="Turn on")).to_be_visible()
    assert_clean(page, "webhooks")
    hook.get_by_role("button", name="Delete").click()
    hook.get_by_role("button", name="Yes, do it").click()
    expect(hook).to_have_count(0)
    world.roles.kill("gateway")

    go(admin, "Messages")
    admin.get_by_role("button", name="Add a channel").click()
    admin.get_by_label("Address of the service").fill("nonsense://here")
    admin.get_by_role("button", name="Add", exact=True).click()
    expect(admin.get_by_label("Address of the service")).to_have_attribute("aria-invalid", "true")
    admin.get_by_label("Address of the service").fill("json://127.0.0.1:9/night")
    admin.get_by_label("Late", exact=True).check()
    admin.get_by_label("What it is for").fill("the night desk")
    admin.get_by_label("From", exact=True).fill("22:00")
    admin.get_by_label("To", exact=True).fill("06:00")
    admin.get_by_label("Only what nobody acknowledged").fill("5")
    assert_clean(page, "channel-form")
    admin.get_by_role("button", name="Add", exact=True).click()
    channel = admin.get_by_role("listitem").filter(has_text="the night desk")
    expect(channel).to_contain_text("quiet 22:00–06:00")
    expect(channel).to_contain_text("after 5 minutes")
    (made,) = [one for one in world.client.get("/v1/channels").json()["items"] if "night" in one["description"]]
    assert (made["kinds"], made["after_s"], made["quiet"]) == (["late"], 300, {"from": "22:00", "to": "06:00"})
    channel.get_by_role("button", name="Send a test").click()
    expect(admin.get_by_role("alert")).to_contain_text("The test did not go out")  # it is no public address
    assert_clean(page, "channels")
    channel.get_by_role("button", name="Change").click()
    admin.get_by_label("From", exact=True).fill("")
    admin.get_by_label("To", exact=True).fill("")
    admin.get_by_label("Only what nobody acknowledged").fill("7")
    channel.get_by_role("button", name="Save").click()
    expect(channel).to_contain_text("after 7 minutes")
    expect(channel).not_to_contain_text("quiet")
    channel.get_by_role("button", name="Delete").click()
    channel.get_by_role("button", name="Yes, do it").click()
    expect(channel).to_have_count(0)

    go(admin, "Pay")
    admin.get_by_label("Rules (YAML)").fill("currency: EUR\nrules:\n  - {id: base, kind: amount, amount: 2.805}")
    admin.get_by_role("button", name="Put in force").click()
    expect(admin.get_by_role("alert")).to_contain_text("line 3, column 38: expected at most 2 digits")
    admin.get_by_label("Rules (YAML)").fill("currency: EUR\nrules:\n  - {id: base, kind: amount, amount: 2.80}")
    admin.get_by_role("button", name="What would it have brought?").click()
    expect(admin.get_by_role("row").filter(has_text="All together")).to_contain_text("€0.00")
    admin.get_by_role("button", name="Put in force").click()
    expect(admin.get_by_role("status")).to_contain_text("In force.")
    admin.get_by_label("Courier (name or id)").fill(gone)
    admin.get_by_role("button", name="Look").click()
    expect(admin.get_by_text("Total: €0.00")).to_be_visible()
    assert_clean(page, "pay")

    go(admin, "Privacy")
    expect(admin.get_by_text("POSTRIDER_RETENTION_RAW_DAYS")).to_be_visible()
    admin.get_by_label("Name, e-mail address or phone number").fill("Nobody Known")
    admin.get_by_role("button", name="Find").click()
    expect(admin.get_by_text("Nothing is held of that contact.")).to_be_visible()
    admin.get_by_label("Courier (name or id").fill("nobody")
    admin.get_by_role("button", name="Look").click()
    expect(admin.get_by_role("alert")).to_contain_text("No courier of the region")
    admin.get_by_label("Courier (name or id").fill(gone)
    admin.get_by_role("button", name="Look").click()
    expect(admin.get_by_role("row").filter(has_text="the courier")).to_contain_text("stays without a name")
    with page.expect_download() as download:
        admin.get_by_role("link", name="Export everything").click()
    assert "Zora Quandt" in download.value.path().read_text()
    assert_clean(page, "privacy")
    erase = admin.get_by_role("button", name="Erase")
    expect(erase).to_be_disabled()
    admin.get_by_label(re.compile("^Type “")).fill(admin.locator("caption").inner_text())
    erase.click()
    expect(admin.get_by_role("status")).to_contain_text("Erased.")
    assert world.client.get(f"/v1/couriers/{gone}").status_code == 404

    go(admin, "Health check")
    expect(admin.get_by_role("listitem").filter(has_text="schema")).to_contain_text("good")
    assert_clean(page, "check")


def test_a_place_is_made_by_form_and_says_at_its_counter_how_far_it_is(page, browser, world):
    admin = open_administration(page)
    go(admin, "Places")
    admin.get_by_role("button", name="Add a place").click()
    admin.get_by_label("Name", exact=True).fill("Adega Nova")
    admin.get_by_label("Where it is: address").fill("41.1496, -8.6109")
    admin.get_by_label("Where it is: phone").fill("+351 200 000 000")
    admin.get_by_role("button", name="Add hours").click()
    admin.get_by_label("To", exact=True).fill("10:00")
    admin.get_by_role("button", name="Add a recipe").click()
    admin.get_by_label("What", exact=True).fill("Bacalhau")
    admin.get_by_label("Minutes", exact=True).fill("20")
    admin.get_by_role("button", name="Add", exact=True).click()
    expect(admin.get_by_role("alert")).to_contain_text("/hours")
    assert_clean(page, "place-form")
    admin.get_by_role("button", name="Take away: 10:00–10:00").click()
    admin.get_by_role("button", name="Add", exact=True).click()
    adega = admin.get_by_role("listitem").filter(has_text="Adega Nova")
    expect(adega).to_contain_text("1 recipe")
    (place,) = [one for one in world.client.get("/v1/places").json()["items"] if one["name"] == "Adega Nova"]
    assert (place["hours"], place["recipes"]) == ([], [{"item": "Bacalhau", "minutes": 20}])
    adega.get_by_role("button", name="Change").click()
    # Somebody else is faster: the form goes on from what they wrote.
    url = f"/v1/places/{place['id']}"
    world.client.patch(url, json={"max_queue": 9}).raise_for_status()
    adega.get_by_label("Made at the same time").fill("4")
    adega.get_by_role("button", name="Save").click()
    expect(adega.get_by_role("alert")).to_contain_text("Somebody else changed it meanwhile")
    expect(adega.get_by_label("Most that wait")).to_have_value("9")
    adega.get_by_label("Made at the same time").fill("2")
    adega.get_by_role("button", name="Save").click()
    expect(adega).to_contain_text("2 at the same time")
    adega.get_by_role("button", name="Pause 30 min").click()
    expect(adega).to_contain_text("paused until")
    adega.get_by_role("button", name="Go on").click()
    expect(adega).not_to_contain_text("paused until")
    adega.get_by_role("button", name="Invite its tablet").click()
    link = admin.get_by_label("Opens the page of Adega Nova").input_value()
    assert_clean(page, "places")

    context = patient(
        browser,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        reduced_motion="reduce",
        bypass_csp=True,
        locale="en-GB",
    )
    tablet = context.new_page()
    problems: list[str] = []
    tablet.on("pageerror", lambda error: problems.append(str(error)))
    tablet.goto(link)
    tablet.get_by_role("button", name="Open the page").click()
    expect(tablet.get_by_role("heading", name="Nothing to prepare")).to_be_visible()
    lines = [{"item": "Bacalhau", "quantity": 2}, {"item": "Caldo verde", "quantity": 1}]
    body = {"pickup": {"place_id": place["id"]}, "dropoff": {"lat": 41.1579, "lon": -8.6291}}
    first, second = (
        world.client.post("/v1/orders", json=body | facts).raise_for_status().json()["id"]
        for facts in ({"external_id": "first", "lines": lines}, {"external_id": "second"})
    )
    task = tablet.get_by_role("article", name="Order first")
    expect(task).to_contain_text("2 × Bacalhau")  # without being asked
    part = tablet.get_by_role("region", name=re.compile("^Being made"))
    start = task.get_by_role("button", name="Start")
    start.focus()
    tablet.keyboard.press("Enter")
    expect(part.get_by_role("article", name="Order first")).to_be_focused()
    tablet.keyboard.press("Tab")
    tablet.keyboard.press("Tab")
    expect(task.get_by_role("button", name="Later")).to_be_focused()
    tablet.keyboard.press("Enter")
    before = datetime.fromisoformat(told(world, place, first)["ends_at"])
    task.get_by_role("button", name="+10 min").click()
    wait_until(lambda: datetime.fromisoformat(told(world, place, first)["ends_at"]) > before)
    other = tablet.get_by_role("article", name="Order second")
    other.get_by_role("button", name="Problem").click()
    other.get_by_role("button", name="Out of stock").click()
    expect(tablet.get_by_role("region", name=re.compile("^Cannot be made"))).to_contain_text("Out of stock")
    wait_until(lambda: told(world, place, second)["problem"] == "Out of stock")

    expect(tablet.get_by_role("status")).to_have_text("Connected")
    context.set_offline(True)
    expect(tablet.get_by_role("status")).to_contain_text("No network")
    task.get_by_role("button", name="Ready").click()
    expect(tablet.get_by_role("region", name=re.compile("^Ready to collect"))).to_contain_text("first")
    expect(tablet.get_by_role("status")).to_contain_text("1 word to send")
    assert told(world, place, first)["state"] == "started"
    tablet.add_script_tag(content=AXE.read_text())
    assert tablet.evaluate(VIOLATIONS) == []
    context.set_offline(False)
    wait_until(lambda: told(world, place, first)["state"] == "ready")
    expect(tablet.get_by_role("status")).to_have_text("Connected")
    assert tablet.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "wider than a phone"
    show(tablet, "place-phone")
    tablet.set_viewport_size({"width": 1024, "height": 768})
    tablet.emulate_media(color_scheme="dark")
    tablet.get_by_label("Language").select_option("ru")
    expect(tablet.get_by_role("region", name=re.compile("^Готово к выдаче"))).to_contain_text("2 × Bacalhau")
    assert tablet.evaluate(VIOLATIONS) == []
    show(tablet, "place-russian-dark")

    page.goto(f"{world.url}/?tab=orders&order={first}")
    expect(page.get_by_role("region", name=re.compile("^Order "))).to_contain_text("Adega Nova: ready since")
    show(page, "order-at-a-place")
    world.cancel_orders()
    assert world.client.delete(url).status_code == 204
    expect(tablet.get_by_role("heading", name="Это устройство пока не подключено к точке")).to_be_visible()
    context.close()
    assert problems == []


def test_goods_are_received_counted_and_approved_and_what_happened_stands_there(page, world):
    facts = {"lat": 41.1496, "lon": -8.6109}
    place, other = (world.client.post("/v1/places", json=facts | {"name": n}).json() for n in ("Adega", "Armazém"))
    admin = open_administration(page)
    go(admin, "Goods")
    admin.get_by_label("Place").select_option(place["id"])
    admin.get_by_role("button", name="Keep stock of something new").click()
    form = admin.get_by_role("form", name="Keep stock")
    form.get_by_label("Code").fill("cola")
    form.get_by_label("Name", exact=True).fill("Cola 0,33")
    form.get_by_label("GTIN").fill("9506000134353")
    form.get_by_role("button", name="Keep stock of it").click()
    expect(form.get_by_role("alert")).to_contain_text("check digit")
    form.get_by_label("GTIN").fill("9506000134352")
    form.get_by_role("button", name="Keep stock of it").click()

    booking = admin.get_by_role("form", name="Book goods")

    def book(kind, **fields):
        admin.get_by_role("button", name="Book goods").click()
        booking.get_by_label("What happened").select_option(kind.lower())
        booking.get_by_label("Goods").select_option("cola")
        for label, text in fields.items():
            booking.get_by_label(label.replace("_", " ")).fill(text)

    book("Receive", How_much="12", Lot="L1", Best_before="2030-01-31")
    booking.get_by_role("button", name="Receive", exact=True).click()
    balances = admin.get_by_role("group", name="What there is")
    expect(balances.get_by_role("row", name=re.compile("^Cola 0,33 12"))).to_contain_text(
        "12 · lot L1 · best before Jan 31, 2030"
    )
    book("Move", How_much="20")
    booking.get_by_label(re.compile("^To")).select_option(other["id"])
    booking.get_by_role("button", name="Move", exact=True).click()
    expect(booking.get_by_role("alert")).to_contain_text("There is not as much")
    assert_clean(page, "goods-form")
    booking.get_by_label("How much").fill("2")
    booking.get_by_role("button", name="Move", exact=True).click()
    expect(balances.get_by_role("row", name=re.compile("^Cola 0,33 10"))).to_be_visible()

    counts = admin.get_by_role("list", name="Counts")
    for found, decision, state in (("7", "Approve", "approved"), ("99", "Reject", "rejected")):
        admin.get_by_role("button", name="Count goods").click()
        admin.get_by_label("Cola 0,33 (pieces)").fill(found)
        admin.get_by_role("button", name="Tell the count").click()
        count = counts.get_by_role("listitem").filter(has_text=f"counted {found},").first
        expect(count).to_contain_text("to decide")
        assert_clean(page, "goods")
        count.get_by_label("Reason").fill("looked twice")
        count.get_by_role("button", name=decision).click()
        expect(count).to_contain_text(state)
        expect(balances.get_by_role("row", name=re.compile("^Cola 0,33 7"))).to_be_visible()
    movements = admin.get_by_role("group", name="Movements").get_by_role("row")
    assert [row.split()[-1] for row in movements.nth(1).get_by_role("cell").all_inner_texts()[1:4]] == [
        "Count",
        "cola",
        "-3",
    ]
    stock = f"/v1/places/{place['id']}/stock"
    assert [one["on_hand"] for one in world.client.get(stock).json()["items"]] == [7]
    told = [(one["kind"], one["quantity"]) for one in world.client.get(f"{stock}/movements").json()["items"]]
    assert told == [("receive", 12), ("move", -2), ("count", -3)]
    for one in (place, other):
        assert world.client.delete(f"/v1/places/{one['id']}").status_code == 204


def told(world: World, place, order_id: str):
    """A task as the server knows it."""
    tasks = world.client.get(f"/v1/places/{place['id']}/tasks").raise_for_status().json()["items"]
    return next(task for task in tasks if task["order_id"] == order_id)


TABS_SEEN = """() => {
    const row = document.querySelector('dialog nav'), tab = row.querySelector('[aria-current]')
    const [seen, its] = [row, tab].map(it => it.getBoundingClientRect())
    return row.scrollWidth > row.clientWidth && its.left >= seen.left && its.right <= seen.right
}"""
"""The row of sections is longer than the screen, and the chosen one is in sight as a whole."""


def test_on_a_phone_the_chosen_section_is_in_sight_also_after_a_reload(page, world):
    expect(page.get_by_role("button", name=re.compile("^You: ."))).to_be_visible()  # signed in
    page.set_viewport_size({"width": 390, "height": 800})
    sections = [view for view in page.evaluate("() => window.__views") if view.startswith("?open=admin-")]
    assert len(sections) > 9
    for section in (*sections, *reversed(sections[:-1])):  # from either end of the row
        page.evaluate(GO, section)
        tab = page.locator("dialog nav [aria-current]")
        expect(tab).to_have_count(1)
        page.wait_for_function(TABS_SEEN)
        chosen = tab.inner_text()
        page.reload()
        expect(page.locator("dialog").get_by_role("heading", name=chosen)).to_be_visible()
        page.wait_for_function(TABS_SEEN)
    show(page, "admin-sections-phone")


def test_an_auditor_reads_what_there_is_to_read_and_others_find_no_administration(page, browser, world):
    expect(page.get_by_role("button", name=re.compile("^You: ."))).to_be_visible()
    for role in ("auditor", "dispatcher"):
        made = world.client.post("/v1/tokens", json={"role": role, "name": f"{role} of the house"}).json()
        context = patient(browser, viewport={"width": 1000, "height": 600}, locale="ru-RU", reduced_motion="reduce")
        theirs = context.new_page()
        theirs.goto(f"{world.url}/?open=admin-audit#token={made['token']}")
        you = theirs.get_by_role("button", name=re.compile("^Вы: ."))
        admin = theirs.get_by_role("dialog", name="Администрирование")
        if role == "auditor":
            expect(admin.get_by_role("row").filter(has_text="token.issue").first).to_be_visible()
            names = admin.get_by_role("navigation").get_by_role("button")
            assert names.all_inner_texts() == ["Люди", "Токены", "Журнал действий", "Регионы", "Оплата"]
            go(admin, "Люди")
            expect(admin.get_by_role("button", name="Добавить человека")).to_have_count(0)
            show(theirs, "admin-russian")
        else:
            expect(you).to_be_visible()
            you.click()
            expect(theirs.get_by_role("button", name="Выйти")).to_be_visible()
            expect(theirs.get_by_role("button", name="Администрирование")).to_have_count(0)
            expect(admin).to_have_count(0)
        context.close()
