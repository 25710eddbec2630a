"""Git repositories for tests, made with the real git, each commit with an author and a time of its own.

Hides git's own configuration: nothing of the machine's reaches a test's repository.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ALLOW_PROTOCOL": "file",
    "LC_ALL": "C",
}


def git(folder: Path, *arguments: str, who: str = "Dana", at: int = 1_700_000_000) -> str:
    """What git answers in a folder; `who` wrote and committed `at`, in Unix time."""
    person = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", who), ("EMAIL", f"{who.lower()}@example.com"), ("DATE", f"{at} +0000"))
    }
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env={**ENV, **person},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Files by path, below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commit(
    folder: Path, files: Mapping[str, str], message: str = "Change", *, who: str = "Dana", at: int = 1_700_000_000
) -> str:
    """Writes files and commits them → the commit's digest."""
    write(folder, files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message, who=who, at=at)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path, files: Mapping[str, str], message: str = "Begin") -> str:
    """A new repository with one commit on `main` → the commit's digest."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")
    return commit(folder, files, message)
