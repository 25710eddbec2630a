"""Where the modules that code calls lie on disk, each read once.

Hides local paths, what `terraform init` installed, and whoever may fetch the rest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.declared.configuration import Item, Module, read_module
from agent.declared.hcl.error import ParseError
from agent.declared.language.error import TooMuch
from agent.declared.module_sources import package_of
from agent.declared.regular import is_within, read_regular

ModulePath = tuple[str, ...]
"""Names of module calls from the root module down, without instance keys; `()` is the root module."""

Resolve = Callable[[str, str, Path], Path | str]
"""A module's source, version constraint and the calling module's folder → its folder, or why it is not to be had."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A module that is called but not to be had."""

    source: str
    """Empty where it is not written out."""
    why: str = ""


_MOST = 50_000_000
"""Bytes read of what `terraform init` notes; one module takes some 100."""
_OUT = "a folder outside the repository, which is not read: what one repository needs belongs in it, or in a registry"
_INIT = "it is not on disk: run `terraform init`"


def not_fetched(_source: str, _version: str, _directory: Path) -> str:
    """The `Resolve` of a run that fetches nothing."""
    return _INIT


@dataclass(slots=True)
class Modules:
    """The modules below one root module."""

    root: Module
    cache: Path | None
    resolve: Resolve = not_fetched
    repository: Path | None = None
    """Modules that lie beside the code lie in it, and links in modules are followed within it; None: anywhere."""
    fetched: Path | None = None
    """The folder that `resolve` fetches packages into."""
    _read: dict[Path, Module] = field(default_factory=dict)
    _installed: Mapping[str, str] | None = None

    def child(self, parent: Module, path: ModulePath, call: Item) -> Module | Absent:
        """The module behind a call in `parent`. Raises `ParseError` for one that cannot be read."""
        source = call.text("source")
        for place in self._places(parent, path, source):
            try:
                if not place.is_dir():
                    continue
                if self.repository is not None and not is_within(place, (self.repository, self.root.directory)):
                    return Absent(source, f"it leads to {_OUT}")
            except OSError as error:
                return Absent(source, f"its folder cannot be read: {error.strerror}")
            return self._module(place)
        if not source:
            return Absent("", "its source is not written out")
        if source.startswith(("./", "../")) and self.confined(parent) is None:
            return Absent(source, f"there is no folder {source} beside {call.file}")
        found = self.resolve(source, call.text("version"), parent.directory)
        return self._module(found) if isinstance(found, Path) else Absent(source, found)

    def confined(self, module: Module) -> Path | None:
        """The package that a fetched module came in, which it may not refer out of; None for the repository's own."""
        return package_of(module.directory, self.fetched) if self.fetched else None

    def _places(self, parent: Module, path: ModulePath, source: str) -> list[Path]:
        local = source.startswith(("./", "../")) and self.confined(parent) is None
        places = [parent.directory / source] if local else []
        if self._installed is None:
            self._installed = _installed(self.root.directory, self.repository or self.root.directory)
        if ".".join(path) in self._installed:
            places.append(self.root.directory / self._installed[".".join(path)])
        return places

    def _module(self, directory: Path) -> Module:
        place = Path(os.path.normpath(directory))
        if place not in self._read:
            try:
                self._read[place] = read_module(place, self.root.directory, self.cache, self.repository)
            except OSError as error:
                shown = os.path.relpath(place, self.root.directory)
                raise ParseError(shown, 1, 1, f"the module cannot be read: {error.strerror}") from None
        return self._read[place]


def _installed(root: Path, repository: Path) -> Mapping[str, str]:
    """Module path, joined with dots → directory, as `terraform init` left it; empty where it did not."""
    try:
        data = read_regular(root / ".terraform" / "modules" / "modules.json", _MOST, (repository, root))
        modules = json.loads(data)["Modules"]
        return {str(module["Key"]): str(module["Dir"]) for module in modules}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}


def module_folders(directory: Path) -> tuple[Path, ...]:
    """The folders of a root module and of the modules below it that are on disk; those that can be read, no others."""
    try:
        root = read_module(directory, directory, None)
        return tuple(dict.fromkeys(module.directory.resolve() for _, module in everywhere(root, Modules(root, None))))
    except (ParseError, OSError, TooMuch):
        return ()


_DEEPEST = 32
"""Modules within modules; one that calls itself would never end."""
MAX_CALLS = 10_000
"""Of modules in one root module; one that calls itself twice would make 2^32."""


def everywhere(root: Module, modules: Modules) -> Iterator[tuple[ModulePath, Module]]:
    """A root module and those below it, by call path; what cannot be read or had is left out. Raises `TooMuch`."""
    for count, found in enumerate(_below(root, modules, ())):
        if count > MAX_CALLS:
            raise TooMuch(f"the root module has more than {MAX_CALLS:,} calls of modules: does one call itself?")
        yield found


def _below(code: Module, modules: Modules, path: ModulePath) -> Iterator[tuple[ModulePath, Module]]:
    yield path, code
    for name, call in code.calls.items() if len(path) < _DEEPEST else ():
        try:
            child = modules.child(code, (*path, name), call)
        except ParseError:
            continue
        if not isinstance(child, Absent):
            yield from _below(child, modules, (*path, name))
