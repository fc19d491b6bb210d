"""What was learned survives the way through bytes."""

import numpy as np
import pytest

from dispatch.learning.kriging import Places
from dispatch.learning.model_bytes import (
    model_from_bytes,
    model_to_bytes,
    services_from_bytes,
    services_to_bytes,
    subject_of,
)
from dispatch.learning.service_times import learn_services
from tests.unit.dispatch.learning.test_service_times import ANA, ELSEWHERE, GRILL, stays
from tests.unit.dispatch.learning.test_travel_model import NOW, PORTO, legs, taught


def test_a_model_predicts_the_same_after_it_was_written_and_read():
    model = taught(legs(200, factor=1.3, noise=0.3))
    read = model_from_bytes(model_to_bytes(model), model.region)
    ends = Places(lat=np.linspace(41.13, 41.17, 20), lon=np.linspace(-8.63, -8.59, 20))
    hours = np.linspace(0, 160, 20)
    assert read.kriging.mean(ends, ends, hours) == pytest.approx(model.kriging.mean(ends, ends, hours), abs=1e-3)
    assert (read.calibration, read.n_legs, subject_of(read)) == (model.calibration, 200, "car:great_circle")
    assert read.couriers == model.couriers


def test_service_times_expect_the_same_after_they_were_written_and_read():
    early = stays(20, 300, at=GRILL, spread=1.0, ready_at=NOW, was_early=True)
    times = learn_services(stays(30, 100, ready_at=NOW) + early, now=NOW)
    assert times.ready.expect(GRILL, NOW) > 0
    assert services_from_bytes(services_to_bytes(times)) == times
    kind = stays(1, 1)[0].kind
    read = services_from_bytes(services_to_bytes(times))
    assert read.expect(kind, ELSEWHERE, ANA) == times.expect(kind, ELSEWHERE, ANA)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x93\x02\x01\x01"])
def test_other_bytes_are_refused(body):
    with pytest.raises(ValueError, match="expected"):
        model_from_bytes(body, "porto")
    with pytest.raises(ValueError, match="expected"):
        services_from_bytes(body)


def test_another_version_is_refused():
    body = bytearray(model_to_bytes(taught(legs(50))))
    body[1] = 99  # the first element: version
    with pytest.raises(ValueError, match="version"):
        model_from_bytes(bytes(body), "porto")


def test_where_it_is_used_it_is_small():
    model = taught(legs(400))
    assert len(model_to_bytes(model)) < 40 * 400 + 2_000
    assert model.reaches(PORTO)
