"""Who owns a file, as CODEOWNERS says.

Hides where the file lies, GitHub's and GitLab's syntax, and where the two read one pattern differently
(https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners,
https://docs.gitlab.com/user/project/codeowners/reference/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import re2

_PLACES = (
    (".github/CODEOWNERS", False),
    ("CODEOWNERS", None),
    ("docs/CODEOWNERS", None),
    (".gitlab/CODEOWNERS", True),
)
"""Where it may lie, in the order they are looked at, and whether that is GitLab's place; None: either's."""
MAX_BYTES = 3_000_000
"""Largest file read, as GitHub has it."""
MAX_LINES = 50_000
"""Of a file that is read: each is a pattern, which takes time and memory."""
_SECTION = re.compile(r"\^?\[(?P<name>[^\]]+)\](?:\[\d+\])?(?P<owners>(?:\s+\S+)*)\s*")
_OWNER = re.compile(r"@{1,2}[\w./-]+|[^\s@]+@[^\s@]+\.[^\s@]+")
_WORD = re.compile(r"(?:\\.|[^\s\\])+")


@dataclass(frozen=True, slots=True)
class _Line:
    pattern: re2._Regexp
    owners: tuple[str, ...]
    section: str
    excluded: bool = False
    """GitLab's `!pattern`: the section has no say about these files."""


@dataclass(frozen=True, slots=True)
class Owners:
    """A CODEOWNERS file, read."""

    lines: tuple[_Line, ...] = ()
    file: str = ""
    """Where it lies in the repository; empty where there is none."""
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)

    def of(self, path: str) -> tuple[str, ...]:
        """Owners of a file, by its path from the repository's top; in each section the last line that matches wins."""
        if path not in self._known:  # asked for each of the thousands of resources that a file declares
            self._known[path] = self._of(path)
        return self._known[path]

    def _of(self, path: str) -> tuple[str, ...]:
        told = "/" + PurePosixPath(path).as_posix().lstrip("/")
        won: dict[str, tuple[str, ...]] = {}
        excluded: set[str] = set()
        for line in self.lines:
            if line.pattern.fullmatch(told):
                won[line.section] = line.owners
                excluded |= {line.section} if line.excluded else set()
        return tuple(dict.fromkeys(owner for name, owners in won.items() if name not in excluded for owner in owners))


def owners(repository: Path) -> Owners:
    """The owners that a repository's files name; none where it has no CODEOWNERS that can be read."""
    for place, gitlab in _PLACES:
        path = repository / place
        try:
            if not path.is_file() or not path.resolve().is_relative_to(repository.resolve()):
                continue
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError:
            continue
        if len(data) > MAX_BYTES or data.count(b"\n") > MAX_LINES:
            return Owners(file=place)
        return Owners(read_owners(data.decode("utf-8", "replace"), gitlab=gitlab).lines, place)
    return Owners()


def read_owners(text: str, *, gitlab: bool | None = None) -> Owners:
    """A file's content; a line that is none is left out, as both platforms do.

    `gitlab` says whose file it is; None: GitLab's where it has sections or exclusions, which GitHub does not know.
    """
    lines = [line.strip() for line in text.splitlines()]
    if gitlab is None:
        gitlab = any(_SECTION.fullmatch(line) or line.startswith("!") for line in lines)
    return Owners(tuple(_lines(lines, gitlab)))


def _lines(lines: list[str], gitlab: bool) -> Iterator[_Line]:
    section, default = "", tuple[str, ...]()
    for line in lines:
        if not line or line.startswith("#"):
            continue
        if gitlab and (head := _SECTION.fullmatch(line)):
            # Sections of one name are one, in any case of its letters.
            section, default = head["name"].lower(), _owners(head["owners"].split())
            continue
        words = _WORD.findall(line)
        comment = next((n for n, word in enumerate(words) if n and word.startswith("#")), len(words))
        excluded = gitlab and words[0].startswith("!")
        pattern = _pattern(words[0][1:] if excluded else words[0], gitlab)
        if pattern is not None:
            yield _Line(pattern, _owners(words[1:comment]) or default, section, excluded)


def _owners(words: list[str]) -> tuple[str, ...]:
    return tuple(word for word in words if _OWNER.fullmatch(word))


def _pattern(glob: str, gitlab: bool) -> re2._Regexp | None:
    """A pattern over `/path/of/file`. RE2, as the file is anybody's and its globs could take for ever elsewhere."""
    glob = re.sub(r"\\(.)", r"\1", glob)
    if not glob or len(glob) > 1000:
        return None
    # GitHub's as in .gitignore: a slash anywhere but at the end binds a pattern to the top.
    anchored = glob.startswith("/") if gitlab else "/" in glob.rstrip("/")
    folder, names = glob.endswith("/"), [name for name in glob.split("/") if name]
    if not names:
        return None
    start = "" if anchored else "(?:/.*)?"
    body = "".join("(?:/.*)?" if name == "**" else "/" + _name(name) for name in names[:-1])
    last = names[-1]
    if last == "**":
        end = "/.*"
    elif folder:
        end = f"/{_name(last)}/.*"
    elif gitlab or (last == "*" and anchored):
        end = "/" + _name(last)  # a file of that name; GitHub's `docs/*` does not go deeper either
    else:
        end = f"/{_name(last)}(?:/.*)?"  # a file, or all below a folder of that name
    try:
        return re2.compile(f"(?s){start}{body}{end}")
    except re2.error:
        return None


def _name(glob: str) -> str:
    parts = {"*": "[^/]*", "?": "[^/]"}
    return "".join(parts.get(c) or re2.escape(c) for c in re.sub(r"\*+", "*", glob))
