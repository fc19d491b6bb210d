"""
The .proto's lint, its promise to break nobody, and the Python that is generated from it: `build.py`, `build.py check`.

`shipped.binpb` is what apps out there were built from, and only grows: a number or a type in it never changes, nor is
it used again.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import google.api
from grpc_tools import protoc

HERE: Final = Path(__file__).parent
PROTO: Final = "postrider/v1/postrider.proto"
SHIPPED: Final = HERE / "shipped.binpb"
GENERATED: Final = HERE.parents[1] / "client"
OTHERS: Final = (Path(google.api.__path__[0]).parents[1], Path(protoc.__file__).parent / "_proto")
"""Where the wheels have Google's files."""
RULES: Final = (
    '{"version":"v2","lint":{"use":["STANDARD","COMMENT_SERVICE","COMMENT_RPC"],"ignore":["google"]},'
    '"breaking":{"use":["WIRE_JSON"],"ignore":["google"]}}'
)


class Refused(Exception):
    """The .proto will not do, or what was generated from it is another's."""


def main() -> None:
    """Generate, or with `check` only compare."""
    is_check = sys.argv[1:] == ["check"]
    with TemporaryDirectory() as name:
        made = Path(name)
        image = made / "image.binpb"
        _compile(f"--descriptor_set_out={image}", "--include_imports", "--include_source_info")
        _buf("lint", str(image))
        if SHIPPED.exists():
            _buf("breaking", str(image), "--against", str(SHIPPED))
        shipped = made / SHIPPED.name
        _compile(f"--descriptor_set_out={shipped}", "--include_imports", f"--python_out={made}", f"--pyi_out={made}")
        wanted = {SHIPPED: shipped}
        wanted |= {GENERATED / path.name: path for path in (made / PROTO).parent.glob("postrider_pb2.py*")}
        for path, new in wanted.items():
            if not is_check:
                path.write_bytes(new.read_bytes())
            elif not path.exists() or path.read_bytes() != new.read_bytes():
                raise Refused(f"{path.name} is not what {PROTO} makes: run app/doors/proto/build.py")


def _compile(*options: str) -> None:
    if protoc.main(["protoc", f"-I{HERE}", *(f"-I{folder}" for folder in OTHERS), *options, PROTO]) != 0:
        raise Refused(f"{PROTO} cannot be compiled")


def _buf(command: str, *options: str) -> None:
    program = str(Path(sys.executable).with_name("buf"))
    words = [program, command, *options, "--config", RULES]
    done = subprocess.run(words, check=False, text=True, capture_output=True)  # noqa: S603 - our own words
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)


if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        sys.exit(str(refused))
