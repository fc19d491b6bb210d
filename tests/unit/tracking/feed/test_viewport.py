import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracking.feed.viewport import Viewport

LONS = st.floats(-180, 180)
LATS = st.floats(-90, 90)


@st.composite
def viewports(draw: st.DrawFn) -> Viewport:
    south, north = sorted((draw(LATS), draw(LATS)))
    return Viewport(west=draw(LONS), south=south, east=draw(LONS), north=north)


@given(viewports())
def test_the_corners_are_inside(box: Viewport) -> None:
    assert box.contains(box.south, box.west)
    assert box.contains(box.north, box.east)


@given(viewports(), LATS, LONS)
def test_a_box_and_the_one_on_its_other_side_share_the_globe(box: Viewport, lat: float, lon: float) -> None:
    assume(box.west != box.east)
    band = Viewport(west=box.west, south=-90, east=box.east, north=90)
    other = Viewport(west=box.east, south=-90, east=box.west, north=90)
    assert band.contains(lat, lon) or other.contains(lat, lon)
    if lon not in {box.west, box.east}:
        assert band.contains(lat, lon) != other.contains(lat, lon)


@pytest.mark.parametrize(("lon", "is_inside"), [(179.5, True), (-179.5, True), (180, True), (-180, True), (0, False)])
def test_a_box_over_the_antimeridian_holds_both_sides(lon: float, is_inside: bool) -> None:
    assert Viewport.parse("179,-10,-179,10").contains(0, lon) is is_inside


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "0,10,0,-10", "inf,0,0,1", "0,0,nan,1", "0,-91,0,0"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Viewport.parse(text)


@given(viewports(), st.integers(-5, 5), LATS, LONS)
def test_a_map_dragged_around_the_globe_sees_the_same(box: Viewport, turns: int, lat: float, lon: float) -> None:
    """MapLibre counts longitudes on: the box it asks for lies where the map was dragged to."""
    assume(box.west < box.east < box.west + 359)
    assume(min(abs(lon - edge) for edge in (box.west, box.east)) > 1e-6)  # rounding moves the edge itself
    west, east = box.west + 360 * turns, box.east + 360 * turns
    seen = Viewport.parse(f"{west},{box.south},{east},{box.north}")
    assert seen.contains(lat, lon) == box.contains(lat, lon)


@pytest.mark.parametrize("text", ["-180,-90,180,90", "0,-90,360,90", "-190,-90,200,90", "-540,-90,540,90"])
@given(LATS, LONS)
def test_a_box_all_the_way_around_holds_everything(text: str, lat: float, lon: float) -> None:
    assert Viewport.parse(text).contains(lat, lon)


@pytest.mark.parametrize("text", ["170,0,190,1", "-190,0,-170,1", "530,0,550,1", "170,0,-170,1"])
@pytest.mark.parametrize(("lon", "is_inside"), [(175, True), (-175, True), (160, False), (-160, False), (0, False)])
def test_longitudes_beyond_180_are_wrapped(text: str, lon: float, is_inside: bool) -> None:
    assert Viewport.parse(text).contains(0.5, lon) is is_inside
