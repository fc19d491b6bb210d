"""Parts of a region's log."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from tracking.batch import PositionColumns
from tracking.log import RegionKeys
from tracking.parts import Layout, Part, parts_of, place_of
from tracking.position import CourierId, Fix, LatLon, Position, Region

CITY = Region("porto")


def test_a_log_of_one_part_has_the_names_it_always_had():
    part, keys = Part(CITY), RegionKeys(CITY)
    assert (part.name, part.log, part.appended, part.settled) == (CITY, keys.log, keys.appended, keys.settled)
    assert str(Layout()) == ""


@pytest.mark.parametrize("part", [Part(CITY), Part(CITY, 0, 4), Part(CITY, 3, 4)])
def test_a_part_is_known_by_its_name(part):
    assert Part.named(part.name) == part


@pytest.mark.parametrize("layout", [Layout(), Layout(4), Layout(4, 1), Layout(1, 4)])
def test_a_layout_is_read_back_as_it_was_written(layout):
    assert Layout.parse(str(layout).encode()) == layout


def test_every_part_of_every_layout_has_keys_of_its_own():
    parts = [part for n in range(1, 5) for part in parts_of(CITY, n)]
    keys = [key for part in parts for key in (part.log, part.appended, part.settled)]
    assert len(set(keys)) == len(keys)
    assert len({part.name for part in parts}) == len(parts)


def test_every_courier_is_in_one_part():
    for courier_id in [uuid4() for _ in range(100)]:
        assert [part.has(courier_id) for part in parts_of(CITY, 3)].count(True) == 1


def test_rows_go_by_courier_with_the_couriers_they_are_of():
    ids = [CourierId(uuid4()) for _ in range(20)]
    positions = [
        Position(
            courier_id=ids[i % len(ids)],
            fix=Fix(at=LatLon(41.15, -8.61 + i * 1e-4), fixed_at=(now := _instant(i))),
            received_at=now,
        )
        for i in range(60)
    ]
    columns = PositionColumns.from_positions(positions)
    parted = columns.parted(lambda courier_id: place_of(courier_id, 3))
    assert sum(map(len, parted.values())) == len(columns)
    for place, rows in parted.items():
        assert all(place_of(courier_id, 3) == place for courier_id in rows.courier_ids)
        mine = [position for position in columns.to_positions() if place_of(position.courier_id, 3) == place]
        assert PositionColumns.unpack(rows.pack()).to_positions() == tuple(mine)
        assert np.unique(rows.courier).tolist() == list(range(len(rows.courier_ids)))


def _instant(second):
    return datetime(2026, 11, 27, 12, tzinfo=UTC) + timedelta(seconds=second)
