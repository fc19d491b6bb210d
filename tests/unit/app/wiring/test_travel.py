import httpx
import pytest
from redis.asyncio import Redis

from app.settings import SettingError, Settings
from app.wiring.travel import engines
from tracking.position import Mode


@pytest.fixture
async def made():
    async with httpx.AsyncClient() as http, Redis() as redis:
        yield lambda **settings: engines(Settings(**settings), http, redis)


async def test_without_settings_there_is_no_engine(made):
    assert made() == []


async def test_engines_come_in_the_order_of_the_setting(made):
    found = made(travel_engines="yandex, osrm", osrm_url="http://osrm", yandex_key="k", valhalla_url="http://v")
    assert [engine.source.value for engine in found] == ["yandex", "osrm"]


async def test_one_osrm_address_a_mode_and_motorcycles_go_where_cars_go(made):
    (osrm,) = made(osrm_url="car=http://car,foot=http://foot")
    assert osrm.urls == {Mode.CAR: "http://car", Mode.FOOT: "http://foot", Mode.MOTORCYCLE: "http://car"}
    (osrm,) = made(osrm_url="http://all")
    assert osrm.modes == frozenset(Mode)


@pytest.mark.parametrize(
    "wrong", [{"travel_engines": "osm"}, {"travel_engines": "learned"}, {"osrm_url": "boat=http://x"}]
)
async def test_what_cannot_be_read_names_the_setting(made, wrong):
    with pytest.raises(SettingError, match=f"POSTRIDER_{next(iter(wrong)).upper()}"):
        made(**wrong)


def test_keys_are_not_in_the_text_of_the_settings():
    assert "s3cret" not in repr(Settings(google_key="s3cret", yandex_key="s3cret"))


@pytest.mark.parametrize("spend", [0.01, 1.0, 5.0])
async def test_a_request_to_a_paid_engine_fits_what_a_minute_may_cost(made, spend):
    """A block that costs more than the limit is refused, and then all of them are: the engine is never asked."""
    for engine in made(google_key="k", yandex_key="k", maps_spend_per_minute=spend, maps_price_per_1000=10.0):
        limits = engine.limits
        assert 1 <= limits.n_cells <= max(1, spend / 10.0 * 1000)
        assert max(limits.n_origins, limits.n_destinations) <= limits.n_cells
