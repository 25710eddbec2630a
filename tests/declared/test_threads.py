"""Types that threads decode are known to msgspec beforehand.

Where two threads decode a type for the first time at once, msgspec 0.22 writes over its own memory: a scan of a dozen
stacks ended by signal 11. A decoder made while a module is loaded, which one thread does, tells msgspec all it asks.
"""

import ast
import importlib
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

import agent

ROOT = Path(agent.__file__).parent
ONE_THREAD = ("agent.tables", "agent.tickets", "agent.declare.", "agent.demo")
"""What these decode, one thread decodes."""


def modules() -> Iterator[tuple[Path, ModuleType]]:
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(("agent", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        text = path.read_text()
        if ("Struct" in text or "Decoder(" in text) and not name.startswith(ONE_THREAD):
            yield path, importlib.import_module(name)


def structs(module: ModuleType) -> set[type]:
    own = (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__)
    return {each for each in own if issubclass(each, msgspec.Struct)}


def told(path: Path, module: ModuleType) -> Iterator[Any]:
    """Types of the decoders that a module makes while it is loaded, in loops as well."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        if any(isinstance(node, ast.Attribute) and node.attr == "Decoder" for node in ast.walk(statement)):
            yield from (getattr(module, name) for name in names if isinstance(getattr(module, name, None), type))


def reached(type_: Any, seen: set[type]) -> None:
    """Adds every struct that a type speaks of."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        if type_ in seen:
            return
        seen.add(type_)
        for field in typing.get_type_hints(type_).values():
            reached(field, seen)
    if (origin := typing.get_origin(type_)) is not None:
        reached(origin, seen)
    for part in typing.get_args(type_):
        reached(part, seen)


def test_every_type_is_known_before_threads_decode_it() -> None:
    known: set[type] = set()
    there: set[type] = set()
    for path, module in modules():
        there |= structs(module)
        for type_ in told(path, module):
            reached(type_, known)
    assert len(there) > 30
    assert sorted(f"{each.__module__}.{each.__name__}" for each in there - known) == []
