"""What of OpenStreetMap stands on the map, and as what tiles."""

import gzip

import mapbox_vector_tile
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from app.streets.features import FIRST_ZOOM, LAST_ZOOM, drawn_area, drawn_node, drawn_way
from app.streets.tiles import EXTENT, Shape, projected, tiles_of

PORTO = shapely.box(-8.62, 41.14, -8.60, 41.16)


def shape(geometry, layer="roads", first_zoom=FIRST_ZOOM, **properties):
    return Shape(
        layer=layer, first_zoom=first_zoom, geometry=projected(geometry), properties={"kind": "x", **properties}
    )


def decoded(shapes, zoom, bounds=PORTO):
    edges = tuple(shapely.bounds(projected(bounds)).tolist())
    tiles = {(x, y): gzip.decompress(data) for x, y, data in tiles_of(shapes, edges, zoom)}
    return {place: mapbox_vector_tile.decode(data, {"y_coord_down": True}) for place, data in tiles.items()}


@pytest.mark.parametrize(
    ("tags", "layer", "kind"),
    [
        ({"highway": "motorway_link", "name": "VCI"}, "roads", "highway"),
        ({"highway": "residential"}, "roads", "minor_road"),
        ({"highway": "steps"}, "roads", "path"),
        ({"railway": "tram"}, "roads", "rail"),
        ({"waterway": "river", "name": "Douro"}, "water", "river"),
    ],
)
def test_ways_have_their_layer_and_kind(tags, layer, kind):
    drawn = drawn_way(tags)
    assert (drawn.layer, drawn.properties["kind"]) == (layer, kind)
    assert drawn.properties.get("name") == tags.get("name")


@pytest.mark.parametrize("tags", [{}, {"highway": "proposed"}, {"railway": "rail", "tunnel": "yes"}, {"highway": ""}])
def test_what_is_not_there_to_be_seen_is_left_out(tags):
    assert drawn_way(tags) is None
    assert drawn_area(tags) is None
    assert drawn_node({"place": "city"}) is None


@given(
    st.dictionaries(st.sampled_from(["highway", "place", "name", "building", "natural", "landuse", "shop"]), st.text())
)
def test_no_tags_stop_the_work(tags):
    for draw in (drawn_node, drawn_way, drawn_area):
        drawn = draw(tags)
        assert drawn is None or FIRST_ZOOM <= drawn.first_zoom <= LAST_ZOOM + 1


def test_line_is_where_it_belongs_in_the_tile():
    """Along the middle of the tile that spans it, with the y axis down."""
    west, south, east, north = -8.61328125, 41.14556973, -8.602294921875, 41.15384235  # tile 15/15599/12278 and so on
    street = shapely.LineString([(west, (south + north) / 2), (east, (south + north) / 2)])
    found = decoded([shape(street, name="Rua")], LAST_ZOOM, shapely.box(west, south, east, north))
    lines = [f for tile in found.values() for f in tile["roads"]["features"]]
    assert {line["properties"]["name"] for line in lines} == {"Rua"}
    ys = {y for line in lines for _, y in line["geometry"]["coordinates"]}
    assert max(ys) - min(ys) <= 1
    assert all(0 <= y <= EXTENT for y in ys)


def test_everything_ends_where_the_data_does():
    """No grey margins: ground and streets are cut at the bounds, not at the tile."""
    far = shapely.LineString([(-8.7, 41.15), (-8.5, 41.15)])
    for tile in decoded([shape(far)], 13).values():
        [ground] = tile["earth"]["features"]
        for feature in tile["roads"]["features"]:
            line = shapely.geometry.shape(feature["geometry"])
            assert shapely.geometry.shape(ground["geometry"]).buffer(1).covers(line)


def test_things_show_from_their_zoom_on():
    house = shape(shapely.box(-8.611, 41.150, -8.610, 41.151), layer="buildings", first_zoom=14)
    assert decoded([house], 13) == {}
    assert all("buildings" in tile for tile in decoded([house], 14).values())


def test_outline_that_crosses_itself_costs_nobody_else_anything():
    bow = shapely.Polygon([(-8.611, 41.150), (-8.610, 41.151), (-8.610, 41.150), (-8.611, 41.151)])
    needle = shapely.Polygon([(-8.611, 41.15), (-8.6109999, 41.15), (-8.6109999, 41.1500001)])
    house = shapely.box(-8.611, 41.150, -8.610, 41.151)
    found = decoded([shape(g, layer="buildings") for g in (bow, needle, house)], LAST_ZOOM)
    assert sum(len(tile["buildings"]["features"]) for tile in found.values()) >= 2
