"""A role in a process of its own, started again whenever it ends, and stopped with whoever started it."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

log = logging.getLogger(__name__)

CHILD_OF: Final = "POSTRIDER_CHILD_OF"
"""Variable with the process id of whoever started it: it ends with that one, be it by kill -9."""
STOP_WITHIN_S = 15.0
"""Then a child is killed; nothing is lost by that, for what is accepted is in the log."""
RESTART_AFTER_S = 0.5
RESTART_AFTER_AT_MOST_S = 15.0
STEADY_AFTER_S = 30.0
"""A child that lived this long starts again at once when it dies."""


@dataclass(slots=True)
class Child:
    """A role and the process that plays it now."""

    role: str
    process: asyncio.subprocess.Process | None = None

    async def keep_running(self, environ: Mapping[str, str]) -> None:
        """Start the role's process, and again whenever it ends; on cancellation stop it."""
        wait_s = RESTART_AFTER_S
        try:
            while True:
                began = monotonic()
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "app",
                    self.role,
                    env={**environ, CHILD_OF: str(os.getpid())},
                    start_new_session=True,
                )
                code = await self.process.wait()
                if monotonic() - began > STEADY_AFTER_S:
                    wait_s = RESTART_AFTER_S
                facts = {"role": self.role, "code": code, "again_in_s": wait_s}
                log.error("role ended", extra={"event": "role_ended", **facts})
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RESTART_AFTER_AT_MOST_S)
        finally:
            if self.process is not None and self.process.returncode is None:
                await _stop(self.process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await process.wait()
    except TimeoutError:
        # The whole group: the API's workers are children of its supervisor.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
