"""Batches as spreadsheets and other programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.shapes.order_lines import batch_of
from app.web.problems import BadInput

HEADER = "external_id,pickup_lat,pickup_lon,dropoff_lat,dropoff_lon,dropoff_address"


def row(name, address="Main street 1"):
    return f"{name},59.93,30.33,59.94,30.35,{address}"


def csv(*rows, header=HEADER, kind="text/csv", encoding="utf-8", end="\r\n"):
    return batch_of(end.join([header, *rows, ""]).encode(encoding), kind)


def told(batch):
    return [(line.number, line.order.external_id if line.order else line.error) for line in batch.lines]


def test_a_stray_quote_spoils_its_own_record_only():
    batch = csv(row("a"), row("b", '"Cafe "Sun", 2"'), row("c"), row("d"))
    assert [(number, what) for number, what in told(batch) if number != 3] == [(2, "a"), (4, "c"), (5, "d")]
    assert batch.lines[1].number == 3
    assert batch.lines[1].order is None


def test_a_quote_that_is_never_closed_spoils_its_own_record_only():
    batch = csv(row("a"), row("b", '"Cafe'), row("c", '"Sun, 2"'), row("d"))
    assert told(batch) == [(2, "a"), (3, "a quote is not closed"), (4, "c"), (5, "d")]


def test_a_cell_of_several_lines_is_one_record_with_the_number_of_its_first_line():
    batch = csv(row("a", '"Main street 1\r\nfloor 2, left"'), row("b"))
    assert told(batch) == [(2, "a"), (4, "b")]
    assert batch.lines[0].order.dropoff.address == "Main street 1\r\nfloor 2, left"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40), max_size=8), st.data())
def test_whatever_a_record_holds_those_that_are_right_are_read(cells, data):
    rows = [row(f"good{i}") for i in range(4)]
    for cell in cells:
        junk = cell.replace("\n", " ").replace("\r", " ")
        rows.insert(data.draw(st.integers(0, len(rows))), row("odd", junk))
    good = [line.order.external_id for line in csv(*rows).lines if line.order and line.order.external_id != "odd"]
    assert good == [f"good{i}" for i in range(4)]


def test_a_number_of_a_spreadsheet_is_no_instant():
    header = f"{HEADER},dropoff_from,dropoff_to"
    batch = csv(row("a") + ",46352.5833,2026-11-23T12:00:00Z", row("b") + ",,1700000000", header=header)
    assert [line.order for line in batch.lines] == [None, None]
    assert "in column dropoff_from" in batch.lines[0].error
    assert "in column dropoff_to" in batch.lines[1].error


def test_more_cells_than_the_header_are_not_guessed_at():
    batch = csv(row("a", "Main street 28, apt 5, code 12"))
    assert "8 cells where the header has 6" in batch.lines[0].error


def test_errors_name_columns():
    batch = csv("a,north,30.33,59.94,30.35,x", "b,59.93,30.33,59.94,181,x")
    assert "in column pickup_lat" in batch.lines[0].error
    assert "in column dropoff_lon" in batch.lines[1].error


def test_what_nobody_reads_is_told():
    batch = csv(row("a") + ",x", header=f"{HEADER},dropof_to")
    assert batch.lines[0].order is not None
    assert batch.warnings == ["nobody reads the column 'dropof_to'"]
    line = b'{"pickup":{"lat":1,"lon":2,"adress":"x"},"dropoff":{"lat":1,"lon":2,"window":{"til":"x"}},"prio":1}'
    assert batch_of(line, "application/x-ndjson").warnings == [
        "nobody reads the member 'prio'",
        "nobody reads the member 'pickup.adress'",
        "nobody reads the member 'dropoff.window.til'",
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_separators_of_other_countries_with_their_decimal_comma(delimiter):
    batch = csv(
        delimiter.join(["a", "59,93", "30,33", "59.94", "30.35", "Main street 28, apt 5"]),
        header=HEADER.replace(",", delimiter),
    )
    order = batch.lines[0].order
    assert (order.pickup.lat, order.dropoff.lat) == (59.93, 59.94)
    assert order.dropoff.address == "Main street 28, apt 5"


@pytest.mark.parametrize("name", ["windows-1251", "cp1251", '"utf-16"'])
def test_an_encoding_said_in_the_content_type_is_read(name):
    batch = csv(row("a", "Невский 28"), kind=f"text/csv; charset={name}", encoding=name.strip('"'))
    assert batch.lines[0].order.dropoff.address == "Невский 28"


@pytest.mark.parametrize("kind", ["text/csv; charset=klingon", "text/csv; charset=hex", "text/csv", "text/plain"])
def test_what_is_no_batch_is_refused_with_its_place(kind):
    with pytest.raises(BadInput):
        batch_of("é".encode("latin-1"), kind)


def test_a_byte_order_mark_is_no_part_of_the_first_column():
    assert csv(row("a"), header=f"\ufeff{HEADER}").warnings == []


def test_only_a_line_feed_ends_a_line_of_ndjson():
    line = '{"external_id":"%s","pickup":{"lat":1,"lon":2},"dropoff":{"lat":1,"lon":2,"address":"%s"}}'
    addresses = ["a", "Main street 1\u2028flat 5", "Main\x85street", "ok"]
    text = "\n".join(line % (i, address) for i, address in enumerate(addresses))
    batch = batch_of(text.encode(), "application/x-ndjson")
    assert [line.order.dropoff.address for line in batch.lines] == addresses


def test_text_that_no_database_stores_spoils_its_own_record_only():
    batch = csv(row("a"), row("b", "Main\x00street"), row("c"))
    assert told(batch) == [(2, "a"), (3, "expected text without U+0000"), (4, "c")]
    line = '{"pickup":{"lat":1,"lon":2},"dropoff":{"lat":1,"lon":2,"address":"%s"}}'
    batch = batch_of("\n".join([line % "a", line % "a\\u0000b", line % "c"]).encode(), "application/x-ndjson")
    assert [line.order is None for line in batch.lines] == [False, True, False]
    assert batch.lines[1].error.startswith("/dropoff/address: ")
