"""What a module call's `source` names: a local folder, a registry's module, a repository, or a file on a web server.

Hides go-getter's shorthands and detection (https://developer.hashicorp.com/terraform/language/modules/sources).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from agent.declared.git import GitError
from agent.declared.git_address import Address, git_address, is_git, split_folder

PUBLIC = "registry.terraform.io"
"""Host of a registry source that names none."""
ARCHIVES = ("zip", "tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz")
"""Kinds of archive that are unpacked."""

_NAME = r"[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62}[0-9A-Za-z])?"
_REGISTRY = re.compile(
    rf"(?:(?P<host>[0-9A-Za-z][0-9A-Za-z.-]*(?::\d+)?)/)?(?P<namespace>{_NAME})/(?P<name>{_NAME})/(?P<system>[0-9a-z]{{1,64}})"
    r"(?://(?P<folder>.*))?"
)
_NO_REGISTRY = frozenset({"github.com", "bitbucket.org", "gitlab.com"})
"""Hosts that Terraform reserves for repositories."""
_FORCED = re.compile(r"([a-z0-9]{1,10})::(.*)", re.DOTALL)
_LONGEST = 2000


class SourceError(Exception):
    """A source that cannot be read or fetched: why, and what would be right. Never repeats credentials."""


@dataclass(frozen=True, slots=True)
class Local:
    """A folder beside the module that calls it."""

    path: str


@dataclass(frozen=True, slots=True)
class RegistryModule:
    """A module of a registry."""

    host: str
    namespace: str
    name: str
    system: str
    folder: str

    def __str__(self) -> str:
        """As a registry names it."""
        return f"{self.host}/{self.namespace}/{self.name}/{self.system}"


@dataclass(frozen=True, slots=True)
class Page:
    """Something on a web server."""

    url: str
    folder: str
    kind: str
    """Of the archive, one of `ARCHIVES`; empty: a page that names the real source."""
    checksum: str = ""


Source = Local | RegistryModule | Address | Page


def parse_source(text: str) -> Source:
    """A source in its parts. Raises `SourceError` for what is none of these, or is not read here."""
    if not text.strip() or len(text) > _LONGEST:
        raise SourceError("the source is empty or too long: write a path, a registry module or an address")
    if text in (".", "..") or text.startswith(("./", "../", ".\\", "..\\")):
        return Local(text.replace("\\", "/"))
    found = _REGISTRY.fullmatch(text)
    if found and (found["host"] or PUBLIC).lower() not in _NO_REGISTRY and _is_host(found["host"]):
        folder = _folder(f"x//{found['folder'] or ''}")[1]
        return RegistryModule(
            (found["host"] or PUBLIC).lower(), found["namespace"], found["name"], found["system"], folder
        )
    return parse_remote(text)


def parse_remote(text: str) -> Address | Page:
    """An address that something can be fetched from; what a registry answers is always one. Raises `SourceError`."""
    forced = _FORCED.fullmatch(text)
    if forced and forced[1] in ("hg", "s3", "gcs"):
        names = {"hg": "Mercurial repositories", "s3": "modules in S3", "gcs": "modules in Google Cloud Storage"}
        raise SourceError(f"{names[forced[1]]} are not fetched: run `terraform init`")
    try:
        if text.startswith("git::") or is_git(text):
            return git_address(_shorthand(text.removeprefix("git::")))
        if (long := _shorthand(text)) != text:
            return git_address(long)
    except GitError as error:
        raise SourceError(str(error)) from None
    if text.startswith("https://"):
        return _web(text)
    if text.startswith("/"):
        raise SourceError("the source is a path of one machine: write it relative, beginning with ./ or ../")
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme:
        raise SourceError(
            f"sources over {scheme[:20]}:// are not fetched: write https:// or git::, or run `terraform init`"
        )
    raise SourceError("the source is no path, no registry module and no address: local paths begin with ./ or ../")


def _is_host(host: str | None) -> bool:
    return host is None or "." in host


def _shorthand(text: str) -> str:
    """`github.com/org/repo//folder` and `bitbucket.org/org/repo` as addresses; everything else as it is."""
    for host in ("github.com", "bitbucket.org"):
        if text.startswith(f"{host}/"):
            place, mark, query = text.partition("?")
            names = place.split("/")
            if len(names) < 3 or not names[1] or not names[2]:
                raise SourceError(f"write {host}/organisation/repository")
            repository = names[2] if names[2].endswith(".git") else f"{names[2]}.git"
            rest = "/".join(names[3:])
            # go-getter takes what follows the repository for the folder, with a double slash or without.
            folder = f"//{rest.lstrip('/')}" if rest.strip("/") else ""
            return f"https://{host}/{names[1]}/{repository}{folder}{mark}{query}"
    return text


def _folder(url: str) -> tuple[str, str]:
    try:
        return split_folder(url)
    except GitError as error:
        raise SourceError(str(error)) from None


def _web(text: str) -> Page:
    place, _, query = text.partition("?")
    url, folder = _folder(place)
    try:
        parts = urlsplit(url)
        asked = parse_qs(query, keep_blank_values=True, max_num_fields=100)
        _ = parts.port
    except ValueError:
        raise SourceError("the source's address cannot be read") from None
    if not parts.hostname:
        raise SourceError("the source's address names no host")
    kind = asked.get("archive", [""])[-1] or next((k for k in ARCHIVES if parts.path.endswith(f".{k}")), "")
    if "archive" in asked and kind not in ARCHIVES:
        raise SourceError(f"archives are unpacked of the kinds {', '.join(ARCHIVES)}: run `terraform init`")
    checksum = asked.get("checksum", [""])[-1]
    kept = "&".join(pair for pair in query.split("&") if pair and pair.partition("=")[0] not in ("archive", "checksum"))
    return Page(f"{url}?{kept}" if kept else url, folder, kind, checksum)
