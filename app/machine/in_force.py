"""`postrider settings`: what is in force, where each comes from, and what was set that is no setting."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Final

from app.settings import Settings, variable_of
from app.wiring.child import CHILD_OF

OTHERS: Final = frozenset({"POSTRIDER_URL", "POSTRIDER_TOKEN", CHILD_OF, "POSTRIDER_BRIDGE_PASSWORD"})
"""Of the tools, and between processes."""
TESTS: Final = ("POSTRIDER_TEST_", "POSTRIDER_DATA")

_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^/\s]*(?=@)|(password=)[^&\s]*")
_SECRET = re.compile(r"key|token|secret|password")


def in_force(settings: Settings, environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(variable, value, where it comes from) of every setting; secrets are masked."""
    for one in fields(settings):
        name = variable_of(one.name)
        source = "environment" if name in environ else f"{name}_FILE" if environ.get(f"{name}_FILE") else "default"
        yield name, masked(one.name, getattr(settings, one.name)), source


def masked(field_name: str, value: object) -> str:
    """A value as it may be shown."""
    text = "" if value is None else str(value)
    if isinstance(value, str) and value and _SECRET.search(field_name):
        return "***"
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", text)


def unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """A line for each variable of ours that nothing reads, with the nearest name that something does."""
    names = {variable_of(one.name) for one in fields(Settings)}
    known = names | {f"{name}_FILE" for name in names} | OTHERS
    for name in sorted(environ):
        if name.startswith("POSTRIDER_") and name not in known and not name.startswith(TESTS):
            near = get_close_matches(name, known, n=1)
            yield f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else "")
