"""
Rules of pay from YAML, with line and column of what cannot be used; no I/O.

Scalars are read as text and converted by the types of `rules`, so that `0.10` is a tenth and `no` is a word. Anchors
and aliases are refused: a few lines of them unfold to gigabytes.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import yaml

from dispatch.pay.rules import Place, Rules, faults

LARGEST: Final = 65_536
"""Characters of a file."""
DEEPEST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What cannot be used, and where; lines and columns count from 1."""

    line: int
    column: int
    words: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.words}"


class Unusable(ValueError):
    """The rules cannot be used."""

    def __init__(self, found: list[Fault]) -> None:
        super().__init__("; ".join(map(str, found)))
        self.faults = found


def read(text: str) -> Rules:
    """The rules of a file; raises Unusable."""
    if len(text) > LARGEST:
        raise Unusable([Fault(line=1, column=1, words=f"expected at most {LARGEST} characters")])
    root = _tree(text)
    plain = _plain(root)
    try:
        rules = msgspec.convert(plain, Rules, strict=False)
    except msgspec.ValidationError as exc:
        words, place = _where(str(exc))
        raise Unusable([_fault(root, place, words)]) from exc
    if found := faults(rules):
        raise Unusable([_fault(root, place, words) for place, words in found])
    return rules


def _tree(text: str) -> yaml.Node:
    try:
        _refuse_wild(text)
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        raise Unusable([Fault(line=line, column=column, words=exc.problem or "not YAML")]) from exc
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        column = exc.position - text.rfind("\n", 0, exc.position)
        raise Unusable([Fault(line=line, column=column, words=f"a character that YAML has not: {exc.reason}")]) from exc
    if root is None:
        raise Unusable([Fault(line=1, column=1, words="expected rules, found nothing")])
    return root


def _refuse_wild(text: str) -> None:
    """Raises Unusable for aliases and for what is nested too deep, before anything is made of it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise Unusable(
                [Fault(line=mark.line + 1, column=mark.column + 1, words="anchors and aliases are not read")]
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise Unusable([Fault(line=mark.line + 1, column=mark.column + 1, words="nested too deep")])


def _plain(node: yaml.Node) -> Any:
    """Text, lists and mappings; raises Unusable for a key that comes twice or is none."""
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in {"", "~", "null"} else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    assert isinstance(node, yaml.MappingNode)
    found: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Unusable([_at(key, "expected a name")])
        if key.value in found:
            raise Unusable([_at(key, f"{key.value} comes twice")])
        found[key.value] = _plain(value)
    return found


STEP: Final = re.compile(r"\.([A-Za-z_0-9-]+)|\[(\d+)\]|\[\.\.\.\]")


def _where(words: str) -> tuple[str, Place]:
    """
    Of what msgspec says: the words, and the path that it ends with.

    msgspec names no key of a mapping, only `[...]`: the path ends at the mapping then.
    """
    said, _, path = words.partition(" - at `")
    place: list[str | int] = []
    for step in STEP.finditer(path):
        name, index = step.groups()
        if name is None and index is None:
            break
        place.append(name if name is not None else int(index))
    unknown = re.search(r"unknown field `([^`]*)`", said)
    return said, (*place, unknown.group(1)) if unknown else tuple(place)


def _fault(root: yaml.Node, place: Place, words: str) -> Fault:
    """At the node of that place, or at the last one above it that is there; of a key that is too much, at the key."""
    node = root
    for n, step in enumerate(place):
        below = _below(node, step)
        if below is None:
            break
        node = below[0] if "unknown field" in words and n == len(place) - 1 else below[1]
    return _at(node, words)


def _below(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key (of a list: the item itself) and the value of a step."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    return None


def _at(node: yaml.Node, words: str) -> Fault:
    mark = node.start_mark
    return Fault(line=mark.line + 1, column=mark.column + 1, words=words)
