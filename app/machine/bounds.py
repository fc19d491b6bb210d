"""What a stranger or a token can make grow, and how far: `postrider check` and deploy/bounds.md name it."""

from dataclasses import dataclass

from app.pictures.picture import LONGEST_PX, MOST_PX
from app.pictures.pictures import AT_ONCE as DECODED_AT_ONCE
from app.pictures.pictures import MOST, PICTURE_BYTES
from app.settings import Settings
from app.web.auth import CACHE_SIZE
from app.web.idempotency import REMEMBERED_FOR
from app.web.metrics import METHODS
from app.web.pages import FIXES_AT_ONCE, LONGEST_CURSOR, LONGEST_SPAN, MOST_FIXES, PAGE_LIMIT
from app.web.rates import MOST_KEYS, QUESTIONS_OF_LINK
from app.wiring.day_plans import FORGOTTEN_AFTER, WAITING_AT_MOST
from app.wiring.folding import FOLDING_SHARE
from app.wiring.thinking import QUESTIONS, THINK_S
from app.wiring.whatif import APPLYING_SHARE, AT_ONCE, RECIPIENTS_SHARE
from dispatch.orders.proof import ATTEMPTS
from dispatch.region.day_plans import MAX_COURIERS, MAX_ORDERS
from dispatch.region.day_process import MEMORY_BYTES
from dispatch.region.wave_world import MAX_ORDERS as MAX_OF_A_WAVE
from tracking.events import KEPT, MAX_EVENTS
from tracking.intake.roster import LONGEST_DEVICE, MOST_DEVICES, SIZE
from tracking.intake.screening import PAYLOAD_BYTES
from tracking.live import MOST_WALKED
from tracking.memo import UNKNOWN_SIZE
from tracking.watching.fence import CELLS_PER_FENCE

BYTES_A_FIX = 115
"""In the log, where each came in an entry of its own; 40 to 60 in batches. Measured."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One of them."""

    what: str
    limit: str
    beyond: str
    """What happens beyond it, and what counts it."""


def bounds(settings: Settings) -> list[Bound]:
    """All of them, as the settings have it; 0 in a rate is none."""
    log_mb = settings.log_limit_fixes * BYTES_A_FIX // 1_000_000
    quarantine_mb = settings.quarantine_bytes * settings.api_workers // 1_000_000
    return [
        Bound(
            "connections",
            f"{settings.api_connections:,} a process",
            f"the next ones wait; one without a head of a request ends after {settings.request_head_s:g} s",
        ),
        Bound(
            "a body",
            f"{settings.request_body_limit_bytes:,} bytes, unpacked too; {settings.request_body_s:g} s to come",
            "413 or 408; at the phones' doors quarantined",
        ),
        Bound("fixes of one upload", f"{settings.batch_limit_fixes:,}", "413"),
        Bound(
            "requests a minute",
            f"{settings.rate_courier:,} a courier, {settings.rate_staff:,} a person,"
            f" {settings.rate_service:,} a service, {settings.rate_address:,} an address,"
            f" {settings.rate_sign_in:,} sign-ins an address",
            "429 with Retry-After; `postrider_requests_limited_total`",
        ),
        Bound("tokens and addresses counted", f"{MOST_KEYS:,} of each kind a minute", "those that come later are not"),
        Bound(
            "fixes on their way to Redis",
            f"{settings.waiting_limit_fixes:,} a process",
            "503; `postrider_ingest_turned_away_total`",
        ),
        Bound(
            "the log in Redis",
            f"{settings.log_limit_fixes:,} unread fixes a region (up to {log_mb:,} MB),"
            f" and what came in the last {settings.log_keep_s:g} s",
            "503; `postrider_ingest_turned_away_total`",
        ),
        Bound(
            "quarantine",
            f"{settings.quarantine_courier_bytes:,} bytes a courier and minute, {quarantine_mb:,} MB in all,"
            f" {PAYLOAD_BYTES:,} bytes an item, kept for a week",
            "counted, not kept; `postrider_quarantine_not_kept_total`",
        ),
        Bound("live state in Redis", "one record a courier", "pruned with the courier"),
        Bound(
            "a question who is nearby",
            f"{MOST_WALKED:,} couriers of a mode looked at",
            "those farther off are left out",
        ),
        Bound("events kept for readers", f"about {MAX_EVENTS:,} a region, {KEPT.days * 24} hours", "the oldest go"),
        Bound("tokens known by heart", f"{CACHE_SIZE:,}, and {UNKNOWN_SIZE:,} that are nobody's", "the least used go"),
        Bound(
            "device identifiers",
            f"{MOST_DEVICES} of a request, of {LONGEST_DEVICE} characters; {SIZE:,} known by heart,"
            f" and {UNKNOWN_SIZE:,} that are nobody's",
            "not looked up; the least used go",
        ),
        Bound(
            "labels of a metric", f"our routes, {len(METHODS)} methods and `other`, our own words", "no others are made"
        ),
        Bound("rows of a page", f"{PAGE_LIMIT:,}; a cursor of {LONGEST_CURSOR} characters", "400"),
        Bound(
            "connections to the database", f"{settings.database_pool_size} a process, one a request", "503 after a wait"
        ),
        Bound(
            "previews and applied plans",
            f"{AT_ONCE} of each at a time in a process, applied in {APPLYING_SHARE:.0%} of the time,"
            f" {QUESTIONS} previews thought about, {THINK_S:g} s each",
            "503 with Retry-After",
        ),
        Bound(
            "recipients who ask for another window",
            f"{QUESTIONS_OF_LINK} questions a minute and link, one at a time in a process, in {RECIPIENTS_SHARE:.0%}"
            " of the time",
            "told to come again, on their page; `postrider_requests_limited_total`",
        ),
        Bound(
            "plans of days ahead",
            f"one a region, one at a time in a process and {WAITING_AT_MOST} waiting; {MAX_ORDERS:,} orders"
            f" ({MAX_OF_A_WAVE:,} of a wave), {MAX_COURIERS:,} couriers, {MEMORY_BYTES >> 30} GB, ten minutes; kept for"
            f" {FORGOTTEN_AFTER.days} days",
            "409 or 503; the plan fails and says so",
        ),
        Bound("answers to repeated requests", f"{REMEMBERED_FOR.days} day", "forgotten"),
        Bound(
            "pictures of an order",
            f"{MOST}, of {PICTURE_BYTES:,} bytes and {MOST_PX // 1_000_000} megapixels; kept at most"
            f" {LONGEST_PX:,} pixels wide and high; {DECODED_AT_ONCE} at a time in a process",
            "409, 413, 400; 503 after a wait",
        ),
        Bound("wrong codes at a door", f"{ATTEMPTS} an order", "409, until support gives another code"),
        Bound("cells of a geofence", f"about {CELLS_PER_FENCE:,}", "coarser cells"),
        Bound(
            "fixes folded for one page of stops",
            f"{MOST_FIXES:,} of {LONGEST_SPAN.days} days, {FIXES_AT_ONCE:,} at a time, in {FOLDING_SHARE:.0%}"
            " of a process's time",
            "the next page, by its cursor",
        ),
        Bound(
            "dead letters",
            "none: what was answered 2xx is never thrown away",
            "an alert and `postrider_dead_letters`, until they are replayed",
        ),
    ]


def table() -> str:
    """The bounds by default as a Markdown table."""
    rows = [f"| {bound.what} | {bound.limit} | {bound.beyond} |" for bound in bounds(Settings())]
    return "\n".join(["| what can grow | bound | beyond it |", "|---|---|---|", *rows])
