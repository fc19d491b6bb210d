"""How the streets are drawn."""

import pytest

from app.streets.style import style


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_edge_of_a_cut_out_is_not_seen_for_beyond_it_is_land(theme):
    drawn = {layer["id"]: layer["paint"] for layer in style(theme, "/t", (0, 0, 1, 1))["layers"]}
    assert drawn["beyond"]["background-color"] == drawn["earth"]["fill-color"]
