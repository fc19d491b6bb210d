"""Puts the built console into the wheel: `pip install` of a source tree must not forget the live map."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Builds app/console unless it is built already (as in a source distribution) or the install is editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling calls it so
        """Run before hatchling collects files."""
        root = Path(self.root)
        if version == "editable" or (root / "app" / "console" / "dist" / "index.html").exists():
            return
        builder = root / "app" / "console" / "build.py"
        subprocess.run([sys.executable, str(builder)], check=True)  # noqa: S603 - our own script
