"""What `POST /v1/webhooks` refuses."""

import pytest

GOOD = "https://example.com/hook"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "http://127.0.0.1/"}, "/url"),
        ({"url": "http://localhost:8080/"}, "/url"),
        ({"url": "http://[::1]/"}, "/url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "/url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "/url"),
        ({"url": "https://example.com:99999/"}, "/url"),
        ({"url": "https://exämple.com/"}, "/url"),
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": GOOD, "types": ["postrider.order.eaten"]}, "/types/0"),
        ({"url": GOOD, "region": "nowhere"}, "/region"),
    ],
)
async def test_what_cannot_be_sent_to_is_refused_with_its_place(admin, body, pointer):
    answer = await admin.post("/v1/webhooks", json=body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await admin.get("/v1/webhooks")).json()["items"] == []
