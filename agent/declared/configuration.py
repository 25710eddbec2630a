"""A module's code: its blocks by kind and name, override files merged in.

Hides which files count and in which order, the JSON syntax, how override files merge, and where modules lie on disk.
Nothing is evaluated here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from agent.declared import json_syntax
from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import MAX_BYTES, parse
from agent.declared.schemas import source_of
from agent.model import Source

META = frozenset({"count", "for_each", "provider", "depends_on", "lifecycle", "provisioner", "connection"})
"""Arguments every resource takes; they say nothing about what the cloud holds."""


@dataclass(frozen=True, slots=True)
class Item:
    """One block, override files merged in, and where it stands."""

    block: tree.Block
    file: str
    overridden: Mapping[str, str] = field(default_factory=dict)
    """Attribute → the override file its value comes from."""

    @property
    def source(self) -> Source:
        """Where the block begins."""
        return Source(self.file, self.block.line)

    def at(self, attribute: tree.Attribute) -> Source:
        """Where one of its attributes stands."""
        return Source(self.overridden.get(attribute.name, self.file), attribute.line)

    def expression(self, name: str) -> tree.Expression | None:
        """The value it gives an attribute, None where it does not set it."""
        return self.block.body.attribute(name)

    def text(self, name: str) -> str:
        """The attribute's string where it is written out, else ""."""
        value = self.expression(name)
        return value.value if isinstance(value, tree.Literal) and isinstance(value.value, str) else ""

    def blocks(self, *types: str) -> tuple[tree.Block, ...]:
        """Its nested blocks of these types."""
        return self.block.body.of_type(*types)


@dataclass(frozen=True, slots=True)
class Backend:
    """A `backend` or `cloud` block."""

    type: str
    settings: Mapping[str, Any]
    """Its attributes that are written out; nested blocks as mappings."""


@dataclass(frozen=True, slots=True)
class Local:
    """One local value."""

    value: tree.Expression
    source: Source


Named = Mapping[str, Item]
Typed = Mapping[tuple[str, str], Item]


@dataclass(frozen=True, slots=True)
class Module:
    """One module's directory."""

    directory: Path
    resources: Typed
    """By type and name."""
    data: Typed
    """Data sources by type and name."""
    providers: Typed
    """By local name and alias; "" is the default configuration."""
    variables: Named
    locals: Mapping[str, Local]
    outputs: Named
    calls: Named
    """Module calls."""
    requirements: Mapping[str, str]
    """Local name of a provider → its source, as `required_providers` has it."""
    refactorings: tuple[Item, ...]
    """`moved`, `import` and `removed` blocks, in file order."""
    backend: Backend | None
    files: int


def read_module(directory: Path, root: Path, cache: Path | None, repository: Path | None = None) -> Module:
    """A module's code; files are named relative to `root`.

    A link is followed within `repository` (where that is None, within `root`) and within `directory`. Raises
    `ParseError` for a file that cannot be read: a module is read whole or not at all. Raises `OSError` where there is
    no such directory.
    """
    primary, overrides = _files(directory)
    within = (repository or root, directory)
    found = _Blocks()
    for path in primary:
        shown = os.path.relpath(path, root)
        for block in _body(path, shown, cache, within).blocks:
            found.add(Item(block, shown))
    for path in overrides:
        shown = os.path.relpath(path, root)
        for block in _body(path, shown, cache, within).blocks:
            found.override(Item(block, shown))
    return Module(
        directory=directory,
        resources={(labels[0], labels[1]): item for labels, item in found.of("resource").items()},
        data={(labels[0], labels[1]): item for labels, item in found.of("data").items()},
        providers={(labels[0], labels[1]): item for labels, item in found.of("provider").items()},
        variables=found.named("variable"),
        locals=found.locals,
        outputs=found.named("output"),
        calls=found.named("module"),
        requirements=found.requirements,
        refactorings=tuple(found.refactorings),
        backend=found.backend,
        files=len(primary) + len(overrides),
    )


def _files(directory: Path) -> tuple[list[Path], list[Path]]:
    """Configuration files and override files, as Terraform sorts and tells them apart."""
    paths = sorted(path for path in directory.iterdir() if not path.name.startswith((".", "#")) and not path.is_dir())
    mine = [path for path in paths if path.name.endswith((".tf", ".tf.json")) and not path.name.endswith("~")]
    stems = {path: path.name.removesuffix(".json").removesuffix(".tf") for path in mine}
    overrides = [path for path in mine if stems[path] == "override" or stems[path].endswith("_override")]
    return [path for path in mine if path not in overrides], overrides


def _body(path: Path, shown: str, cache: Path | None, within: tuple[Path, ...]) -> tree.Body:
    data = read_file(path, shown, within)
    return json_syntax.parse(data, shown) if path.suffix == ".json" else parse(data, shown, cache)


def read_file(path: Path, shown: str, within: tuple[Path, ...]) -> bytes:
    """A configuration file's bytes, one more than may be parsed at most. Raises `ParseError`.

    Whoever wrote the configuration may have made a link of it: none is followed out of all the folders `within`.
    """
    if not path.is_file():
        raise ParseError(shown, 1, 1, "not a file that can be read: remove it, or repair the link")
    try:
        if path.is_symlink() and not any(path.resolve().is_relative_to(folder.resolve()) for folder in within):
            raise ParseError(shown, 1, 1, "a link that leads out of the repository, which is not followed")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ParseError(shown, 1, 1, f"cannot be read: {error.strerror}") from None


_LABELS = {
    "resource": ("type", "name"),
    "data": ("type", "name"),
    "provider": ("name",),
    "variable": ("name",),
    "output": ("name",),
    "module": ("name",),
}


class _Blocks:
    """The blocks of a module as they are read, file by file."""

    def __init__(self) -> None:
        self.items: dict[str, dict[tuple[str, ...], Item]] = {kind: {} for kind in _LABELS}
        self.locals: dict[str, Local] = {}
        self.requirements: dict[str, str] = {}
        self.refactorings: list[Item] = []
        self.backend: Backend | None = None

    def of(self, kind: str) -> Mapping[tuple[str, ...], Item]:
        return self.items[kind]

    def named(self, kind: str) -> Named:
        return {labels[0]: item for labels, item in self.items[kind].items()}

    def add(self, item: Item) -> None:
        kind = item.block.type
        if kind in _LABELS:
            name = _name(item)
            first = self.items[kind].setdefault(name, item)
            if first is not item:
                shown = ".".join(filter(None, name))
                why = f"{kind} `{shown}` is declared already at {first.source}: remove or rename one of them"
                raise ParseError(item.file, item.block.line, 1, why)
        elif kind == "locals":
            self._add_locals(item, replace=False)
        elif kind == "terraform":
            self._add_settings(item)
        elif kind in ("moved", "import", "removed"):
            self.refactorings.append(item)

    def override(self, item: Item) -> None:
        """https://developer.hashicorp.com/terraform/language/files/override"""
        kind = item.block.type
        if kind in _LABELS:
            name = _name(item)
            first = self.items[kind].get(name)
            if first is not None:
                self.items[kind][name] = _merged(first, item)
            elif kind == "provider":
                self.items[kind][name] = item
        elif kind == "locals":
            self._add_locals(item, replace=True)
        elif kind == "terraform":
            self._add_settings(item)

    def _add_locals(self, item: Item, *, replace: bool) -> None:
        for each in item.block.body.attributes:
            first = self.locals.get(each.name)
            if first is not None and not replace:
                why = f"local value `{each.name}` is set already at {first.source}: remove or rename one of them"
                raise ParseError(item.file, each.line, 1, why)
            self.locals[each.name] = Local(each.value, item.at(each))

    def _add_settings(self, item: Item) -> None:
        for required in item.blocks("required_providers"):
            for each in required.body.attributes:
                self.requirements[each.name] = _required_source(each)
        for block in item.blocks("backend", "cloud"):
            self.backend = Backend(block.labels[0] if block.labels else block.type, _settings(block.body))


def _name(item: Item) -> tuple[str, ...]:
    block = item.block
    wanted = _LABELS[block.type]
    if len(block.labels) != len(wanted):
        shown = " ".join(f'"{each}"' for each in wanted)
        right = f"a {block.type} block has {len(wanted)} label{'s' * (len(wanted) > 1)}: `{block.type} {shown} {{`"
        raise ParseError(item.file, block.line, 1, right)
    return (block.labels[0], item.text("alias")) if block.type == "provider" else block.labels


def _merged(first: Item, later: Item) -> Item:
    """Attributes replace one by one, nested blocks all of their type at once; `lifecycle` merges by attribute."""
    mine, theirs = first.block.body, later.block.body
    attributes = {each.name: each for each in mine.attributes} | {each.name: each for each in theirs.attributes}
    replaced = {_shows_as(each) for each in theirs.blocks} - {"lifecycle"}
    blocks = [each for each in mine.blocks if _shows_as(each) not in replaced and each.type != "lifecycle"]
    blocks += [each for each in theirs.blocks if each.type != "lifecycle"]
    lifecycles = [*mine.of_type("lifecycle"), *theirs.of_type("lifecycle")]
    if lifecycles:
        rules = {each.name: each for block in lifecycles for each in block.body.attributes}
        inner = tuple(each for block in lifecycles for each in block.body.blocks)
        blocks.append(tree.Block("lifecycle", (), tree.Body(tuple(rules.values()), inner), lifecycles[0].line))
    body = tree.Body(tuple(attributes.values()), tuple(blocks))
    files = {**first.overridden, **{each.name: later.file for each in theirs.attributes}}
    return Item(tree.Block(first.block.type, first.block.labels, body, first.block.line), first.file, files)


def _shows_as(block: tree.Block) -> str:
    """The block type it makes: a `dynamic` block has it as its label."""
    return block.labels[0] if block.type == "dynamic" and block.labels else block.type


def _required_source(each: tree.Attribute) -> str:
    items = each.value.items if isinstance(each.value, tree.Object) else ()
    named = {key.value: value for key, value in items if isinstance(key, tree.Literal)}
    source = named.get("source")
    written = source.value if isinstance(source, tree.Literal) and isinstance(source.value, str) else ""
    return source_of(written or each.name)


def _settings(body: tree.Body) -> dict[str, Any]:
    """Everything in it that is written out, as JSON-shaped data."""
    written = {each.name: plain(each.value) for each in body.attributes}
    found = {name: value for name, value in written.items() if value is not None}
    return found | {block.type: _settings(block.body) for block in body.blocks}


def plain(value: tree.Expression) -> Any:
    """A literal as JSON-shaped data; None for null and for whatever would have to be evaluated."""
    match value:
        case tree.Literal(value=written):
            return written
        case tree.Number(value=number):
            return _number(number)
        case tree.Tuple(items=items):
            return [plain(each) for each in items]
        case tree.Object(items=items):
            return {str(plain(key)): plain(each) for key, each in items}
    return None


def _number(number: Decimal) -> int | float | None:
    """A number as JSON has it; None for one of hundreds of digits, which `1e99999999` would be."""
    if abs(number.adjusted()) > _DIGITS:
        return None
    return int(number) if number == number.to_integral_value() else float(number)


_DIGITS = 300


def ignored_changes(item: Item) -> tuple[str, ...]:
    """The value of `lifecycle.ignore_changes` as paths: `("all",)`, or for example `("tags", 'tags["Name"]')`.

    What covers `tags` covers `tags_all`, which the provider computes.
    """
    values = [each.body.attribute("ignore_changes") for each in item.blocks("lifecycle")]
    return tuple(dict.fromkeys(path for value in values for path in _ignored(value)))


def _ignored(value: tree.Expression | None) -> Iterable[str]:
    if value == tree.Variable("all") or value == tree.Literal("all"):
        return ("all",)
    items = value.items if isinstance(value, tree.Tuple) else ()
    paths = ["all" if path == "*" else path for path in map(traversal, items) if path]
    also = [f"tags_all{path[4:]}" for path in paths if path == "tags" or path.startswith(("tags.", "tags["))]
    return (*paths, *also)


def traversal(value: tree.Expression | None) -> str:
    """A traversal as text, `tags["Name"]`; empty for what is none. Terraform before 0.12 had it in quotes."""
    match value:
        case tree.Literal(value=str(text)):
            return text
        case tree.Variable(name=name):
            return name
        case tree.GetAttr(source=source, name=name):
            return f"{traversal(source)}.{name}"
        case tree.Index(source=source, key=tree.Literal(value=str(key))):
            return f'{traversal(source)}["{key}"]'
        case tree.Index(source=source, key=tree.Number(value=number)):
            return f"{traversal(source)}[{number}]"
    return ""


def configured_names(item: Item) -> frozenset[str]:
    """Attributes and blocks a resource block sets; one set to a plain `null` is not set."""
    unset = tree.Literal(None)
    names = {each.name for each in item.block.body.attributes if each.value != unset}
    return frozenset((names | {_shows_as(each) for each in item.block.body.blocks}) - META)
