"""Orders and alerts as support staff work on them, in a real Chromium."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from playwright.sync_api import Page, expect
from redis.asyncio import Redis

from tracking import events


@pytest.fixture
def order(world):
    """An order nobody can take, far away from everybody."""
    body = {
        "pickup": {"lat": -33.45, "lon": -70.66, "address": "Kitchen 1"},
        "dropoff": {"lat": -33.46, "lon": -70.66, "address": "Door 2"},
        "external_id": f"web-{uuid4().hex[:6]}",
    }
    made = world.client.post("/v1/orders", json=body)
    made.raise_for_status()
    return made.json()


def open_orders(page: Page) -> None:
    page.get_by_role("tab", name=re.compile("Orders")).click()


def test_new_order_appears_by_itself_and_can_be_commented_and_cancelled(page, world, order):
    open_orders(page)
    entry = page.locator(f"tr[data-order='{order['id']}']")
    expect(entry).to_be_visible()
    entry.get_by_role("button").click()
    expect(page.get_by_role("heading", name=order["external_id"])).to_be_visible()
    expect(page.get_by_text("Door 2")).to_be_visible()

    page.get_by_role("button", name="Comment").click()
    page.get_by_label("Comment").fill("customer called")
    page.get_by_role("button", name="Add comment").click()
    expect(page.get_by_role("listitem").filter(has_text="customer called")).to_be_visible()

    page.get_by_role("button", name="Cancel order").click()
    page.get_by_label("Why is it cancelled?").fill("changed her mind")
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.locator("header .tag", has_text="Cancelled")).to_be_visible()
    assert world.client.get(f"/v1/orders/{order['id']}").json()["reason"] == "changed her mind"
    expect(page.get_by_role("button", name="Cancel order")).to_have_count(0)


def test_change_of_an_order_that_somebody_else_changed_is_refused_with_their_change_shown(page, world, order):
    open_orders(page)
    page.locator(f"tr[data-order='{order['id']}']").get_by_role("button").click()
    page.get_by_role("button", name="Cancel order").click()
    page.get_by_label("Why is it cancelled?").fill("no time")
    world.client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "was faster"}).raise_for_status()
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed the order meanwhile")


def test_alert_is_listed_and_acknowledged(page, world, database):
    alert_id = _raise_alert(database, world.redis_url, UUID(world.courier("Dora")))
    page.get_by_role("tab", name=re.compile("Alerts")).click()
    entry = page.locator(f"li[data-alert='{alert_id}']")
    expect(entry).to_contain_text("Stuck")
    expect(entry).to_contain_text("Dora")
    entry.get_by_role("button", name="Acknowledge").click()
    expect(entry).to_contain_text("Acknowledged")
    answer = world.client.get("/v1/alerts", params={"state": "open"}).json()["items"]
    assert next(item for item in answer if item["id"] == str(alert_id))["acknowledged_at"] is not None


def _raise_alert(database: str, redis_url: str, courier_id: UUID) -> UUID:
    async def raise_it() -> UUID:
        connection = await asyncpg.connect(database)
        try:
            alert_id: UUID = await connection.fetchval(
                "INSERT INTO alerts (kind, region, courier_id, raised_at, facts, expected)"
                " VALUES ('stuck', 'default', $1, $2, '{\"still_s\": 600}', '{}') RETURNING id",
                courier_id,
                datetime.now(UTC),
            )
        finally:
            await connection.close()
        async with Redis.from_url(redis_url) as redis:
            await events.publish(redis, "default", "alert.raised", {"alert_id": alert_id, "courier_id": courier_id})
        return alert_id

    # Playwright's synchronous API holds this thread's event loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(raise_it())).result()
