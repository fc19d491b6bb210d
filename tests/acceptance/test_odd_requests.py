"""Law: whatever method, cookie, cursor or header comes, no route answers 5xx; a wrong method is told the right ones."""

import functools
import re
from uuid import uuid4

import pytest

from app.web.auth import Role
from tests.acceptance.test_access import ALL
from tests.described import described

STREAMS = {"/v1/live", "/v1/couriers/{courier_id:uuid}/route/stream"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "X-" + "Y" * 200)
CURSORS = (
    *("", "null", "0", "////", "\u0000", "%00", "=" * 8, "a" * 501, "a" * 9000, "💥"),
    *("e30", "W10", "W251bGxd", "WyIyMDI2Il0", "WzFlOTk5XQ"),
    *("WyIwMDAxLTAxLTAxVDAwOjAwOjAwWiJd", "WyI5OTk5LTEyLTMxVDIzOjU5OjU5Ljk5OTk5OVoiXQ"),
)
"""Also base64 of {}, [], [null], ["2026"], [1e999], and of a year 1 and a year 9999."""
PARAMETERS = ("cursor", "limit", "from", "to", "bbox", "region", "lat", "lon")
COOKIES = 'a(b)=1; g_state={"i_l":0}; =;; x; postrider_session'
HEADERS = (
    {"Cookie": COOKIES, "Accept": "image/png, */*;q=x", "If-Match": '"' + "9" * 400 + '"', "Range": "bytes=9-1, x"},
    {"Cookie": "postrider_session=" + "x" * 3000, "Accept": "", "If-Match": 'W/"1", *', "Forwarded": "for=;;"},
    {"Cookie": b"\xff\xfe=\xfd", "If-None-Match": "*, nonsense", "X-Forwarded-For": ",,, 999.1.1.1, [::"},
    {"Authorization": "Basic =====", "Expect": "200-maybe", "X-Forwarded-Proto": "gopher"},
    {"Authorization": "Bearer " + "x" * 3000, "traceparent": "00-" + "0" * 32 + "-x"},
    {"Authorization": b"Bearer \xff", "Sec-Fetch-Site": "moon"},
    {"Content-Type": "application/json; charset=nope; charset=utf-8", "Idempotency-Key": "k" * 3000},
    {"Content-Type": "multipart/form-data", "Idempotency-Key": b"\xff\x01", "Accept-Encoding": "br;q=2, *;q=-1"},
    {"Content-Type": ";", "Content-Encoding": "gzip", "Last-Event-ID": "18446744073709551616-99999999999999999999"},
    {"Content-Encoding": "snappy, gzip", "Origin": "http://[::1", "Host": "[::1"},
)
"""Several in one request where none of them keeps the others from being read."""


def filled(path):
    parts = path.split("/")
    return "/".join(
        (str(uuid4()) if part.endswith(":uuid}") else "1") if part.startswith("{") else part for part in parts
    )


ALLOWED = {}
for _path, _method, _handler in ALL:
    ALLOWED.setdefault(_path, set()).add(_method)
PATHS = sorted(path for path in ALLOWED if path not in STREAMS)


@pytest.fixture
def no_5xx():
    """Collects what a route answered to what."""
    bad = []

    def look(answer, *what):
        if answer.status_code >= 500:
            bad.append((answer.request.method, str(answer.request.url)[:200], answer.status_code, *what))

    yield look
    assert bad == []


async def test_a_wrong_method_is_refused_everywhere_with_the_right_ones(admin, no_5xx):
    for path in sorted(ALLOWED):
        url, is_any = filled(path), path.startswith("/ingest/")
        for method in METHODS:
            if path in STREAMS and method in {"GET", "HEAD"}:
                continue
            answer = await admin.request(method, url)
            no_5xx(answer)
            if is_any or method in {*ALLOWED[path], "HEAD", "OPTIONS"}:
                continue
            assert (path, method, answer.status_code) == (path, method, 405)
            assert ALLOWED[path] <= {one.strip() for one in answer.headers["allow"].split(",")}, path
            assert answer.json()["code"] == "method-not-allowed"


async def test_no_header_makes_a_server_error(client_of, no_5xx):
    client = await client_of(Role.ADMIN)
    for path in PATHS:
        for method in sorted(ALLOWED[path]):
            for headers in HEADERS:
                body = {"json": {}} if method in {"POST", "PATCH", "PUT"} and "Content-Type" not in headers else {}
                no_5xx(await client.request(method, filled(path), headers=headers, **body), headers)


@functools.cache
def schema():
    return described().openapi_schema.to_schema()["paths"]


def told(path):
    """The parameters of the query that the description of the API tells of; all where it tells of none."""
    item = schema().get(re.sub(r":\w+}", "}", path), {})
    parameters = item.get("get", {"parameters": [{"name": name} for name in PARAMETERS]}).get("parameters", ())
    return {one["name"] for one in parameters} & {*PARAMETERS}


async def test_no_cursor_makes_a_server_error(admin, no_5xx):
    n_told = 0
    for path in PATHS:
        if "GET" in ALLOWED[path]:
            no_5xx(await admin.get(filled(path), params=dict.fromkeys(PARAMETERS, CURSORS[-1])))
            names = told(path)
            n_told += "cursor" in names
            for cursor in CURSORS:
                for some in (names & {"cursor"}, names - {"cursor"}):
                    if some:
                        no_5xx(await admin.get(filled(path), params=dict.fromkeys(sorted(some), cursor)), cursor)
    assert n_told > 10
