import gzip
from pathlib import Path

import pytest

from app.web.static import ASK_AGAIN, FOR_EVER, Asset, answer, load

SCRIPT = Asset(b"let a = 1;" * 500, "text/javascript; charset=utf-8", FOR_EVER)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets" / "index-abc.js").write_text("let a")
    return tmp_path


def test_hashed_names_are_kept_for_ever_and_the_page_is_asked_for_again(dist):
    assets = load(dist)
    assert assets["assets/index-abc.js"].cache_control == FOR_EVER
    assert assets["assets/index-abc.js"].media_type == "text/javascript; charset=utf-8"
    assert assets["index.html"].cache_control == ASK_AGAIN


def test_a_missing_folder_is_an_empty_console(tmp_path):
    assert load(tmp_path / "dist") == {}


def test_who_has_the_file_already_gets_304_without_a_body():
    first = answer(SCRIPT, {})
    again = answer(SCRIPT, {"if-none-match": f'"other", W/{first.headers["etag"]}'})
    assert (first.status, first.body) == (200, SCRIPT.body)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])


@pytest.mark.parametrize(("accepts", "is_compressed"), [("gzip, br", True), ("br;q=1, gzip;q=0", False), ("", False)])
def test_the_answer_is_compressed_for_those_who_take_gzip(accepts, is_compressed):
    found = answer(SCRIPT, {"accept-encoding": accepts})
    assert ("content-encoding" in found.headers) is is_compressed
    body = gzip.decompress(found.body) if is_compressed else found.body
    assert body == SCRIPT.body
    assert found.headers["vary"] == "accept-encoding"


def test_what_the_build_compressed_is_sent_so_to_those_who_take_it_and_is_no_file_of_its_own(dist):
    (dist / "assets" / "index-abc.js.br").write_bytes(b"tight")
    assets = load(dist)
    assert sorted(assets) == ["assets/index-abc.js", "index.html"]
    script = assets["assets/index-abc.js"]
    found = answer(script, {"accept-encoding": "gzip, deflate, br"})
    assert (found.body, found.headers["content-encoding"]) == (b"tight", "br")
    assert answer(script, {"accept-encoding": "gzip, br;q=0"}).body == b"let a"
    assert answer(script, {"accept-encoding": "br", "if-none-match": script.etag}).status == 304


def test_images_are_sent_as_they_are():
    assert (
        "content-encoding"
        not in answer(Asset(b"\x89PNG" * 1000, "image/png", FOR_EVER), {"accept-encoding": "gzip"}).headers
    )
