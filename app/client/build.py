"""
The client's calls and shapes, from what the API says of itself and from the .proto: `build.py`, `build.py check`.

`shapes.py` has a TypedDict a shape, which costs nothing at run time; `calls.py` a method a request; `rpc.py` a method a
call of gRPC.
"""

import json
import keyword
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))  # run as a script, also where nothing is installed

METHODS: Final = ("get", "post", "put", "patch", "delete")
PLAIN: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
HEAD: Final = '"""{words}; written by build.py from the API\'s description."""\n\n{imports}\n\n'


def main() -> None:
    """Write, or with `check` only compare."""
    from app.main import create_app  # noqa: PLC0415 - after the path is set
    from app.settings import Settings  # noqa: PLC0415

    described = json.loads(json.dumps(create_app(Settings()).openapi_schema.to_schema()))
    made = Maker(described)
    calls = made.calls()
    for name, text in {"calls.py": calls, "shapes.py": made.shapes(), "rpc.py": rpc()}.items():
        formatted = _formatted(text)
        path = HERE / name
        if sys.argv[1:] != ["check"]:
            path.write_text(formatted)
        elif not path.exists() or path.read_text() != formatted:
            sys.exit(f"app/client/{name} is not what the API says of itself: python app/console/build.py types")


class Maker:
    """Python of a description."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self._paths: Mapping[str, Any] = described["paths"]
        self._schemas: Mapping[str, Any] = described["components"]["schemas"]
        self._wanted: dict[str, str] = {}

    def calls(self) -> str:
        """A class with a method a request; shapes it names are remembered for `shapes`."""
        found = list(self._operations())
        n_of = Counter(_name_of(path, method, operation) for path, method, operation in found)
        methods = []
        for path, method, operation in found:
            name = _name_of(path, method, operation)
            room = path.split("/")[2]
            methods.append(self._method(f"{room}_{name}" if n_of[name] > 1 else name, path, method, operation))
        imports = (
            "from __future__ import annotations\n\nfrom typing import Any, Literal\n\n"
            "from . import shapes\nfrom .connection import Connection, at"
        )
        head = HEAD.format(words="Every call of the API", imports=imports)
        return (
            head
            + 'class Calls(Connection):\n    """A method a request; what a body holds says its type."""\n\n'
            + "\n".join(methods)
        )

    def shapes(self) -> str:
        """The shapes that the calls name, and those in them."""
        texts: dict[str, str] = {}
        while waiting := [name for name in self._wanted if name not in texts]:
            for name in waiting:
                texts[name] = self._shape(name)
        imports = "from __future__ import annotations\n\nfrom typing import Any, Literal, NotRequired, TypedDict"
        return HEAD.format(words="What goes over the wire", imports=imports) + "\n\n".join(
            texts[name] for name in sorted(texts)
        )

    def _operations(self) -> Iterator[tuple[str, str, Any]]:
        for path, item in sorted(self._paths.items()):
            for method in METHODS:
                if path.startswith("/v1/") and method in item and not path.endswith(("/stream", "/live")):
                    yield path, method, item[method]

    def _method(self, name: str, path: str, method: str, operation: Any) -> str:
        parameters = operation.get("parameters", [])
        named = [one["name"] for one in parameters if one["in"] == "path"]
        query = [one for one in parameters if one["in"] == "query"]
        headers = {one["name"] for one in parameters if one["in"] == "header"}
        arguments = [f"{_safe(one)}: str" for one in named]
        options = []
        for one in query:
            kind = self._type(one.get("schema", {}), "shapes.")
            options.append(
                f"{_safe(one['name'])}: {kind}"
                + ("" if one.get("required") else f"{'' if 'None' in kind else ' | None'} = None")
            )
        options.sort(key=lambda one: " = " in one)
        given = []
        if (body := operation.get("requestBody")) is not None:
            schema = next(iter(body["content"].values())).get("schema", {})
            kind = self._type(schema, "shapes.")
            arguments.append(f"body: {kind}" + (" = None" if kind.endswith("None") else ""))
            given.append("body=body")
        if query:
            given.append("query={" + ", ".join(f"{one['name']!r}: {_safe(one['name'])}" for one in query) + "}")
        if "If-Match" in headers:
            options.append("if_match: str | None = None")
            given.append("if_match=if_match")
        if "Idempotency-Key" in headers:
            options.append("key: str | None = None")
            given.append("key=key")
        signature = ", ".join(["self", *arguments, *(["*", *options] if options else [])])
        address = f"at({path!r}, {', '.join(f'{one}={_safe(one)}' for one in named)})" if named else repr(path)
        answer = self._answer(operation)
        asked = f"await self.ask({', '.join([repr(method.upper()), address, *given])})"
        does = asked if answer == "None" else f"answer: {answer} = {asked}\n        return answer"
        doc = f'"""`{method.upper()} {path}`."""'
        return f"    async def {name}({signature}) -> {answer}:\n        {doc}\n        {does}\n"

    def _answer(self, operation: Any) -> str:
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                content = response.get("content", {})
                if not content:
                    return "None"
                if list(content) == ["application/json"]:
                    return self._type(content["application/json"].get("schema", {}), "shapes.")
        return "Any"

    def _shape(self, name: str) -> str:
        schema = self._schemas[name]
        if schema.get("type") != "object" or "properties" not in schema:
            return f"{self._class_of(name)} = {self._type(schema, '', is_run=True)}\n"
        required = set(schema.get("required", ()))
        fields = {
            key: kind if key in required else f"NotRequired[{kind}]"
            for key, value in schema["properties"].items()
            for kind in [self._type(value, "")]
        }
        words = " ".join(schema.get("description", "").split("\n\n")[0].split())
        if all(key.isidentifier() and not keyword.iskeyword(key) for key in fields):
            lines = "\n".join(f"    {key}: {kind}" for key, kind in fields.items())
            doc = f'    """{words}"""\n\n' if words else ""
            return f"class {self._class_of(name)}(TypedDict):\n{doc}{lines}\n"
        lines = ", ".join(f"{key!r}: {kind!r}" for key, kind in fields.items())
        return f"{self._class_of(name)} = TypedDict({self._class_of(name)!r}, {{{lines}}})\n"

    def _class_of(self, name: str) -> str:
        """A page is called by what is on it, for the description names it by where its code lies."""
        items = self._schemas[name].get("properties", {}).get("items", {}).get("items", {})
        if name.startswith("Page_") and (ref := items.get("$ref")) is not None:
            return f"PageOf{self._class_of(ref.rpartition('/')[2])}"
        return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^0-9A-Za-z]+", name))

    def _type(self, schema: Any, prefix: str, *, is_run: bool = False) -> str:
        if (ref := schema.get("$ref")) is not None:
            name = ref.rpartition("/")[2]
            self._wanted.setdefault(name, "")
            return f'"{self._class_of(name)}"' if is_run else prefix + self._class_of(name)
        for key in ("oneOf", "anyOf"):
            if key in schema:
                return _union([self._type(one, prefix) for one in schema[key]])
        if "enum" in schema:
            return f"Literal[{', '.join(repr(one) for one in schema['enum'])}]"
        if "const" in schema:
            return f"Literal[{schema['const']!r}]"
        kind = schema.get("type")
        if isinstance(kind, list):
            return _union([self._type({**schema, "type": one}, prefix) for one in kind])
        if kind == "array":
            return f"list[{self._type(schema.get('items', {}), prefix)}]"
        if kind == "object":
            values = schema.get("additionalProperties")
            return f"dict[str, {self._type(values, prefix) if isinstance(values, dict) else 'Any'}]"
        return PLAIN.get(str(kind), "Any")


def rpc() -> str:
    """A class with a method a call of the .proto."""
    from app.client import postrider_pb2  # noqa: PLC0415 - as above

    imports = (
        "from collections.abc import AsyncIterator\nfrom typing import Any\n\n"
        "import grpc\n\nfrom . import postrider_pb2 as pb"
    )
    head = HEAD.format(words="Every call of the gRPC services", imports=imports)
    methods = [
        _rpc_method(service.full_name, method)
        for service in postrider_pb2.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    return head + RPC + "\n".join(methods)


RPC: Final = '''class Rpc:
    """Calls over a channel: `grpc.aio.insecure_channel("host:9090")`, or a secure one."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel: Any = channel
        self._metadata = (("authorization", f"Bearer {token}"),)

    def _call(self, kind: str, path: str, given: Any, request: Any, response: Any, timeout: float | None) -> Any:
        call = getattr(self._channel, kind)(
            path, request_serializer=request.SerializeToString, response_deserializer=response.FromString
        )
        return call(given, metadata=self._metadata, timeout=timeout, wait_for_ready=True)

'''


def _rpc_method(service: str, method: Any) -> str:
    request, response = f"pb.{method.input_type.name}", f"pb.{method.output_type.name}"
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", method.name).lower()
    sides = [("stream" if one else "unary") for one in (method.client_streaming, method.server_streaming)]
    given = f"requests: AsyncIterator[{request}]" if method.client_streaming else f"request: {request}"
    path, kind = f"/{service}/{method.name}", "_".join(sides)
    asked = f'self._call("{kind}", "{path}", {given.partition(":")[0]}, {request}, {response}, timeout)'
    arguments = f"self, {given}, *, timeout: float | None = None"
    doc = f'        """`{path}`."""\n'
    if method.server_streaming:
        kind = f"AsyncIterator[{response}]"
        return f"    def {name}({arguments}) -> {kind}:\n{doc}        stream: {kind} = {asked}\n        return stream\n"
    does = f"        answer: {response} = await {asked}\n        return answer\n"
    return f"    async def {name}({arguments}) -> {response}:\n{doc}{does}"


def _union(kinds: list[str]) -> str:
    found = list(dict.fromkeys(kinds))
    return (
        "Any"
        if "Any" in found
        else " | ".join([*(one for one in found if one != "None"), *(["None"] if "None" in found else [])])
    )


def _safe(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _name_of(path: str, method: str, operation: Any) -> str:
    """The handler's own name: what is left of the operation's without its path."""
    parts = [part.strip("{}") for part in path.split("/") if part]
    rest = str(operation["operationId"])
    for part in parts:
        rest = rest.removeprefix("".join(word[:1].upper() + word[1:] for word in re.split(r"[^0-9A-Za-z]+", part)))
    if not rest:
        return method
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", rest).lower()


def _formatted(text: str) -> str:
    words = [
        str(Path(sys.executable).with_name("ruff")),
        "format",
        "--line-length",
        "120",
        "--stdin-filename",
        "x.py",
        "-",
    ]
    done = subprocess.run(words, input=text, text=True, check=True, capture_output=True)  # noqa: S603 - our own words
    return done.stdout


if __name__ == "__main__":
    main()
