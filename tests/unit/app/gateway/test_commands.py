"""Messages of other systems: each is a command, or a reason why it is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gateway.commands import SHAPES, Envelope, command_of, lane_of
from app.web.problems import BadInput

EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "shop",
    "type": "postrider.command.order.cancel",
    "subject": "A-1",
    "data": {"reason": "changed mind"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def message(**changes: object) -> bytes:
    return json.dumps(EVENT | changes).encode()


@given(st.binary(max_size=200) | st.fixed_dictionaries({}, optional=dict.fromkeys(EVENT, JSON)))
def test_whatever_comes_it_can_be_kept_under_a_name(message):
    body = message if isinstance(message, bytes) else json.dumps(EVENT | message).encode()
    envelope = Envelope.of(body)
    assert (envelope.command is None) == (envelope.wrong is not None)
    assert envelope.event_id
    for name in (envelope.event_id, envelope.source, envelope.type, envelope.subject):
        assert len(name) <= 200
        assert "\0" not in name
        name.encode()
    assert lane_of(body, 4) in range(4)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"type": "postrider.command.order.eat"}, "/type"),
        ({"subject": ""}, "/subject"),
        ({"sequence": 0}, "/sequence"),
        ({"sequence": "first"}, "/sequence"),
        ({"data": {"reason": 7}}, "/data/reason"),
        ({"time": "0001-01-01T00:00:00Z"}, "/time"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": "a\0b"}, ""),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_pointer(changes, pointer):
    with pytest.raises(BadInput) as refused:
        command_of(message(**changes))
    assert [error[0] for error in refused.value.errors] == [pointer]


def test_a_sequence_may_be_text_as_the_extension_has_it():
    assert command_of(message(sequence="007")).sequence == command_of(message(sequence=7)).sequence == 7


@pytest.mark.parametrize("odd", [7, {}, None])
def test_a_trace_that_cannot_be_read_keeps_no_command_from_its_effect(odd):
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert command_of(message(traceparent=given)).traceparent == given
    assert command_of(message(traceparent=odd)).traceparent is None


def test_each_type_without_data_is_a_command_or_names_what_is_missing():
    for kind in SHAPES:
        body = message(type=kind, data={})
        if kind.endswith("failed"):
            with pytest.raises(BadInput, match="cannot be read"):
                command_of(body)
        else:
            assert command_of(body).type == kind
