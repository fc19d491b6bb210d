"""A picture that somebody sent: judged by decoding it, made small, and nothing kept but what can be seen; no I/O."""

import io
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS: Final = ("JPEG", "PNG", "WEBP")
LONGEST_PX: Final = 1600
"""Enough to read a label on a parcel."""
MOST_PX: Final = 64_000_000
"""More than a phone's camera makes; judged by the header, before anything is decoded."""
QUALITY: Final = 80


class NotAPicture(ValueError):
    """It cannot be read as a picture of these kinds: JPEG, PNG, WebP."""

    def __init__(self, why: str) -> None:
        super().__init__(why)


def small(content: bytes, *, signature: bool) -> bytes:
    """
    The picture as JPEG, at most LONGEST_PX wide and high, turned upright; a signature as black and white PNG.

    What a file carries beside the picture (EXIF with its place, comments, profiles) is left behind. Raises NotAPicture.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PX:
                raise NotAPicture(f"expected at most {MOST_PX // 1_000_000} megapixels")
            opened.draft("RGB", (LONGEST_PX, LONGEST_PX))  # a JPEG is decoded in a smaller size at once
            upright = ImageOps.exif_transpose(opened)
            seen = _on_white(upright)
        seen.thumbnail((LONGEST_PX, LONGEST_PX))
        if signature:
            return _bytes_of(seen.convert("L").quantize(8), "PNG", optimize=True)
        return _bytes_of(seen, "JPEG", quality=QUALITY, optimize=True)
    except UnidentifiedImageError as exc:
        raise NotAPicture(f"expected a picture: {', '.join(FORMATS)}") from exc
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        if isinstance(exc, NotAPicture):
            raise
        raise NotAPicture("expected a picture that can be read to its end") from exc


def media_type_of(content: bytes) -> str:
    """Of a picture as `small` makes it."""
    return "image/png" if content.startswith(b"\x89PNG") else "image/jpeg"


def _on_white(picture: Image.Image) -> Image.Image:
    """In RGB and nothing else: pasted, so that nothing that the file says of itself comes along."""
    plain = Image.new("RGB", picture.size, "white")
    shown = picture.convert("RGBA")
    plain.paste(shown, mask=shown.getchannel("A"))
    return plain


def _bytes_of(picture: Image.Image, kind: str, **options: int | bool) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
