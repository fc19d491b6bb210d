"""What is said of orders, and of why nobody has them."""

import ast

from app.shapes.orders import REASON_TEXTS
from dispatch.alert_kind import AlertKind
from dispatch.planning.proposal import ReasonCode
from tests.unit.source import trees


def named(enum):
    """Members of an enumeration that the program names outside of its definition."""
    return {
        node.attr
        for tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == enum.__name__
    }


def test_every_reason_has_its_text_and_every_text_its_reason():
    assert set(REASON_TEXTS) == set(ReasonCode)


def test_every_reason_is_given_and_every_kind_of_alert_raised_somewhere():
    assert named(ReasonCode) == {reason.name for reason in ReasonCode}
    assert named(AlertKind) == {kind.name for kind in AlertKind}
