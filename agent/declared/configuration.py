"""What a module's code says about its resources, by syntax alone: which block declares an address, what that block
sets and ignores, where its providers and its state are.

Hides which files count, override files, and where modules lie on disk. Nothing is evaluated: a value counts only where
it is written out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import MAX_BYTES, parse
from agent.model import Source

_META = frozenset({"count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "connection"})
"""Arguments every resource takes; they say nothing about what the cloud holds."""

ModulePath = tuple[str, ...]
"""Names of module calls from the root module down, without instance keys; `()` is the root module."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One resource block, override files merged in."""

    source: Source
    configured: frozenset[str]
    """Attributes and blocks it sets; one set to a plain `null` is not."""
    ignore_changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider configuration."""

    region: str
    """Empty where it is not written out."""
    default_tags: bool


@dataclass(frozen=True, slots=True)
class Backend:
    """A `backend` or `cloud` block."""

    type: str
    settings: Mapping[str, Any]
    """Its attributes that are written out."""


@dataclass(frozen=True, slots=True)
class Module:
    """One module's directory."""

    directory: Path
    resources: Mapping[tuple[str, str], Declaration]
    """By type and name."""
    providers: Mapping[tuple[str, str], Provider]
    """By name and alias; "" is the default configuration."""
    calls: Mapping[str, str]
    """Module call → its source; empty where that is not written out."""
    backend: Backend | None
    unread: tuple[str, ...]
    """Names of JSON configuration files, which are not read."""
    files: int


@dataclass(frozen=True, slots=True)
class Absent:
    """A module that is called but not on disk."""

    source: str


def read_module(directory: Path, root: Path, cache: Path | None) -> Module:
    """A module's code; files are named relative to `root`.

    Raises `ParseError` for a file that cannot be read: a module is read whole or not at all. Raises `OSError` where
    there is no such directory.
    """
    primary, overrides, unread = _files(directory)
    bodies = [(shown, _body(path, shown, cache)) for path, shown in _shown(primary, root)]
    later = [(shown, _body(path, shown, cache)) for path, shown in _shown(overrides, root)]
    resources: dict[tuple[str, str], Declaration] = {}
    for shown, body in bodies:
        for block in body.of_type("resource"):
            resources.setdefault(_named(block, shown), _declaration(block, shown))
    for shown, body in later:
        for block in body.of_type("resource"):
            name = _named(block, shown)
            if name in resources:
                resources[name] = _overridden(resources[name], _declaration(block, shown), block)
    blocks = [block for _, body in (*bodies, *later) for block in body.blocks]
    return Module(
        directory,
        resources,
        dict(_provider(block) for block in blocks if block.type == "provider" and block.labels),
        {each.labels[0]: _text(each.body, "source") for each in blocks if each.type == "module" and each.labels},
        _backend(blocks),
        unread,
        len(bodies) + len(later),
    )


def find_modules(
    root: Module, wanted: Iterable[ModulePath], cache: Path | None
) -> Mapping[ModulePath, Module | Absent | None]:
    """The modules behind call paths: None where the code has no such call (any more).

    Raises `ParseError` as `read_module` does.
    """
    installed = _installed(root.directory)
    found: dict[ModulePath, Module | Absent | None] = {(): root}
    for path in sorted({each[:n] for each in wanted for n in range(1, len(each) + 1)}, key=len):
        parent = found[path[:-1]]
        if not isinstance(parent, Module):
            found[path] = parent
            continue
        source = parent.calls.get(path[-1])
        found[path] = None if source is None else _module(root, parent, path, source, installed, cache)
    return found


def _module(
    root: Module, parent: Module, path: ModulePath, source: str, installed: Mapping[str, str], cache: Path | None
) -> Module | Absent:
    places = [parent.directory / source] if source.startswith(("./", "../")) else []
    if ".".join(path) in installed:
        places.append(root.directory / installed[".".join(path)])
    for place in places:
        if place.is_dir():
            return read_module(Path(os.path.normpath(place)), root.directory, cache)
    return Absent(source)


def _installed(root: Path) -> Mapping[str, str]:
    """Module path, joined with dots → directory, as `terraform init` left it; empty where it did not."""
    try:
        modules = json.loads((root / ".terraform" / "modules" / "modules.json").read_bytes())["Modules"]
        return {str(module["Key"]): str(module["Dir"]) for module in modules}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def _files(directory: Path) -> tuple[list[Path], list[Path], tuple[str, ...]]:
    """Configuration files, override files and the names of JSON files, as Terraform sorts and tells them apart."""
    paths = sorted(path for path in directory.iterdir() if not path.name.startswith((".", "#")) and not path.is_dir())
    mine = [path for path in paths if path.name.endswith(".tf")]
    overrides = [path for path in mine if path.name == "override.tf" or path.name.endswith("_override.tf")]
    primary = [path for path in mine if path not in overrides]
    return primary, overrides, tuple(path.name for path in paths if path.name.endswith(".tf.json"))


def _shown(paths: Iterable[Path], root: Path) -> Iterable[tuple[Path, str]]:
    return [(path, os.path.relpath(path, root)) for path in paths]


def _body(path: Path, shown: str, cache: Path | None) -> tree.Body:
    if not path.is_file():
        raise ParseError(shown, 1, 1, "not a file that can be read: remove it, or repair the link")
    try:
        with path.open("rb") as file:
            return parse(file.read(MAX_BYTES + 1), shown, cache)
    except OSError as error:
        raise ParseError(shown, 1, 1, f"cannot be read: {error.strerror}") from None


def _named(block: tree.Block, shown: str) -> tuple[str, str]:
    if len(block.labels) != 2:
        raise ParseError(shown, block.line, 1, 'a resource block has two labels: `resource "type" "name" {`')
    return block.labels[0], block.labels[1]


def _declaration(block: tree.Block, shown: str) -> Declaration:
    unset = tree.Literal(None)
    names = {attribute.name for attribute in block.body.attributes if attribute.value != unset}
    names |= {each.labels[0] if each.type == "dynamic" and each.labels else each.type for each in block.body.blocks}
    ignored = [each.body.attribute("ignore_changes") for each in block.body.of_type("lifecycle")]
    paths = tuple(path for value in ignored for path in _ignored(value))
    return Declaration(Source(shown, block.line), frozenset(names - _META), paths)


def _overridden(first: Declaration, later: Declaration, block: tree.Block) -> Declaration:
    """Override files replace attribute by attribute (https://developer.hashicorp.com/terraform/language/files/override)."""
    given = any(each.body.attribute("ignore_changes") is not None for each in block.body.of_type("lifecycle"))
    return replace(
        first,
        configured=first.configured | later.configured,
        ignore_changes=later.ignore_changes if given else first.ignore_changes,
    )


def _ignored(value: tree.Expression | None) -> tuple[str, ...]:
    """The value of `ignore_changes` as paths; what covers `tags` covers `tags_all`, which the provider computes."""
    if value == tree.Variable("all"):
        return ("all",)
    items = value.items if isinstance(value, tree.Tuple) else ()
    paths = ["all" if path == "*" else path for path in map(_path, items) if path]
    also = [f"tags_all{path[4:]}" for path in paths if path == "tags" or path.startswith(("tags.", "tags["))]
    return tuple(dict.fromkeys((*paths, *also)))


def _path(value: tree.Expression) -> str:
    """A traversal as text, `tags["Name"]`; empty for what is none. Terraform before 0.12 had it in quotes."""
    match value:
        case tree.Literal(value=str(text)):
            return text
        case tree.Variable(name=name):
            return name
        case tree.GetAttr(source=source, name=name):
            return f"{_path(source)}.{name}"
        case tree.Index(source=source, key=tree.Literal(value=str(key))):
            return f'{_path(source)}["{key}"]'
        case tree.Index(source=source, key=tree.Number(value=number)):
            return f"{_path(source)}[{number}]"
    return ""


def _provider(block: tree.Block) -> tuple[tuple[str, str], Provider]:
    tagged = any(each.type == "default_tags" or each.labels[:1] == ("default_tags",) for each in block.body.blocks)
    alias = _text(block.body, "alias")
    return (block.labels[0], alias), Provider(_text(block.body, "region"), tagged)


def _backend(blocks: Iterable[tree.Block]) -> Backend | None:
    """The last one wins: it stands in an override file."""
    found = None
    for block in blocks:
        if block.type != "terraform":
            continue
        for each in block.body.of_type("backend", "cloud"):
            written = {attribute.name: attribute.value for attribute in each.body.attributes}
            settings = {name: value.value for name, value in written.items() if isinstance(value, tree.Literal)}
            found = Backend(each.labels[0] if each.labels else each.type, settings)
    return found


def _text(body: tree.Body, name: str) -> str:
    """The attribute's string where it is written out, else ""."""
    value = body.attribute(name)
    return value.value if isinstance(value, tree.Literal) and isinstance(value.value, str) else ""
