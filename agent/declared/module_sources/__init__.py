"""Modules that are not on disk: fetched as `terraform init` would, into a cache of ours; nothing of them is run.

Hides registries, archives, Git, and what was fetched before. The cache holds `modules/<digest>/package/` for archives
and `modules/notes/` for what registries answered; repositories lie as `agent.declared.repository` says.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.declared.git import GitError
from agent.declared.module_sources.address import Local, RegistryModule, SourceError, parse_source
from agent.declared.module_sources.fetching import Fetching, Reach
from agent.declared.module_sources.web import Web, tokens


def resolve(
    source: str, version: str, from_directory: Path, cache: Path, network: bool, reach: Reach | None = None
) -> Path | str:
    """The directory of a module, or why there is none, in words that say what would be right.

    `source` and `version` are a module call's arguments, `from_directory` is the module that calls. Without `network`
    only what was fetched before is found. A registry's module is the newest version that meets the constraint, which
    `terraform init` may have chosen differently when it ran: what it installed comes first, and is not looked for here.
    """
    try:
        found = parse_source(source)
        if isinstance(found, Local):
            return _local(found, from_directory, cache)
        if version and not isinstance(found, RegistryModule):
            raise SourceError(
                "`version` belongs to modules of a registry: take it out, or name the version in the source"
            )
        return Fetching(cache, network, reach or Reach()).directory(found, version)
    except (SourceError, GitError) as error:
        said = str(error)
        return said if "terraform init" in said else f"{said}; or run `terraform init`"
    except OSError as error:
        return f"the cache {cache} cannot be used: {error.strerror}; or run `terraform init`"


def package_of(directory: Path, cache: Path) -> Path | None:
    """The top of the package that a directory in the cache belongs to: what it may refer to; None outside the cache."""
    place, top = directory.resolve(), cache.resolve()
    if not place.is_relative_to(top):
        return None
    parts = place.relative_to(top).parts
    if len(parts) >= 4 and parts[0] == "git" and parts[2] == "trees":
        return top.joinpath(*parts[:4])
    if len(parts) >= 3 and parts[0] == "modules" and parts[2] == "package":
        return top.joinpath(*parts[:3])
    return None


def _local(source: Local, from_directory: Path, cache: Path) -> Path:
    place = Path(os.path.normpath(from_directory / source.path))
    package = package_of(from_directory, cache)
    if package is not None and not place.resolve().is_relative_to(package):
        raise SourceError("the source leads out of its package")
    if not place.is_dir():
        raise SourceError(f"there is no directory {place}")
    return place


__all__ = ["Reach", "Web", "package_of", "resolve", "tokens"]
