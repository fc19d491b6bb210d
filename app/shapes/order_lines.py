"""Orders in batches: lines of NDJSON or CSV to order shapes, one by one; no I/O."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from app.shapes.orders import NewOrderShape
from app.web.problems import BadInput

MAX_LINES = 2000
"""Orders in one import: they are written in one transaction, which should not take longer than a few seconds."""

ENDS = ("pickup", "dropoff")
STOP_COLUMNS = ("lat", "lon", "address", "instructions", "latest", "service_s")
WINDOW_COLUMNS = ("from", "to", "hard")
CONTACT_COLUMNS = ("name", "phone")
SIZES = ("units", "weight_g", "volume_ml")
PLAIN = ("external_id", "customer_id", "region", "ready_at", "ready_error_s", "priority")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the batch: an order, or what is wrong with it."""

    number: int
    """Counted as an editor does: from 1, with the header of a CSV."""
    order: NewOrderShape | None
    error: str | None = None


def lines_of(body: bytes, content_type: str) -> list[Line]:
    """The lines of a batch by its content type; raises BadInput when it is neither NDJSON nor CSV, or too long."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BadInput("The batch is not UTF-8.", ("", "expected UTF-8")) from exc
    if kind in {"application/x-ndjson", "application/jsonl", "application/ndjson"}:
        found = list(_from_ndjson(text))
    elif kind == "text/csv":
        found = list(_from_csv(text))
    else:
        raise BadInput("Unknown kind of batch.", ("/Content-Type", "expected application/x-ndjson or text/csv"))
    if len(found) > MAX_LINES:
        raise BadInput("The batch is too long.", ("", f"expected at most {MAX_LINES} orders"))
    return found


def _from_ndjson(text: str) -> Iterator[Line]:
    decoder = msgspec.json.Decoder(NewOrderShape)
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield Line(number, decoder.decode(line))
            except (msgspec.ValidationError, msgspec.DecodeError) as exc:
                yield Line(number, None, str(exc))


def _from_csv(text: str) -> Iterator[Line]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for row in reader:
            try:
                yield Line(reader.line_num, msgspec.convert(_nested(row), NewOrderShape, strict=False))
            except (msgspec.ValidationError, ValueError) as exc:
                yield Line(reader.line_num, None, str(exc))
    except csv.Error as exc:
        yield Line(reader.line_num, None, str(exc))


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """Flat columns such as `pickup_lat`, `dropoff_to`, `units` to the shape of an order; empty cells are left out."""
    cells = {name.strip(): value.strip() for name, value in row.items() if isinstance(name, str) and value}
    order: dict[str, Any] = {name: cells[name] for name in PLAIN if name in cells}
    for end in ENDS:
        stop: dict[str, Any] = _part(cells, end, STOP_COLUMNS)
        for part, columns in (("window", WINDOW_COLUMNS), ("contact", CONTACT_COLUMNS)):
            if found := _part(cells, end, columns):
                stop[part] = found
        order[end] = stop
    if size := {name: cells[name] for name in SIZES if name in cells}:
        order["size"] = size
    if "mode" in cells:
        order["mode"] = cells["mode"].split(";") if ";" in cells["mode"] else cells["mode"]
    if "skills" in cells:
        order["skills"] = cells["skills"].split(";")
    return order


def _part(cells: dict[str, str], end: str, columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: cells[f"{end}_{name}"] for name in columns if f"{end}_{name}" in cells}
