"""
The program's own time limits, of the APIs and roles that run in a test's process: as long as a busy machine may need.

They are for servers that hang. A test that is about such a limit sets its own.
"""

from types import ModuleType
from typing import Final

import pytest

from app import main
from app.routes import health
from app.web import auth, looks
from app.wiring import redis_client, resources, schema
from tests.waiting import PATIENCE_S
from tracking import events
from tracking.intake import roster

LIMITS: Final[tuple[tuple[ModuleType, str], ...]] = (
    (auth, "CHECK_S"),
    (auth, "LOOK_UP_S"),
    (events, "PUBLISH_TIMEOUT_S"),
    (health, "CHECK_TIMEOUT_S"),
    (looks, "WRITE_S"),
    (main, "REQUEST_WAITS_S"),
    (redis_client, "CONNECT_TIMEOUT_S"),
    (redis_client, "TIMEOUT_S"),
    (resources, "DATABASE_TIMEOUT_S"),
    (roster, "QUERY_TIMEOUT_S"),
    (schema, "LOOK_AT_MOST_S"),
)


def have_patience(patch: pytest.MonkeyPatch) -> None:
    """Until `patch` is undone."""
    for module, name in LIMITS:
        patch.setattr(module, name, PATIENCE_S / 4)
