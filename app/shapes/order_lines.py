"""
Orders in batches: lines of NDJSON or CSV to order shapes, one by one; no I/O.

A record stands for itself: what is wrong with one is told with its line, and the next is read as if nothing had been.
"""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.shapes.orders import NewOrderShape, StopShape, WindowShape
from app.web.problems import BadInput
from app.web.unbearable import places_of_nul
from tracking import instants

MAX_LINES: Final = 2000
"""Orders in one import: they are written in one transaction, which should not take longer than a few seconds."""
MAX_LINES_OF_A_RECORD: Final = 50
"""A cell in quotes may hold line breaks; a quote that is not closed by then was never meant to open one."""
MAX_WARNINGS: Final = 20
NO_NUL: Final = "expected text without U+0000"

ENDS = ("pickup", "dropoff")
STOP_COLUMNS = ("lat", "lon", "address", "instructions", "latest", "service_s")
WINDOW_COLUMNS = ("from", "to", "hard")
CONTACT_COLUMNS = ("name", "phone")
SIZES = ("units", "weight_g", "volume_ml")
PLAIN = (
    "external_id",
    "customer_id",
    "partner",
    "region",
    "ready_at",
    "ready_is_estimate",
    "ready_error_s",
    "priority",
    "max_on_board_s",
    "kind",
    "depot",
    "group_id",
)
COLUMNS: Final = frozenset(
    {*PLAIN, *SIZES, "mode", "skills"}
    | {f"{end}_{name}" for end in ENDS for name in (*STOP_COLUMNS, *WINDOW_COLUMNS, *CONTACT_COLUMNS)}
)
INSTANTS: Final = frozenset({"ready_at"} | {f"{end}_{name}" for end in ENDS for name in ("from", "to", "latest")})
DECIMAL_COMMA: Final = re.compile(r"-?\d+,\d+")

ORDER_MEMBERS: Final = frozenset(field.encode_name for field in msgspec.structs.fields(NewOrderShape))
STOP_MEMBERS: Final = frozenset(field.encode_name for field in msgspec.structs.fields(StopShape))
WINDOW_MEMBERS: Final = frozenset(field.encode_name for field in msgspec.structs.fields(WindowShape))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the batch: an order, or what is wrong with it."""

    number: int
    """Counted as an editor does: from 1, with the header of a CSV; of a record of several lines the first."""
    order: NewOrderShape | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What a body holds."""

    lines: list[Line]
    warnings: list[str]
    """Columns or members that nobody reads: misspelt, perhaps."""


def batch_of(body: bytes, content_type: str) -> Batch:
    """
    A batch by its content type, with the encoding that this names, else UTF-8.

    Raises BadInput when it is neither NDJSON nor CSV, in another encoding, or too long.
    """
    kind, _, parameters = content_type.partition(";")
    text = _decoded(body, parameters)
    match kind.strip().lower():
        case "application/x-ndjson" | "application/jsonl" | "application/ndjson":
            batch = _from_ndjson(text)
        case "text/csv":
            batch = _from_csv(text)
        case _:
            raise BadInput("Unknown kind of batch.", ("/Content-Type", "expected application/x-ndjson or text/csv"))
    if len(batch.lines) > MAX_LINES:
        raise BadInput("The batch is too long.", ("", f"expected at most {MAX_LINES} orders"))
    return batch


def _decoded(body: bytes, parameters: str) -> str:
    found = re.search(r"charset\s*=\s*\"?([\w.:-]+)", parameters, re.IGNORECASE)
    name = found[1] if found else "utf-8"
    try:
        codec = codecs.lookup("utf-8-sig" if name.lower() in {"utf-8", "utf8"} else name)
        text = body.decode(codec.name)
    except LookupError as exc:  # also a codec that is no encoding of text
        raise BadInput("Unknown encoding.", ("/Content-Type", f"{name} is no encoding of text")) from exc
    except UnicodeError as exc:
        expected = f"expected {name}" if found else "expected UTF-8; another encoding is named by charset="
        raise BadInput(f"The batch is not {name.upper()}.", ("", expected)) from exc
    return text.removeprefix("\ufeff")


def _from_ndjson(text: str) -> Batch:
    decoder = msgspec.json.Decoder(NewOrderShape)
    lines, unknown = [], dict[str, None]()
    # Only \n ends a line: JSON may hold U+2028 and its like within a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            order, document = decoder.decode(line), msgspec.json.decode(line)
            nul_at = next(places_of_nul(document, ""), None)
            lines.append(Line(number, order) if nul_at is None else Line(number, None, f"{nul_at}: {NO_NUL}"))
            unknown |= dict.fromkeys(_unknown_members(document))
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as exc:
            lines.append(Line(number, None, str(exc)))
    return Batch(lines, _warnings("member", unknown))


def _unknown_members(order: dict[str, Any]) -> Iterator[str]:
    yield from (name for name in order if name not in ORDER_MEMBERS)
    for end in ENDS:
        stop = order.get(end) or {}
        yield from (f"{end}.{name}" for name in stop if name not in STOP_MEMBERS)
        window = stop.get("window") or {}
        yield from (f"{end}.window.{name}" for name in window if name not in WINDOW_MEMBERS)


def _from_csv(text: str) -> Batch:
    rows = text.split("\n")
    delimiter = _delimiter_of(rows[0])
    try:
        header = [name.strip() for name in _cells(rows[0], delimiter)]
    except csv.Error as exc:
        raise BadInput("The header cannot be read.", ("/1", str(exc))) from exc
    if twice := next((name for name in header if name and header.count(name) > 1), None):
        raise BadInput("The header names a column twice.", ("/1", f"{twice} stands there twice"))
    lines = [
        _line(number, cells, header, delimiter) for number, cells in _records(rows, delimiter, n_cells=len(header))
    ]
    unknown = [name for name in header if name and name not in COLUMNS]
    return Batch(lines, _warnings("column", unknown))


def _delimiter_of(header: str) -> str:
    return max(",;\t", key=header.count)


def _cells(record: str, delimiter: str) -> list[str]:
    """Raises csv.Error."""
    return next(csv.reader([record], delimiter=delimiter, strict=True), [])


def _records(rows: list[str], delimiter: str, *, n_cells: int) -> Iterator[tuple[int, list[str] | str]]:
    """First line and cells of each record after the header, or what is wrong with it."""
    at = 1
    while at < len(rows):
        number, record, wrong = at + 1, rows[at].removesuffix("\r"), ""
        at += 1
        if not record.strip():
            continue
        try:
            yield number, _cells(record, delimiter)
            continue
        except csv.Error as exc:
            wrong = str(exc)
        if joined := _joined(rows, at - 1, delimiter, n_cells):
            at, cells = joined
            yield number, cells
        else:
            yield number, "a quote is not closed" if "unexpected end of data" in wrong else wrong


def _joined(rows: list[str], first: int, delimiter: str, n_cells: int) -> tuple[int, list[str]] | None:
    """A record whose quoted cell goes on in the next lines, and the line after it; None: there is none."""
    for last in range(first + 1, min(first + MAX_LINES_OF_A_RECORD, len(rows))):
        alone = _length(rows[last].removesuffix("\r"), delimiter)
        if alone == n_cells > 1:
            return None  # a whole record by itself: the quote before it was a stray one
        try:
            cells = _cells("\n".join(rows[first : last + 1]).removesuffix("\r"), delimiter)
        except csv.Error as exc:
            if "unexpected end of data" not in str(exc):
                return None
        else:
            return last + 1, cells
    return None


def _length(record: str, delimiter: str) -> int:
    try:
        return len(_cells(record, delimiter))
    except csv.Error:
        return -1


def _line(number: int, cells: list[str] | str, header: list[str], delimiter: str) -> Line:
    if isinstance(cells, str):
        return Line(number, None, cells)
    if any("\x00" in cell for cell in cells):
        return Line(number, None, NO_NUL)
    if len(cells) > len(header):
        wrong = f"{len(cells)} cells where the header has {len(header)}: a cell with the separator in it needs quotes"
        return Line(number, None, wrong)
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name and cell.strip()}
    try:
        return Line(number, msgspec.convert(_nested(values, delimiter), NewOrderShape, strict=False))
    except msgspec.ValidationError as exc:
        return Line(number, None, _in_columns(str(exc)))
    except ValueError as exc:
        return Line(number, None, str(exc))


def _in_columns(text: str) -> str:
    """A validation error with the column's name in place of the place in JSON."""

    def column(match: re.Match[str]) -> str:
        parts = [part for part in match[1].split(".") if part not in {"window", "contact", "size"}]
        return f"in column {'_'.join(parts)}"

    return re.sub(r"at `\$\.([\w.]+)(?:\[\.{3}\])?(?:\[\d+\])?`", column, text)


def _nested(cells: dict[str, str], delimiter: str) -> dict[str, Any]:
    """Flat columns such as `pickup_lat`, `dropoff_to`, `units` to the shape of an order. Raises ValueError."""
    for name in INSTANTS & cells.keys():
        try:  # a number is no instant, though a spreadsheet shows it as one
            cells[name] = instants.parse(cells[name]).isoformat()
        except ValueError as exc:
            raise ValueError(f"{exc} in column {name}") from exc
    if delimiter != ",":
        cells = {
            name: value.replace(",", ".") if DECIMAL_COMMA.fullmatch(value) else value for name, value in cells.items()
        }
    order: dict[str, Any] = {name: cells[name] for name in PLAIN if name in cells}
    for end in ENDS:
        stop: dict[str, Any] = _part(cells, end, STOP_COLUMNS)
        for part, columns in (("window", WINDOW_COLUMNS), ("contact", CONTACT_COLUMNS)):
            if found := _part(cells, end, columns):
                stop[part] = found
        if stop or "kind" not in cells:  # an order of one stop says so
            order[end] = stop
    if size := {name: cells[name] for name in SIZES if name in cells}:
        order["size"] = size
    if "mode" in cells:
        order["mode"] = _several(cells["mode"]) if re.search("[;|]", cells["mode"]) else cells["mode"]
    if "skills" in cells:
        order["skills"] = _several(cells["skills"])
    return order


def _several(cell: str) -> list[str]:
    return [part.strip() for part in re.split("[;|]", cell) if part.strip()]


def _part(cells: dict[str, str], end: str, columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: cells[f"{end}_{name}"] for name in columns if f"{end}_{name}" in cells}


def _warnings(what: str, unknown: Iterable[str]) -> list[str]:
    return [f"nobody reads the {what} {name[:100]!r}" for name in unknown][:MAX_WARNINGS]
