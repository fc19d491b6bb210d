"""osrm-routed beside the demo, where its programs are in the environment: real ways, for couriers and planner alike."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from app.machine.servers import free_port
from tracking.position import Mode

ENGINES: Final = Path(sys.prefix) / "engines" / "osrm"
"""Where `make setup` unpacks the wheel `osrm-bindings`."""
PROFILES: Final = {Mode.CAR: "car", Mode.BICYCLE: "bicycle", Mode.FOOT: "foot"}
ENDS_WITHIN_S: Final = 5.0


@asynccontextmanager
async def routing(source: Path | None, folder: Path, say: Callable[[str], None]) -> AsyncIterator[dict[Mode, str]]:
    """The engines' addresses by mode for those streets, as long as the context; none where there are no programs."""
    programs = ENGINES / "bin"
    if source is None or not (programs / "osrm-routed").exists():
        yield {}
        return
    running: list[asyncio.subprocess.Process] = []
    urls: dict[Mode, str] = {}
    try:
        for mode, profile in PROFILES.items():
            graph = await _graph(source, folder / profile, profile, say)
            if graph is None:
                continue
            port = free_port()
            where = ("-i", "127.0.0.1", "-p", str(port), "-t", "1", "--algorithm", "mld")
            process = await asyncio.create_subprocess_exec(
                str(programs / "osrm-routed"),
                *where,
                str(graph),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            running.append(process)
            urls[mode] = f"http://127.0.0.1:{port}"
        yield urls
    finally:
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in running:
            try:
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _graph(source: Path, folder: Path, profile: str, say: Callable[[str], None]) -> Path | None:
    """The engine's own files, made once; None where it cannot make them."""
    # The folder bears the name of the version of the streets.
    graph, whole = folder / f"{profile}.osrm", folder / "whole"
    if whole.exists():
        return graph
    say(f"streets of {source.name.split('.')[0]}: ways by {profile}")
    link = await asyncio.to_thread(_emptied, folder, source, profile)
    lua = str(ENGINES / "share" / "profiles" / f"{profile}.lua")
    for step in (
        ("osrm-extract", "-t", "1", "-p", lua, str(link)),
        ("osrm-partition", "-t", "1", str(graph)),
        ("osrm-customize", "-t", "1", str(graph)),
    ):
        process = await asyncio.create_subprocess_exec(
            str(ENGINES / "bin" / step[0]),
            *step[1:],
            cwd=folder,
            env=dict(os.environ),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if await process.wait():
            say(f"streets: {step[0]} cannot read {source.name}; ways by {profile} are straight")
            return None
    whole.touch()
    return graph


def _emptied(folder: Path, source: Path, profile: str) -> Path:
    """A folder with nothing but the cut-out, under the name that the engine's files take theirs from."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    link = folder / f"{profile}{''.join(source.suffixes[-2:])}"
    link.symlink_to(source.resolve())
    return link
