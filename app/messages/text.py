"""What messages say, in words; no I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from app.pages.writing import words
from dispatch.orders.rows import from_json

STEPS: Final = ("placed", "on_its_way", "arriving", "delivered")
"""What recipients are told of."""
ARRIVING: Final = timedelta(minutes=10)
MOST_LINES: Final = 20
OVER: Final = frozenset({"cancelled", "failed", "returning", "returned"})

Row = Mapping[str, Any]


def is_needless(row: Row, *, now: datetime) -> bool:
    """Whether it is over meanwhile, or somebody looks after it."""
    match row["kind"]:
        case "offer":
            return not row["is_offered"]
        case _ if row["alert_region"] is not None:
            rests = row["snoozed_until"] is not None and row["snoozed_until"] > now
            return row["resolved_at"] is not None or row["acknowledged_at"] is not None or rests
        case step:
            return step != "delivered" and (row["order_state"] in OVER or row["order_state"] == "delivered")


def title_of(rows: Sequence[Row], language: str) -> str:
    """Of what is said together to staff."""
    said = words(language)
    places = sorted({row["region_title"] or row["alert_region"] for row in rows if row["alert_region"] is not None})
    what = line_of(rows[0], language) if len(rows) == 1 else said["m_alerts"].format(n=len(rows))
    return f"{', '.join(places)}: {what}" if places else what


def body_of(rows: Sequence[Row], language: str) -> str:
    """The same, a line each."""
    lines = [line_of(row, language) for row in rows[:MOST_LINES]]
    if len(rows) > MOST_LINES:
        lines.append(words(language)["m_more"].format(n=len(rows) - MOST_LINES))
    return "\n".join(lines)


def line_of(row: Row, language: str) -> str:
    """One message to staff or to a courier."""
    said = words(language)
    if row["kind"] == "offer":
        return said["m_offer"]
    what = said.get(f"a_{row['kind']}", str(row["kind"]).replace("_", " "))
    about = row["courier_name"], _order_name(row, said)
    return f"{what}: {', '.join(filter(None, about))}" if any(about) else what


def told_recipient(row: Row, *, sender: str, link: str, code: str | None, language: str) -> str:
    """What a recipient is told of a step."""
    said = words(language)
    parts = [said[f"m_{row['kind']}"]]
    if missing := from_json(row.get("missing")):
        parts.append(said["m_missing"].format(what=", ".join(f"{one['quantity']} × {one['item']}" for one in missing)))
    if code is not None and row["kind"] in {"on_its_way", "arriving"}:
        parts.append(said["m_code"].format(code=code))
    if link and row["kind"] != "delivered":
        parts.append(link)
    return f"{sender}: {' '.join(parts)}" if sender else " ".join(parts)


def address_of(url: str, contact: Mapping[str, Any]) -> str | None:
    """A channel's address with the recipient's own in it; None: that is not known."""
    phone = "".join(sign for sign in str(contact.get("phone", "")) if sign.isdigit())
    email = str(contact.get("email", "")).strip()
    if ("{phone}" in url and not phone) or ("{email}" in url and "@" not in email):
        return None
    return url.replace("{phone}", phone).replace("{email}", quote(email, safe=""))


def is_for_one(url: str) -> bool:
    """Whether a recipient's own address belongs into a channel's."""
    return "{phone}" in url or "{email}" in url


def quiet_until(now: datetime, begins: time | None, ends: time | None, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours end that are now, by the clocks there; None: it is not quiet."""
    if begins is None or ends is None or begins == ends:
        return None
    local = now.astimezone(zone)
    clock = local.time()
    is_quiet = begins <= clock < ends if begins < ends else clock >= begins or clock < ends
    if not is_quiet:
        return None
    day = local.date() if clock < ends else local.date() + timedelta(days=1)
    return max(datetime.combine(day, ends, zone), now + timedelta(minutes=1))


def _order_name(row: Row, said: Mapping[str, str]) -> str:
    if row["alert_order_id"] is None:
        return ""
    return said["m_order"].format(name=row["alert_order"] or str(row["alert_order_id"])[:8])
