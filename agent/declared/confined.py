"""Files that others named, written below one folder and nowhere else.

Hides the ways out of it: paths, names used twice, and links, which are made last and cut where they lead out.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

CUT = "this-link-leads-out-of-its-package"
"""Target of a link that would lead out: it is there, and whoever needs it finds that it cannot be read."""


class ConfinedError(Exception):
    """A name that leads out of its folder, or is used twice."""


def name(text: str) -> PurePosixPath:
    """A relative path. Raises `ConfinedError` for one that leads out, or into a repository's own folder."""
    path = PurePosixPath(text)
    if path.is_absolute() or not path.parts or "\0" in text or {"..", ".git"} & {part.lower() for part in path.parts}:
        raise ConfinedError("it holds a path that leads out of it")
    return path


def make(folder: Path) -> None:
    """A folder and those above it. Raises `ConfinedError` where a file has its name."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ConfinedError("it holds a file and a folder of one name") from None


def write(path: Path, content: IO[bytes] | bytes) -> None:
    """A new file; as long as there are no links, none can lead it elsewhere. Raises `ConfinedError`."""
    make(path.parent)
    try:
        with path.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                shutil.copyfileobj(content, file, 1 << 20)
    except FileExistsError:
        raise ConfinedError("it holds two files of one name") from None


def link(folder: Path, links: Sequence[tuple[PurePosixPath, str]]) -> None:
    """Links by path and target, after all files; those that lead out of the folder, by whatever way, lead nowhere."""
    for path, _ in links:  # all before the first link, which none of them may lead through
        make((folder / path).parent)
    for path, target in links:
        try:
            (folder / path).symlink_to(target)
        except (OSError, ValueError):
            raise ConfinedError("it holds two files of one name, or a link that is none") from None
    top = folder.resolve()
    for path, _ in links:
        place = folder / path
        try:
            inside = place.resolve().is_relative_to(top)
        except (OSError, RuntimeError):  # a circle
            inside = False
        if not inside:
            place.unlink()
            place.symlink_to(CUT)
