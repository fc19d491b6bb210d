"""From a template, facts and a language to a page."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

HERE: Final = Path(__file__).parent
LANGUAGES: Final = ("en", "ru")
"""The first one where nobody asks for another."""
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Vary": "Accept, Accept-Language",
}
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def language_of(accept: str | None) -> str:
    """The language of ours that an `Accept-Language` header likes best."""
    liked: list[tuple[float, int, str]] = []
    for place, part in enumerate((accept or "").split(",")[:50]):
        name, _, weight = part.partition(";")
        language = name.strip().partition("-")[0].lower()
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if quality > 0 and language in LANGUAGES:
            liked.append((-quality, place, language))
    return min(liked)[2] if liked else LANGUAGES[0]


@cache
def words(language: str) -> Mapping[str, str]:
    """What pages say in a language, by key."""
    found: dict[str, str] = json.loads((HERE / "words" / f"{language}.json").read_text(encoding="utf-8"))
    return found


def page(template: str, language: str, *, status: int = 200, policy: str = POLICY, **facts: Any) -> Response[str]:
    """A page of ours, not to be kept by anybody."""
    said = words(language)

    def say(key: str, **values: Any) -> str:
        return said[key].format(**values)

    text = _ENVIRONMENT.get_template(f"{template}.html").render(say=say, language=language, **facts)
    headers = HEADERS | {"Content-Security-Policy": policy, "Content-Language": language}
    return Response(text, media_type="text/html", status_code=status, headers=headers)


def wants_page(accept: str | None) -> bool:
    """Whether a person asks, not a program."""
    return "text/html" in (accept or "")


def zone_of(name: str | None) -> ZoneInfo:
    """The time zone of a region; UTC where it cannot be known."""
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, KeyError, OSError):  # written by other means; an unknown zone is a KeyError
        return ZoneInfo("UTC")


def day_and_time(at: datetime, zone: ZoneInfo, language: str, *, now: datetime) -> str:
    """The time on the clocks there, with the day when that is not today."""
    local = at.astimezone(zone)
    text = f"{local:%H:%M}"
    if local.date() == now.astimezone(zone).date():
        return text
    return words(language)["on_day"].format(time=text, day=local.day, month=words(language)[f"month_{local.month}"])
