import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from app.web.metrics import METHODS, ObserveMiddleware, observe


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


@pytest.mark.parametrize(
    ("is_told", "path", "n"), [(True, "/v1/orders/{id}", 1), (True, "/metrics", 0), (False, "/", 0)]
)
async def test_an_answer_is_a_line_by_its_route_where_that_is_wanted_and_a_probe_never_is(caplog, is_told, path, n):
    async def app(scope, receive, send):
        scope["path_template"] = path
        await send({"type": "http.response.start", "status": 404})

    async def nothing(*_):
        return None

    caplog.set_level(logging.INFO)
    seen = ObserveMiddleware(app, body_within_s=1, proxies=(), is_told=is_told)
    await seen({"type": "http", "method": "GET", "path": "/v1/orders/7", "headers": []}, nothing, nothing)
    told = [(record.http_method, record.route, record.http_status) for record in caplog.records]
    assert told == [("GET", path, 404)] * n
