"""Splitting an SQL file into statements, so that a failure can name the one that failed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<quoted>[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a file, without its semicolon."""

    text: str
    line: int
    """Line of the file where it begins, from 1."""


def split(sql: str) -> Iterator[Statement]:
    """
    The statements of `sql` in order; comments before a statement belong to it, empty ones are left out.

    Knows quotes, dollar quotes and comments (nested ones too). Not `BEGIN ATOMIC` function bodies.
    """
    start = position = 0
    while match := _TOKEN.search(sql, position):
        position = match.end()
        if match["block"]:
            position = _end_of_comment(sql, position)
        elif tag := match["dollar"]:
            closing = sql.find(tag, position)
            position = len(sql) if closing < 0 else closing + len(tag)
        elif match["end"]:
            yield from _statement(sql, start, match.start())
            start = position
    yield from _statement(sql, start, len(sql))


def _end_of_comment(sql: str, position: int) -> int:
    depth = 1
    while depth and (match := re.compile(r"/\*|\*/").search(sql, position)):
        depth += 1 if match[0] == "/*" else -1
        position = match.end()
    return position if not depth else len(sql)


def _statement(sql: str, start: int, end: int) -> Iterator[Statement]:
    text = sql[start:end]
    if bare(text):
        lead = len(text) - len(text.lstrip())
        yield Statement(text=text.strip(), line=sql.count("\n", 0, start + lead) + 1)


def bare(text: str) -> str:
    """A statement without the comments in front of it."""
    return re.sub(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", "", text, flags=re.DOTALL)
