"""Pictures are judged by decoding, made small, and carry nothing beside what can be seen."""

import io
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from PIL import Image

from app.pictures import signing
from app.pictures.picture import LONGEST_PX, MOST_PX, NotAPicture, media_type_of, small

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def encoded(kind, size=(40, 20), mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, "red").save(file, kind, **options)
    return file.getvalue()


def with_place():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010E] = "PLACE-OF-THE-PHOTO"
    return encoded("JPEG", (40, 20), exif=exif, comment=b"PLACE-OF-THE-PHOTO")


def test_what_a_photo_carries_beside_the_picture_is_left_behind_and_it_stands_upright():
    sent = with_place()
    assert b"PLACE-OF-THE-PHOTO" in sent
    kept = small(sent, signature=False)
    assert b"PLACE-OF-THE-PHOTO" not in kept
    with Image.open(io.BytesIO(kept)) as picture:
        assert (picture.format, picture.size, dict(picture.getexif())) == ("JPEG", (20, 40), {})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_large_pictures_are_made_small(kind):
    with Image.open(io.BytesIO(small(encoded(kind, (4000, 100)), signature=False))) as picture:
        assert picture.size == (LONGEST_PX, LONGEST_PX // 40)


def test_a_signature_is_drawn_on_white():
    kept = small(encoded("PNG", mode="RGBA", size=(64, 24)), signature=True)
    assert media_type_of(kept) == "image/png"
    empty = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(empty, "PNG")
    with Image.open(io.BytesIO(small(empty.getvalue(), signature=True))) as picture:
        assert picture.convert("L").getextrema() == (255, 255)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>1</script>",
        encoded("GIF"),
        encoded("TIFF"),
        encoded("JPEG", (400, 400))[:-300],
        encoded("PNG", (400, 400))[:60],
        b"\xff\xd8\xff\xe0" + b"\0" * 50,
    ],
    ids=["nothing", "svg", "html", "gif", "tiff", "half a jpeg", "half a png", "a jpeg by its name"],
)
def test_what_is_no_picture_of_ours_is_refused(sent):
    with pytest.raises(NotAPicture):
        small(sent, signature=False)


def test_a_bomb_is_judged_by_its_header():
    bomb = bytearray(encoded("PNG", (1, 1)))
    side = 60_000
    bomb[16:24] = side.to_bytes(4) + side.to_bytes(4)
    assert side * side > MOST_PX
    with pytest.raises(NotAPicture):
        small(bytes(bomb), signature=False)


def test_an_address_is_good_for_its_picture_and_for_a_while():
    key, picture, until = signing.key_of(b"secret", "pictures"), uuid4(), signing.until(NOW)
    assert timedelta(0) < until - NOW <= timedelta(minutes=20)
    until_s = int(until.timestamp())
    sign = signing.signature(key, picture, until_s)
    assert signing.is_good(key, picture, until_s, sign, now=NOW)
    assert not signing.is_good(key, picture, until_s, sign, now=until)
    assert not signing.is_good(key, uuid4(), until_s, sign, now=NOW)
    assert not signing.is_good(key, picture, until_s + 1, sign, now=NOW)
    assert not signing.is_good(signing.key_of(b"other", "pictures"), picture, until_s, sign, now=NOW)
    assert not signing.is_good(key, picture, until_s, "ä", now=NOW)
