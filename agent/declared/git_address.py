"""Where a Git repository is, in Terraform's spelling: `git::https://host/org/repo.git//folder?ref=v1`.

Hides go-getter's grammar: the forced `git::`, ssh's short form, the double slash before a folder, and the query
(https://developer.hashicorp.com/terraform/language/modules/sources#generic-git-repository).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from agent.declared.git import GitError

_SHORT = re.compile(r"(?:([A-Za-z0-9_][\w.-]*)@)([A-Za-z0-9_][\w.-]*):(?!//)(.+)", re.ASCII)
"""`git@host:org/repo.git`, as ssh has it."""
_REF = re.compile(r"[A-Za-z0-9_][\w./@+#-]*", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_\[][\w.:\]-]*", re.ASCII)
_SCHEMES = ("https", "ssh", "file")


@dataclass(frozen=True, slots=True)
class Address:
    """A folder of a repository at a commit."""

    url: str
    """Without credentials."""
    path: str = ""
    """Folder in it, without slashes around; empty: its top."""
    ref: str = ""
    """Branch, tag or commit; empty: the default branch."""
    user: str = ""
    token: str = field(default="", repr=False)
    """Of an https address that brings its own."""

    def __str__(self) -> str:
        """In Terraform's spelling, without credentials."""
        folder, ref = f"//{self.path}" if self.path else "", f"?ref={self.ref}" if self.ref else ""
        return f"git::{self.url}{folder}{ref}"


def is_git(text: str) -> bool:
    """Whether a stack's `dir` names a repository and not a directory."""
    return text.startswith("git::") or _SHORT.fullmatch(text) is not None


def git_address(text: str) -> Address:
    """An address in its parts. Raises `GitError` for what names no repository, without repeating credentials."""
    place, _, query = text.removeprefix("git::").partition("?")
    short = _SHORT.fullmatch(place)
    url = f"ssh://{short[1]}@{short[2]}/{short[3].lstrip('/')}" if short and "://" not in place else place
    url, path = split_folder(url)
    try:
        parts = urlsplit(url)
        asked = parse_qs(query, keep_blank_values=True, max_num_fields=10)
        port = parts.port
    except ValueError:
        raise GitError("a Git address cannot be read: write git::https://host/org/repo.git//folder?ref=main") from None
    if parts.scheme not in _SCHEMES:
        raise GitError(
            f"a Git address begins with {parts.scheme[:20] + '://' if parts.scheme else 'no scheme'}: "
            "write git::https://, git::ssh:// or git@host:org/repo.git"
        )
    if "sshkey" in asked:
        raise GitError(f"the address of {parts.hostname} brings a private key: configure ssh_key and take it out")
    ref = (asked.get("ref") or [""])[-1]
    if ref and (not _REF.fullmatch(ref) or ".." in ref or ref.endswith((".lock", "/"))):
        raise GitError("`ref` in a Git address is no name of a branch, tag or commit")
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise GitError("write git::file:///path for a repository on this machine")
        return Address(f"file://{parts.path}", path, ref)
    return _remote(parts, port, path, ref)


def _remote(parts: SplitResult, port: int | None, path: str, ref: str) -> Address:
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or not parts.path.strip("/"):
        raise GitError("a Git address names no host or no repository: write git::https://host/org/repo.git")
    host = f"[{host}]" if ":" in host else host
    host = f"{host}:{port}" if port else host
    user, token = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "ssh":
        return Address(f"ssh://{quote(user)}@{host}{parts.path}" if user else f"ssh://{host}{parts.path}", path, ref)
    if user and not token:  # https://TOKEN@host: the form GitHub documents
        user, token = "", user
    return Address(f"https://{host}{parts.path}", path, ref, user, token)


def split_folder(url: str) -> tuple[str, str]:
    """An address and the folder after its double slash. Raises `GitError` for one that leads out of the package."""
    start = url.find("://") + 3 if "://" in url else 0
    whole, found, folder = url[start:].partition("//")
    # file:///path//folder: the slash that begins the path is none of the two.
    if found and not whole and url.startswith("file://"):
        raise GitError("write git::file:///path for a repository on this machine")
    names = [name for name in folder.split("/") if name not in ("", ".")]
    if ".." in names or any(ord(c) < 32 for c in folder):
        raise GitError("the folder after // leads out of its package: write it without ..")
    return url[:start] + whole, "/".join(names)
