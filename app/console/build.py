"""
Builds or checks the console with npm: the system's Node when it is new enough, else the one of a PyPI wheel.

    python app/console/build.py            # npm ci, npm run build
    python app/console/build.py check      # types and tests of the front end, and whether its types are the API's
    python app/console/build.py types      # src/lib/openapi.ts and app/client again, from what the API says of itself now
"""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))  # run as a script, also where nothing is installed

from app.machine.node import npm  # noqa: E402


def run(*arguments: str, stdin: str | None = None) -> None:
    """Run npm in this folder; raises CalledProcessError."""
    command, environ = npm()
    subprocess.run([*command, *arguments], cwd=HERE, env=environ, check=True, input=stdin, text=True)


def install() -> None:
    """Put the packages of package-lock.json into node_modules, unless they are there already."""
    marker = HERE / "node_modules" / ".package-lock.json"
    if not marker.exists() or marker.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        run("ci", "--no-audit", "--no-fund", "--loglevel=error")


def api_shapes() -> str:
    """
    The OpenAPI of the API in this tree as JSON, its named shapes only; needs the packages of the backend.

    The console writes paths itself, and a page of a list is generic in TypeScript. So what is left names no module of
    the backend: moving a file there changes nothing here.
    """
    from app.main import create_app  # here, for building needs no backend
    from app.settings import Settings

    described = create_app(Settings()).openapi_schema.to_schema()
    shapes = {name: shape for name, shape in described["components"]["schemas"].items() if not name.startswith("Page_")}
    return json.dumps({**described, "paths": {}, "components": {"schemas": shapes}})


def check_types() -> None:
    """Exit unless src/lib/openapi.ts is what `types` would write."""
    try:
        run("run", "types", "--silent", "--", "--check", stdin=api_shapes())
    except subprocess.CalledProcessError:
        sys.exit("src/lib/openapi.ts is not what the API says of itself: python app/console/build.py types")


def main() -> None:
    """Entry point."""
    install()
    if sys.argv[1:] == ["types"]:
        run("run", "types", "--silent", stdin=api_shapes())
        subprocess.run([sys.executable, HERE.parent / "client" / "build.py"], check=True)
    elif sys.argv[1:] == ["check"]:
        check_types()
        run("run", "check", "--silent")
        run("test", "--silent")
    else:
        run("run", "build", "--silent")


if __name__ == "__main__":
    main()
