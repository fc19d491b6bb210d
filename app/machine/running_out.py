"""Of `postrider check`: what runs out by itself, the money for maps and the certificate of the doors."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from redis.asyncio import Redis

from app.machine.finding import Result
from app.settings import Settings
from dispatch.travel.guards import limited_engines, used_on
from dispatch.travel.times import PAID

RENEW_WITHIN: Final = timedelta(days=21)
"""ACME renews 30 days before the end: a certificate that is nearer to it was not renewed."""


async def maps(settings: Settings, client: Redis, now: datetime) -> list[Result]:
    """Today's use of each maps API that costs money, by UTC day; a key itself is tried by the first question only."""
    keys = {"google": settings.google_key, "yandex": settings.yandex_key}
    engines = [source.value for source in PAID if keys[source.value]]
    limited = await limited_engines(client, engines)
    results = []
    for engine in engines:
        used = await used_on(client, engine, now.timestamp())
        of_requests = f" of {settings.maps_requests_per_day:,}" if settings.maps_requests_per_day else ""
        of_money = f" of {settings.maps_spend_per_day:g}" if settings.maps_spend_per_day else ""
        found = f"today {used.requests:,}{of_requests} requests, {used.money:.2f}{of_money} spent"
        mend = (
            "our own limit keeps it from being asked: raise POSTRIDER_MAPS_…, or put an engine of your own before it"
            if engine in limited
            else ""
        )
        results.append(Result(f"maps of {engine}", found, ok=engine not in limited, mend=mend))
    return results


def certificate(settings: Settings, now: datetime) -> list[Result]:
    """Of gRPC and MQTT, where they have one; the proxy's is the proxy's."""
    if not settings.doors_tls_cert:
        return []
    what = "certificate of the doors"
    try:
        chain = x509.load_pem_x509_certificates(Path(settings.doors_tls_cert).read_bytes())
    except (OSError, ValueError) as exc:
        return [Result(what, f"POSTRIDER_DOORS_TLS_CERT: cannot be read: {exc}", ok=False, mend="name a PEM file")]
    ends_at = min(one.not_valid_after_utc for one in chain)
    begins_at = max(one.not_valid_before_utc for one in chain)
    ok = begins_at <= now < ends_at - RENEW_WITHIN
    mend = "" if ok else "renew it; the new file is read without a restart"
    return [Result(what, f"from {begins_at:%Y-%m-%d} to {ends_at:%Y-%m-%d}", ok=ok, mend=mend)]
