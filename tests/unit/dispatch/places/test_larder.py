"""Rows of what is made ahead, as it is planned with."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from dispatch.places.ahead import Left, Ordered, Want
from dispatch.places.larder import Begun, Habits, wants
from dispatch.places.place import Place, Recipe
from tracking.position import LatLon, Region

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SOUP = Recipe(minutes=15, batch=6, shelf_life_minutes=120, ahead_minutes=1)
PLACE = Place(
    id=UUID(int=1),
    region=Region("default"),
    name="Adega",
    at=LatLon(41.15, -8.61),
    recipes={"soup": SOUP, "pizza": Recipe(minutes=8)},
)


def go(**facts):
    times = {"started_at": NOW - 5 * MINUTE, "until_at": NOW + 10 * MINUTE, "good_until": NOW + 130 * MINUTE}
    return Begun(item="soup", amount=6, **times, **facts)


def test_what_is_being_made_and_what_was_skipped_count_as_there():
    ordered = (Ordered(1, 60, 2),)
    habits = Habits(n_weeks=5, ordered={"soup": ordered, "pizza": ordered})
    known = Want(item="soup", duration_s=900, batch=6, shelf_s=7200, ordered=ordered, n_weeks=5)
    assert wants(PLACE, {}, [], habits, NOW) == [known], "only of what is marked"
    (want,) = wants(PLACE, {"soup": (Left(2, 60),)}, [go(), go(is_skipped=True)], habits, NOW)
    assert want.left == (Left(2, 60), Left(6, 7800), Left(6, 7800))
    assert want.until_s == 600
    (skipped,) = wants(PLACE, {}, [go(is_skipped=True)], habits, NOW + 20 * MINUTE)
    assert (skipped.until_s, skipped.left) == (None, (Left(6, 6600),))
