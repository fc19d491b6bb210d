"""The examples of app/integration.md, as a stranger runs them."""

import asyncio
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = (ROOT / "app/integration.md").read_text()
EXAMPLES: Final = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


async def said_by(name: str, folder: Path, environ: Mapping[str, str], renamed: Mapping[str, str]) -> list[str]:
    """What an example prints, in words; `renamed`: names in it that are others here."""
    text = EXAMPLES[name]
    for before, after in renamed.items():
        assert before in text
        text = text.replace(before, after)
    file = folder / f"{name}.py"
    file.write_text(text)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, file, env=environ, stdout=pipe, stderr=pipe)
    try:
        told, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return told.decode().split()
