"""Traces: nothing where they are off; one id through every process, and nobody waits, where they are on."""

from collections.abc import Iterator

import pytest

from tests.collector import Collector, collecting
from tests.waiting import wait_until
from tracking import tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CARRIED = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


def begin(url: str, *, share: float = 1.0, counted: list[tuple[str, int]] | None = None):
    told = [] if counted is None else counted
    return tracing.begin(
        "writer",
        url=url,
        share=share,
        version="1",
        trace_id=lambda: TRACE,
        count=lambda outcome, n: told.append((outcome, n)),
    )


def test_where_traces_are_off_a_span_is_nothing_and_nothing_is_carried():
    begin("")()
    assert not tracing.is_on()
    with tracing.span("request", parent=CARRIED) as one, tracing.going_on("store", [CARRIED]) as two:
        assert (one, two) == (None, None)
        assert (tracing.carried(), tracing.trace_id(), tracing.exemplar()) == ("", "", None)


def test_a_new_trace_takes_the_id_of_the_request_and_goes_on_elsewhere(collector):
    end = begin(collector.url)
    with tracing.span("request"):
        carried = tracing.carried()
        assert tracing.trace_id() == carried[3:35] == TRACE
        assert tracing.exemplar() == {"trace_id": TRACE, "span_id": carried[36:52]}
    with tracing.going_on("store", [carried, CARRIED], n=2), tracing.span("insert"):
        pass
    with tracing.going_on("nothing", []) as nothing:
        assert nothing is None
    end()
    wait_until(lambda: len(collector.spans) == 3)
    by_name = {span.name: span for _, span in collector.spans}
    assert {role for role, _ in collector.spans} == {"writer"}
    assert {span.trace_id.hex() for span in by_name.values()} == {TRACE}
    assert by_name["store"].parent_span_id == by_name["request"].span_id
    assert by_name["insert"].parent_span_id == by_name["store"].span_id
    assert [link.span_id.hex() for link in by_name["store"].links] == [CARRIED[36:52]]


@pytest.mark.parametrize("odd", ["", "garbage", "00-" + 32 * "0" + "-00f067aa0ba902b7-01", CARRIED.replace("b", "ü")])
def test_an_odd_parent_begins_a_trace_of_our_own(collector, odd):
    end = begin(collector.url)
    with tracing.span("request", parent=odd):
        assert tracing.trace_id() == TRACE
    with tracing.going_on("store", [odd or "?"]):
        assert tracing.trace_id() == TRACE
    end()


def test_what_is_not_chosen_is_not_carried(collector):
    end = begin(collector.url, share=0)
    with tracing.span("request"):
        assert tracing.carried() == ""
    end()
    assert collector.spans == []


def test_what_fails_is_over_and_its_words_are_not_told(collector):
    end = begin(collector.url)
    with pytest.raises(ValueError, match=r"41\.1579"), tracing.span("request"):
        raise ValueError("41.1579")
    end()
    wait_until(lambda: collector.spans)
    assert b"41.1579" not in collector.spans[0][1].SerializeToString()


def test_spans_are_counted_by_whether_somebody_took_them(collector):
    counted: list[tuple[str, int]] = []
    for url in (collector.url, "http://127.0.0.1:9"):
        end = begin(url, counted=counted)
        with tracing.span("request"):
            pass
        end()
    wait_until(lambda: counted == [("taken", 1), ("dropped", 1)])
