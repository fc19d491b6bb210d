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


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "0,10,0,-10", "-181,0,0,1", "0,0,nan,1", "0,-91,0,0"])
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Viewport.parse(text)
