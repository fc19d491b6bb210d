"""What keeps a command from doing its work, as a line that says what to change; a traceback is for defects only."""

import httpx

from app.machine.api import PortTaken
from app.machine.backup import BackupError
from app.machine.embedded import FolderInUse
from app.machine.running import NotRunning
from app.machine.servers import NotInstalled, ServerFailed
from app.machine.up import StartError
from app.settings import SettingError
from app.simulation.replay import ReplayError
from app.wiring.schema import Unfit
from sql.ledger import MigrationError
from tracking import tracing
from tracking.outages import DATABASE_DRIVER, REDIS_DRIVER, words

OURS = (
    BackupError,
    FolderInUse,
    MigrationError,
    NotInstalled,
    NotRunning,
    PortTaken,
    ReplayError,
    ServerFailed,
    SettingError,
    StartError,
    Unfit,
    tracing.NotInstalled,
)
"""Their words are meant for whoever runs the program."""


def complaint(error: BaseException) -> str | None:
    """A line for each cause; None where one of them is a defect of ours."""
    if isinstance(error, BaseExceptionGroup):
        lines = [complaint(one) for one in error.exceptions]
        known = [line for line in lines if line is not None]
        return "\n".join(dict.fromkeys(known)) if len(known) == len(lines) else None
    if isinstance(error, OURS):
        return str(error)
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.request.url}: {error.response.status_code} {_title(error.response)}"
    if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
        return f"the API does not answer: {words(error)}"
    if isinstance(error, REDIS_DRIVER):
        return f"REDIS_URL: {words(error)}"
    if isinstance(error, DATABASE_DRIVER):
        return f"DATABASE_URL: {words(error)}"
    return f"cannot go on: {words(error)}" if isinstance(error, OSError) else None


def _title(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return ""
    return str(body.get("detail") or body.get("title") or "") if isinstance(body, dict) else ""
