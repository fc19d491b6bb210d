"""The exponent and the picture of `benchmarks.slopes`, and that each path can be measured."""

from xml.etree import ElementTree

import pytest

from benchmarks.slope_paths import fence_costs, order_costs, viewer_costs
from benchmarks.slope_picture import exponent, picture


@pytest.mark.parametrize("power", [-0.5, 0.0, 1.0, 1.7])
def test_exponent_is_that_of_a_power_law_at_any_sizes_and_in_any_unit(power):
    for sizes in ([1, 10, 100], [3, 700], [10, 11, 5_000]):
        for unit in (1.0, 1e-3, 1e6):
            assert exponent(sizes, [unit * size**power for size in sizes]) == pytest.approx(power)


def test_exponent_of_a_single_size_is_none_that_grows():
    assert exponent([5], [7.0]) == 0.0


def test_picture_holds_every_point_of_every_path_inside_it():
    rows = {
        f"path <{n}>": {"us": {"1": 0.3 * n + 0.1, "1000": 5.0 * n + 1, "100000": 9e6}, "exponent": 0.5}
        for n in range(12)
    }
    drawn = ElementTree.fromstring(picture(rows))
    of = {tag: drawn.findall(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("circle", "text")}
    assert len(of["circle"]) == 36
    for circle in of["circle"]:
        assert 0 < float(circle.attrib["cx"]) < float(drawn.attrib["width"])
        assert 0 < float(circle.attrib["cy"]) < float(drawn.attrib["height"])
    assert {f"path <{n}>: n^0.50" for n in range(12)} <= {text.text for text in of["text"]}


def test_points_higher_up_cost_more_and_those_to_the_right_are_larger():
    drawn = ElementTree.fromstring(picture({"a": {"us": {"1": 2.0, "10": 50.0}, "exponent": 1.4}}))
    first, second = drawn.findall("{http://www.w3.org/2000/svg}circle")
    assert float(first.attrib["cx"]) < float(second.attrib["cx"])
    assert float(first.attrib["cy"]) > float(second.attrib["cy"])


@pytest.mark.parametrize("costs", [fence_costs, viewer_costs, order_costs])
def test_each_path_has_a_cost_at_each_size(costs):
    for measured in costs(None, (4, 8)).values():
        assert len(measured) == 2
        assert min(measured) > 0
