"""Which files that verdicts rest on changed, and by which commit."""

import hashlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.policy_files import MOST, PolicyChange, changed

WHEN = "2026-11-27T12:00:00+0000"
AUTHOR = {"GIT_AUTHOR_NAME": "Dana \x1b[31mSmith", "GIT_AUTHOR_EMAIL": "dana@acme.example", "GIT_AUTHOR_DATE": WHEN}
COMMITTER = {"GIT_COMMITTER_NAME": "CI", "GIT_COMMITTER_EMAIL": "ci@acme.example", "GIT_COMMITTER_DATE": WHEN}
QUIET = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/bin:/bin:/usr/local/bin"}


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, env={**AUTHOR, **COMMITTER, **QUIET}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def committed(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Exceptions")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    inner = tmp_path / "ops" / "exceptions"
    inner.mkdir(parents=True)
    return inner


def sha(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def test_new_changed_gone_and_unchanged(folder: Path) -> None:
    names = {name: folder / f"{name}.yaml" for name in ("new", "changed", "gone", "same")}
    for file in names.values():
        file.write_text("- old\n")
    committed(folder)
    known = {str(file): sha("- old\n") for name, file in names.items() if name != "new"}
    names["changed"].write_text("- other\n")
    names["gone"].unlink()
    commit = committed(folder)
    got = changed([names["new"], names["changed"], names["same"]], known)
    assert [(Path(one.path).stem, one.before, one.sha256) for one in got] == [
        ("changed", sha("- old\n"), sha("- other\n")),
        ("gone", sha("- old\n"), ""),
        ("new", "", sha("- old\n")),
    ]
    assert [one.commit == commit for one in got] == [True, True, False]
    assert got[0].author == "Dana ⟨U+001B⟩[31mSmith <dana@acme.example>"
    assert got[0].at == datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert {one.why for one in got} == {""}


def test_what_was_not_committed_has_no_commit(folder: Path) -> None:
    file = folder / "a.yaml"
    file.write_text("- old\n")
    committed(folder)
    file.write_text("- edited in place\n")
    other = folder / "never added.yaml"
    other.write_text("- new\n")
    got = changed([file, other], {str(file): sha("- old\n")})
    assert [(one.commit, one.why) for one in got] == [("", "not committed")] * 2
    file.unlink()
    (removed,) = changed([], {str(file): sha("- old\n")})
    assert (removed.sha256, removed.commit, removed.why) == ("", "", "not committed")


def test_outside_of_git_and_in_an_empty_repository(tmp_path: Path, folder: Path) -> None:
    (folder / "a.yaml").write_text("- a\n")
    (before_any_commit,) = changed([folder / "a.yaml"], {})
    assert before_any_commit.commit == ""
    assert before_any_commit.why != ""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "a.yaml").write_text("- a\n")
    assert changed([outside / "a.yaml"], {}) == [
        PolicyChange(str(outside / "a.yaml"), sha("- a\n"), "", why="not in a Git repository")
    ]


def test_nothing_changed_asks_nothing(folder: Path) -> None:
    file = folder / "a.yaml"
    file.write_text("- a\n")
    assert changed([file], {str(file): sha("- a\n")}) == []


def test_what_is_no_file_is_gone(folder: Path) -> None:
    (folder / "a.yaml").mkdir()
    assert changed([folder / "a.yaml"], {}) == []
    (one,) = changed([folder / "a.yaml"], {str(folder / "a.yaml"): "ab"})
    assert one.sha256 == ""


def test_very_many_are_told_without_their_commits(tmp_path: Path) -> None:
    files = [tmp_path / f"{number:04}.yaml" for number in range(MOST + 2)]
    for file in files:
        file.write_text("- a\n")
    got = changed(files, {})
    assert len(got) == MOST + 2
    assert got[-1].why == f"not looked up: {MOST + 2} files changed at once"
