"""
The image without a container engine: its build stages run on exactly the files that they copy.

What comes out is installed into an empty environment, and started there as a person would. The other packages in there
are those that `requirements/runtime.txt` names, and what the embedded servers need, as this environment has them:
`make setup` has downloaded and checked them once.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from importlib.metadata import Distribution, distribution
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.machine.node import npm
from tests.acceptance.test_orders import HOME, RESTAURANT
from tests.acceptance.test_up import ROOT, Program, own_folder
from tests.composed import NOT_HERE, SERVICES, composed, in_order
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["own_folder"]

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
PINNED = re.compile(r"^([\w.-]+==[^\s\\]+)(?: ; ([^\\]+?))? \\\n((?:    --hash=\S+(?: \\)?\n)+)", re.MULTILINE)


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


def link(source, target):
    """The same file once more, or its copy, where that is another file system."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def assert_locked(folder):
    """What is in node_modules is what package-lock.json says, but for packages of other machines."""
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    there = json.loads((folder / "node_modules" / ".package-lock.json").read_text())["packages"]
    assert [name for name, one in there.items() if locked[name]["version"] != one["version"]] == []
    assert [name for name in locked.keys() - there.keys() - {""} if not locked[name].get("optional")] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Of the stages `console` and `wheels`, by their own commands; the packages of npm are those of the checkout."""
    built = {}
    command, environ = npm()
    for name in ("console", "wheels"):
        built[name] = folder = tmp_path_factory.mktemp(name)
        for instruction in stages()[name]:
            if instruction.startswith("COPY "):
                copy(instruction, folder, built)
            elif instruction.startswith("RUN npm ci"):
                packages = ROOT / "app" / "console" / "node_modules"
                shutil.copytree(packages, folder / "node_modules", copy_function=link, symlinks=True)
                assert_locked(folder)
            elif instruction.startswith("RUN npm "):
                build = [*command, *instruction.split()[2:], "--", "--mode", "uncompressed"]
                subprocess.run(build, cwd=folder, env=environ, check=True)
    command = next(i for i in stages()["wheels"] if "hatchling build" in i)
    arguments = re.search(r"-m hatchling build (.*?)\s*&&", command)[1].replace("/tmp/wheel", "dist").split()
    subprocess.run([sys.executable, "-m", "hatchling", "build", *arguments], cwd=built["wheels"], check=True)
    (made,) = (built["wheels"] / "dist").glob("*.whl")
    return made


def pinned(name: str) -> dict[str, tuple[Requirement, str]]:
    """What a file of `requirements/` pins for this machine, by name, each with its hashes."""
    text = (ROOT / "requirements" / name).read_text()
    assert len(PINNED.findall(text)) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE))
    found = {}
    for what, where, hashes in PINNED.findall(text):
        package = Requirement(f"{what}; {where}" if where else what)
        if not package.marker or package.marker.evaluate():
            found[canonicalize_name(package.name)] = package, hashes
    return found


def needed(name: str) -> Iterator[Distribution]:
    """A package, and what it needs."""
    found = distribution(name)
    yield found
    for line in found.requires or ():
        requirement = Requirement(line)
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            yield from needed(requirement.name)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The program in an environment of its own, with the embedded servers."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    packages = [distribution(name) for name in pinned("runtime.txt")]
    packages += [package for line in extras["embedded"] for package in needed(Requirement(line).name)]
    for package in {package.name: package for package in packages}.values():
        for file in package.files:
            if ".." not in file.parts and file.locate().exists():  # not what was compiled and then cleaned away
                link(file.locate(), site / file)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(folder)]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    subprocess.run([*pip, "check"], check=True)
    return str(folder / "bin" / "postrider")


def test_what_the_image_installs_has_been_downloaded_and_checked_for_the_tests():
    here = pinned("dev.txt")
    for name, (package, hashes) in pinned("runtime.txt").items():
        assert name in here
        if here[name][0] == package:
            assert here[name][1] == hashes, name


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


@pytest.mark.parametrize(
    ("command", "said"),
    [(["up"], "postrider ready http://"), (["demo", "--couriers", "20"], "the desk: http://")],
    ids=["up", "demo"],
)
def test_the_installed_program_starts_where_nothing_else_is(installed, own_folder, tmp_path, command, said):
    program = Program(
        own_folder,
        command=[installed, *command],
        until=re.compile(re.escape(said)),
        cwd=tmp_path,
        stderr=subprocess.STDOUT,
    )
    try:
        assert program.lines[-1].startswith(said), "\n".join(program.lines)
    finally:
        program.close()


OF_THE_MACHINE = {"disk", "files", "slow statements"}
"""What `postrider check` may find here, and compose is not to blame for."""


def test_what_compose_would_start_works_from_the_installed_program_and_packages(installed, servers_folder):
    assert {*in_order(), *NOT_HERE} == SERVICES.keys()
    folder = servers_folder / "composed"
    folder.mkdir(mode=0o755)
    with composed(folder, Path(installed)) as made:
        for name in made.roles():
            wait_until(lambda name=name: made.is_well(name))
        headers = {"Authorization": f"Bearer {made.run('token', 'admin').strip()}"}
        with httpx.Client(base_url=made.url, headers=headers, verify=False, timeout=PATIENCE_S) as staff:
            courier = staff.post("/v1/couriers", json={"name": "Ana", "mode": "bicycle"}).json()["id"]
            at = datetime.now(UTC)
            fix = {"courier_id": courier, "fixed_at": at.isoformat(), **RESTAURANT}
            assert staff.post("/v1/positions", json=[fix]).json()["accepted"] == 1
            order = staff.post("/v1/orders", json={"pickup": RESTAURANT, "dropoff": HOME}).json()["id"]
            wait_until(lambda: staff.get(f"/v1/orders/{order}").json()["state"] != "placed")
            span = {"from": (at - timedelta(hours=1)).isoformat(), "to": (at + timedelta(hours=1)).isoformat()}
            track = {"resolution": "raw", **span}
            wait_until(
                lambda: staff.get(f"/v1/couriers/{courier}/track", params=track).json()["properties"]["fixed_at"]
            )
            assert staff.get("/metrics").status_code == 404  # what is inside stays inside
            with staff.stream("GET", "/v1/live", params={"bbox": "-9,41,-8,42"}) as stream:
                assert any(line == "event: snapshot" for line in stream.iter_lines())  # nothing is kept back
        prometheus = f"http://127.0.0.1:{made.ports['prometheus']}/api/v1"
        seen = {"query": f"min(up) == 1 and count(up) == {len(made.roles())}"}
        wait_until(lambda: asked(f"{prometheus}/query", **seen)["result"])
        known = asked(f"{prometheus}/alertmanagers")["activeAlertmanagers"]
        assert [one["url"].split("/")[2] for one in known] == [f"127.0.0.1:{made.ports['alertmanager']}"]
        assert made.found_wrong() <= OF_THE_MACHINE


def asked(url, **params):
    answer = httpx.get(url, params=params, timeout=PATIENCE_S)
    return answer.json()["data"]
