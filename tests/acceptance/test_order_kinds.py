"""Orders of other kinds than from door to door: hot food, drop-offs, pickups, visits, groups, depots."""

from tests.acceptance.test_orders import HOME, MINIMAL, RESTAURANT, dispatcher, eventually, town

__all__ = ["dispatcher", "town"]


async def reasons_of(town, order):
    async def explained():
        return (await town.order(order["id"])).get("decision", {}).get("reasons")

    return [reason["code"] for reason in await eventually(explained, 60)]


async def test_hot_food_goes_only_to_who_can_hand_it_over_in_time(town, dispatcher):
    await town.hire("Slow", mode="foot")
    hot = await town.place(max_on_board_s=600)  # 1.8 km
    assert hot["max_on_board_s"] == 600
    assert await reasons_of(town, hot) == ["max_on_board"]
    _, car = await town.hire("Fast", mode="car")
    await town.offered(car, hot["id"])
    changed = await town.staff.patch(f"/v1/orders/{hot['id']}", json={"max_on_board_s": None})
    assert "max_on_board_s" not in changed.json()


async def test_time_on_board_that_nobody_can_mean_is_refused(town):
    answer = await town.staff.post("/v1/orders", json=MINIMAL | {"max_on_board_s": 0})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/max_on_board_s")
    cells = ",".join(str(value) for value in (*RESTAURANT.values(), *HOME.values(), 900))
    lines = f"pickup_lat,pickup_lon,dropoff_lat,dropoff_lon,max_on_board_s\n{cells}\n"
    answer = await town.staff.post("/v1/orders/import", content=lines, headers={"Content-Type": "text/csv"})
    [line] = answer.json()["results"]
    assert (await town.order(line["id"]))["max_on_board_s"] == 900
