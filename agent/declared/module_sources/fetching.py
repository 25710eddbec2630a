"""Packages of modules, from where they are published into the cache.

Hides what was fetched before, addresses that only name another, and that a half-written package is never seen.
"""

from __future__ import annotations

import contextlib
import hashlib
import html.parser
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec

from agent.declared.git import Credentials
from agent.declared.git_address import Address
from agent.declared.module_sources import registry
from agent.declared.module_sources.address import Page, RegistryModule, SourceError, parse_remote
from agent.declared.module_sources.archive import unpack
from agent.declared.module_sources.web import Web, shown
from agent.declared.repository import Access, checkout

FRESH = 86400.0
"""Seconds within which a tag, an archive or a list of versions is not asked for again."""
_HOPS = 4  # addresses that only name another
_EVER = float("inf")
_OFFLINE = "it was not fetched before, and the network is not to be used"


@dataclass(frozen=True, slots=True)
class Reach:
    """What modules are fetched with."""

    credentials: Credentials = field(default_factory=Credentials)
    """For repositories whose address brings none."""
    web: Web = field(default_factory=Web)
    local: bool = False
    """Whether `file://` repositories are allowed; code that others wrote could name any on this machine."""
    fresh: float = FRESH


@dataclass(frozen=True, slots=True)
class Fetching:
    """Finds or fetches what one source names."""

    cache: Path
    network: bool
    reach: Reach

    def directory(self, source: RegistryModule | Address | Page, version: str = "", hops: int = 0) -> Path:
        """The folder that a source names, fetched where it is not here."""
        if hops > _HOPS:
            raise SourceError(f"the source is {_HOPS} times an address that only names another")
        if isinstance(source, RegistryModule):
            return self.published(source, version, hops)
        if isinstance(source, Address):
            access = Access(
                self.cache,
                self.reach.credentials,
                local=self.reach.local,
                fresh=self.reach.fresh if self.network else _EVER,
                offline=not self.network,
            )
            found = checkout(source, access)
            return found.directory
        if not source.kind:
            return self.directory(_joined(parse_remote(self.named(source.url)), source.folder), hops=hops + 1)
        return _inside(self.unpacked(source, source.url, self.reach.fresh), source.folder)

    def published(self, module: RegistryModule, constraint: str, hops: int) -> Path:
        """A registry's module; the list of its versions is asked for once a day, each version's package once."""
        web = self.reach.web
        versions = self.noted(f"versions {module}", lambda: registry.published(module, web), self.reach.fresh)
        version = registry.chosen(module, constraint, versions)
        where = self.noted(f"package {module} {version}", lambda: (registry.location(module, version, web),), _EVER)
        source = _joined(parse_remote(where[0]), module.folder)
        if isinstance(source, Page) and source.kind:  # its address may be signed, and another each time
            return _inside(self.unpacked(source, f"{module} {version}", _EVER), source.folder)
        return self.directory(source, hops=hops + 1)

    def noted(self, about: str, ask: Callable[[], Sequence[str]], fresh: float) -> tuple[str, ...]:
        """What was answered before, or is now."""
        note = self.cache / "modules" / "notes" / f"{_digest(about)}.json"
        known = _note(note)
        if known is not None and (not self.network or 0 <= time.time() - note.stat().st_mtime < fresh):
            return known
        if not self.network:
            raise SourceError(_OFFLINE)
        answer = tuple(ask())
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=note.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(answer))
        Path(draft).rename(note)
        return answer

    def unpacked(self, page: Page, about: str, fresh: float) -> Path:
        """The folder of an archive's files."""
        home = self.cache / "modules" / _digest(f"archive {about} {page.checksum}")
        package = home / "package"
        if package.is_dir() and (not self.network or 0 <= time.time() - package.stat().st_mtime < fresh):
            return package
        if not self.network:
            raise SourceError(_OFFLINE)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=home, prefix="draft-"))
        try:
            self.reach.web.download(page.url, draft / "packed", page.checksum)
            (draft / "package").mkdir()
            unpack(draft / "packed", page.kind, draft / "package")
            if package.is_dir():  # a folder cannot be replaced in one step; the old one goes with the draft
                package.rename(draft / "old")
            with contextlib.suppress(OSError):  # another process was quicker
                (draft / "package").rename(package)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        os.utime(package)
        return package

    def named(self, url: str) -> str:
        """The address that a page names as the real source
        (https://developer.hashicorp.com/terraform/language/modules/sources#http-urls).
        """
        parts = urlsplit(url)
        query = f"{parts.query}&terraform-get=1" if parts.query else "terraform-get=1"
        return self.noted(
            f"page {url}", lambda: (self.asked(urlunsplit(parts._replace(query=query))),), self.reach.fresh
        )[0]

    def asked(self, url: str) -> str:
        """What a page says, in its header or in its head."""
        status, headers, body = self.reach.web.get(url)
        found = headers.get("x-terraform-get", "")
        if not found and status == 200:
            page = _Head()
            page.feed(body[:100_000].decode("utf-8", "replace"))
            found = page.found
        if not found:
            raise SourceError(f"{shown(url)} answers {status} and names no source")
        return urljoin(url, found) if found.startswith(("/", "./", "../")) else found


class _Head(html.parser.HTMLParser):
    """Finds `<meta name="terraform-get" content="…">`."""

    found = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "meta" and (given.get("name") or "").lower() == "terraform-get" and not self.found:
            self.found = given.get("content") or ""


def _joined(source: Address | Page, folder: str) -> Address | Page:
    """A source with the folder that was asked for below its own."""
    if isinstance(source, Address):
        return replace(source, path="/".join(filter(None, (source.path, folder))))
    return replace(source, folder="/".join(filter(None, (source.folder, folder))))


def _inside(package: Path, folder: str) -> Path:
    """A folder of a package; `*` stands for the only folder there, as in archives of a repository."""
    place = package
    for name in filter(None, folder.split("/")):
        found = [each for each in sorted(place.iterdir()) if each.is_dir()] if name == "*" else [place / name]
        if len(found) != 1:
            raise SourceError(f"the package has {len(found)} folders where the source's * stands for one")
        place = found[0]
        if not place.is_dir():
            raise SourceError(f"the package has no folder {folder}")
    if not place.resolve().is_relative_to(package.resolve()):
        raise SourceError(f"the package's folder {folder} leads out of it")
    return place


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _note(note: Path) -> tuple[str, ...] | None:
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(note.read_bytes(), type=tuple[str, ...])
    return None
