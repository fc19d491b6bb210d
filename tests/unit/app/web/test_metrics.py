from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from app.web.metrics import METHODS, observe


def methods_counted():
    return {
        sample.labels["method"]
        for metric in REGISTRY.collect()
        if metric.name.startswith("postrider_http")
        for sample in metric.samples
    }


@given(st.text(max_size=20), st.sampled_from([200, 404, 405, 500]))
def test_a_made_up_method_is_no_label(method, status):
    observe({"method": method}, status, 0.001)
    assert methods_counted() <= METHODS | {"other"}
