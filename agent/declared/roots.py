"""Terraform root modules in a folder, and what each says of itself: its backend, its regions, what it declares.

Hides how a root is told from a module, and that one which does not parse still says much.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.declared import json_syntax, partial
from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import MAX_BYTES, parse
from agent.declared.regular import read_regular
from agent.declared.state import StateError

_SKIPPED = (".terraform", ".git", "node_modules", ".venv", ".terragrunt-cache")
_DEEPEST = 6
_ROOT = re.compile(r'backend |provider "|"backend"\s*:|"provider"\s*:|\bcloud\s*\{')
_BACKEND = re.compile(r'\bbackend\s+"(\w+)"\s*\{([^{}]*)\}')
_SETTING = re.compile(r'^\s*(\w+)\s*=\s*"([^"\\$%]*)"\s*$', re.MULTILINE)
_REGION = re.compile(r'provider\s+"aws"\s*\{[^{}]*?\bregion\s*=\s*"([a-z0-9-]+)"')


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a configuration says its state is."""

    type: str
    settings: Mapping[str, Any]
    """What is written out of it."""
    partial: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Files of settings beside it, for `terraform init -backend-config=…`, by name."""


@dataclass(frozen=True, slots=True)
class Root:
    """One root module."""

    directory: Path
    backend: Backend | None = None
    regions: tuple[str, ...] = ()
    resources: frozenset[tuple[str, str]] = frozenset()
    """Type and name of what the root module itself declares."""
    broken: tuple[str, ...] = ()
    """Why each of its files that do not parse do not; what they say is read from their text."""


def roots(directory: Path, deepest: int = _DEEPEST) -> tuple[Path, ...]:
    """Terraform root modules at or below a directory: folders of `.tf` files with a backend, a provider or a state.

    A folder whose name the file could not hold as it is (no Unicode, or with the look of a reference) is left out.
    """
    found = []
    for folder, folders, files in os.walk(directory):
        depth = len(Path(folder).relative_to(directory).parts)
        folders[:] = sorted(filter(_can_be_written, folders)) if depth < deepest else []
        text = "\n".join(_text(Path(folder) / name) for name in sorted(files) if name.endswith((".tf", ".tf.json")))
        if text and ("terraform.tfstate" in files or _ROOT.search(text)):
            found.append(Path(folder))
    return tuple(found)


def generated(directory: Path, deepest: int = _DEEPEST) -> tuple[Path, ...]:
    """Folders whose configuration Terragrunt writes anew for each run: there is nothing in them to read."""
    found = []
    for folder, folders, files in os.walk(directory):
        depth = len(Path(folder).relative_to(directory).parts)
        folders[:] = sorted(filter(_can_be_written, folders)) if depth < deepest else []
        if "terragrunt.hcl" in files and not any(name.endswith(".tf") for name in files):
            found.append(Path(folder))
    return tuple(found)


def read_root(directory: Path) -> Root:
    """What a root module says; a file that does not parse is named, and read as text."""
    found = Root(directory)
    bodies: list[tree.Body] = []
    broken: list[str] = []
    texts: list[str] = []
    for path in sorted(path for path in directory.iterdir() if path.name.endswith((".tf", ".tf.json"))):
        try:
            bodies.append(_body(path))
        except ParseError as error:
            broken.append(str(error))
            texts.append(_text(path))
    backend = _backend(bodies) or _written("\n".join(texts))
    if backend is not None:
        backend = Backend(backend.type, backend.settings, _beside(directory, backend))
    regions = {_string(block.body, "region") for body in bodies for block in body.of_type("provider")}
    regions |= {match[1] for text in texts for match in _REGION.finditer(text)}
    declared = (block.labels for body in bodies for block in body.of_type("resource"))
    return Root(
        found.directory,
        backend,
        tuple(sorted(regions - {""})),
        frozenset((labels[0], labels[1]) for labels in declared if len(labels) == 2),
        tuple(broken),
    )


def _can_be_written(name: str) -> bool:
    return name not in _SKIPPED and "${" not in name and not any("\ud800" <= c <= "\udfff" for c in name)


def _text(path: Path) -> str:
    try:
        return read_regular(path, MAX_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _body(path: Path) -> tree.Body:
    try:
        if not path.is_file():
            raise ParseError(path.name, 1, 1, "not a file that can be read: remove it, or repair the link")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ParseError(path.name, 1, 1, f"cannot be read: {error.strerror}") from None
    return json_syntax.parse(data, path.name) if path.name.endswith(".json") else parse(data, path.name)


def _backend(bodies: list[tree.Body]) -> Backend | None:
    """The last one: it stands in an override file."""
    found = None
    for block in (block for body in bodies for block in body.of_type("terraform")):
        for each in block.body.of_type("backend", "cloud"):
            written = {one.name: one.value for one in each.body.attributes}
            settings = {name: value.value for name, value in written.items() if isinstance(value, tree.Literal)}
            found = Backend(each.labels[0] if each.labels else each.type, settings)
    return found


def _written(text: str) -> Backend | None:
    """The backend block of a text that does not parse: it may hold no expressions, so it can be read by its looks."""
    found = _BACKEND.search(text)
    return Backend(found[1], dict(_SETTING.findall(found[2]))) if found else None


def _beside(directory: Path, backend: Backend) -> Mapping[str, Mapping[str, Any]]:
    """Files that look like a backend's settings, in the root or one folder below, where the block leaves some out."""
    if backend.type != "s3" or {"bucket", "key"} <= backend.settings.keys():
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(_settings_files(directory)):
        name = path.relative_to(directory).as_posix()
        try:
            settings = partial.given([name], directory)
        except StateError:
            continue
        if {"bucket", "key"} & settings.keys():
            found[name] = settings
    return found


def _settings_files(directory: Path) -> Iterator[Path]:
    for pattern in (
        "*.tfbackend",
        "*/*.tfbackend",
        "backend*.hcl",
        "*/backend*.hcl",
        "backend*.tfvars",
        "*/backend*.tfvars",
    ):
        yield from (path for path in directory.glob(pattern) if path.is_file() and _can_be_written(path.name))


def _string(body: tree.Body, name: str) -> str:
    value = body.attribute(name)
    return value.value if isinstance(value, tree.Literal) and isinstance(value.value, str) else ""
