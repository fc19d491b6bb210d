import pytest

from app.web.problems import PROBLEMS, problem_types
from dispatch.errors import DispatchError
from tests.unit.source import raised
from tracking.errors import TrackingError


def descendants(cls):
    return [cls, *(below for child in cls.__subclasses__() for below in descendants(child))]


@pytest.mark.parametrize("error", [*descendants(TrackingError), *descendants(DispatchError)])
def test_every_domain_error_has_a_row_of_its_own(error):
    assert error in PROBLEMS


def test_codes_are_slugs_and_statuses_are_errors():
    for code, (status, _) in problem_types().items():
        assert code.replace("-", "").isalpha()
        assert 400 <= status < 600


def test_every_domain_error_can_happen():
    errors = {*descendants(TrackingError), *descendants(DispatchError)} - {TrackingError, DispatchError}
    assert {error.__name__ for error in errors} <= raised()
