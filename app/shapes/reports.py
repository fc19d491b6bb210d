"""Reports as they go over HTTP: JSON, and the same rows as CSV."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final
from uuid import UUID

import msgspec

from app.web.csv_lines import csv_lines
from dispatch.reports.service_level import By, Figures, Line, Report

COLUMNS_OF: Final[Mapping[By, tuple[str, ...]]] = {
    By.HOUR: ("from",),
    By.DAY: ("from",),
    By.COURIER: ("courier_id", "courier"),
    By.PLACE: ("lat", "lon", "address"),
}
"""What says which row it is, in a CSV."""


class FiguresShape(msgspec.Struct, kw_only=True):
    """How well orders were served; null where there is nothing to say it of."""

    placed: int
    delivered: int
    promised: int
    """Delivered orders that had a latest time."""
    on_time: int
    """Those of them that came by then."""
    on_time_pct: float | None
    lateness_s: float | None
    """Mean lateness of those that came later."""
    click_to_door_p50_s: float | None
    """From placed to delivered; over more than a month to ten seconds."""
    click_to_door_p90_s: float | None
    offers: int
    offers_accepted: int
    offers_accepted_pct: float | None
    """Of the offers that were accepted, rejected, or ran out."""
    worked_s: float
    """In whole hours of UTC: from a courier's first to last fix, at least as long as the courier was busy."""
    busy_s: float
    """As long as a courier had at least one accepted order."""
    utilisation_pct: float | None
    """Busy, of worked."""
    distance_m: float


class PlaceShape(msgspec.Struct, kw_only=True):
    """Pickups within some ten metres. WGS 84 degrees."""

    lat: float
    lon: float
    address: str | None


class RowShape(FiguresShape, kw_only=True, omit_defaults=True):
    """One hour, day, courier or place."""

    from_: datetime | msgspec.UnsetType = msgspec.field(name="from", default=msgspec.UNSET)
    """Where the hour or day begins, by the region's clock."""
    courier_id: UUID | msgspec.UnsetType | None = msgspec.UNSET
    """Null: orders that nobody has."""
    courier: str | msgspec.UnsetType | None = msgspec.UNSET
    place: PlaceShape | msgspec.UnsetType = msgspec.UNSET


class ServiceLevel(msgspec.Struct, kw_only=True):
    """How well a region was served in a span."""

    region: str
    timezone: str
    from_: datetime = msgspec.field(name="from")
    to: datetime
    by: By
    items: list[RowShape]
    """In order of time; couriers and places with the most orders first."""
    total: FiguresShape
    left_out: int
    """Rows beyond the thousand largest; of very many, at least so many."""


def service_level_shape(
    report: Report, *, region: str, since: datetime, until: datetime, by: By, zone: tzinfo
) -> ServiceLevel:
    """As it goes out; times of rows by the region's clock."""
    return ServiceLevel(
        region=region,
        timezone=report.timezone,
        from_=since,
        to=until,
        by=by,
        items=[_row(line, by, zone) for line in report.lines],
        total=FiguresShape(**_figures(report.total)),
        left_out=report.left_out,
    )


def as_csv(report: ServiceLevel) -> str:
    """The rows, with the figures' names as header; the total is left to who reads them."""
    names = [*COLUMNS_OF[report.by], *FiguresShape.__struct_fields__]
    rows: list[list[Any]] = [names]
    for row in report.items:
        cells = {f.encode_name: getattr(row, f.name) for f in msgspec.structs.fields(row)}
        if isinstance(row.place, PlaceShape):
            cells |= msgspec.structs.asdict(row.place)
        rows.append([cells[name] for name in names])
    return csv_lines(rows)


def _row(line: Line, by: By, zone: tzinfo) -> RowShape:
    key, which = line.key, dict[str, Any]()
    match by:
        case By.HOUR | By.DAY:
            assert key.at is not None
            which = {"from_": key.at.astimezone(zone)}
        case By.COURIER:
            which = {"courier_id": key.courier_id, "courier": line.name}
        case By.PLACE:
            assert key.lat_e4 is not None
            assert key.lon_e4 is not None
            which = {"place": PlaceShape(lat=key.lat_e4 / 1e4, lon=key.lon_e4 / 1e4, address=line.name)}
    return RowShape(**which, **_figures(line.figures))


def _figures(figures: Figures) -> dict[str, Any]:
    on_time = figures.promised - figures.late
    p50, p90 = (None, None) if figures.door_s is None else figures.door_s
    return {
        "placed": figures.placed,
        "delivered": figures.delivered,
        "promised": figures.promised,
        "on_time": on_time,
        "on_time_pct": _percent(on_time, figures.promised),
        "lateness_s": _rounded(figures.late_s / figures.late if figures.late else None),
        "click_to_door_p50_s": _rounded(p50),
        "click_to_door_p90_s": _rounded(p90),
        "offers": figures.offers,
        "offers_accepted": figures.accepted,
        "offers_accepted_pct": _percent(figures.accepted, figures.answered),
        "worked_s": round(figures.worked_s, 1),
        "busy_s": round(figures.busy_s, 1),
        "utilisation_pct": _percent(figures.busy_s, figures.worked_s),
        "distance_m": round(figures.distance_m, 1),
    }


def _percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
