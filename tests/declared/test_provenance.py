"""Commits: who wrote and reviewed them, which tickets they name, and which touched a folder last."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from declared.repositories import commit as made
from declared.repositories import git, repository

from agent.declared.git import CutOffError, GitError
from agent.declared.git_address import Address
from agent.declared.provenance import commit, last_change, last_change_of, repository_of
from agent.declared.repository import Access, checkout
from agent.model import Claim

PATTERNS = (re.compile(r"\b[A-Z][A-Z0-9]{1,9}-\d{1,9}\b"), re.compile(r"\bCHG\d{5,10}\b"))
MESSAGE = """\
PAY-7: Widen the queue (#12)

Because it is too narrow, as UTF-8 and OTHER-1 in prose are no references.

Ticket: CHG0012345, PAY-7
Reviewed-by: Marco <marco@example.com>
Approved-by: Ines <ines@example.com>
Reviewed-by: Marco <marco@example.com>
Signed-off-by: Dana ABC-1 <dana@example.com>
"""


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    repository(tmp_path / "origin", {"infra/main.tf": "", "other/x": ""})
    return tmp_path / "origin"


def test_what_a_commit_says(origin: Path) -> None:
    sha = made(origin, {"infra/main.tf": "1"}, MESSAGE, who="Dana", at=1_700_000_000)
    found = commit(origin / ".git", sha)
    assert (found.sha, found.author, found.author_email) == (sha, "Dana", "dana@example.com")
    assert found.committed_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert found.subject == "PAY-7: Widen the queue (#12)"
    assert found.reviewers == ("Marco <marco@example.com>", "Ines <ines@example.com>")
    assert found.requests == ("#12",)
    assert found.references(PATTERNS) == (
        Claim("PAY-7", "commit trailer Ticket"),
        Claim("CHG0012345", "commit trailer Ticket"),
    )


@pytest.mark.parametrize(
    ("message", "request_"),
    [
        ("Merge branch 'x' into 'main'\n\nSee merge request acme/infra!45", "acme/infra!45"),
        ("Merge pull request #9 from acme/x\n\nTitle", "#9"),
        ("Merged in x (pull request #3)", "#3"),
        ("Merged PR 77: Title", "#77"),
        ("Title\n\nline that ends in (#4)", ""),
    ],
)
def test_requests(origin: Path, message: str, request_: str) -> None:
    made(origin, {"x": message}, message)
    assert commit(origin / ".git").requests == ((request_,) if request_ else ())


def test_the_last_change_of_a_folder(origin: Path) -> None:
    wanted = made(origin, {"infra/main.tf": "1"}, "Theirs", who="Ines")
    made(origin, {"other/x": "1"}, "Another", who="Marco")
    assert last_change(origin / ".git", ["infra"]).sha == wanted
    assert last_change(origin / ".git", ["infra", "other"]).author == "Marco"
    assert last_change(origin / ".git", [""]).author == "Marco"
    assert last_change(origin / ".git", ["infra"], at=wanted).author == "Ines"
    with pytest.raises(GitError, match="touched none"):
        last_change(origin / ".git", ["none"])


def test_a_path_is_no_pattern(origin: Path) -> None:
    with pytest.raises(GitError, match="touched"):
        last_change(origin / ".git", [":(glob)**"])


def test_the_request_that_merged_it(origin: Path) -> None:
    git(origin, "checkout", "--quiet", "-b", "topic")
    wanted = made(origin, {"infra/main.tf": "2"}, "Work\n\nReviewed-by: A <a@example.com>")
    git(origin, "checkout", "--quiet", "main")
    made(origin, {"other/x": "2"}, "Meanwhile")
    message = "Merge pull request #9 from acme/topic\n\nTicket: PAY-9\nApproved-by: B <b@example.com>"
    git(origin, "merge", "--quiet", "--no-ff", "-m", message, "topic")
    found = last_change(origin / ".git", ["infra"])
    assert (found.sha, found.requests) == (wanted, ("#9",))
    assert found.reviewers == ("A <a@example.com>", "B <b@example.com>")
    assert [claim.text for claim in found.references(PATTERNS)] == ["PAY-9"]


def test_a_merge_after_it_is_not_its_own(origin: Path) -> None:
    direct = made(origin, {"infra/main.tf": "3"}, "Pushed straight to main")
    git(origin, "checkout", "--quiet", "-b", "topic")
    made(origin, {"other/x": "3"}, "Work")
    git(origin, "checkout", "--quiet", "main")
    git(origin, "merge", "--quiet", "--no-ff", "-m", "Merge pull request #10 from acme/topic", "topic")
    found = last_change(origin / ".git", ["infra"])
    assert (found.sha, found.requests) == (direct, ())


def test_a_shallow_clone_is_deepened_until_it_tells(origin: Path, tmp_path: Path) -> None:
    wanted = made(origin, {"infra/main.tf": "1"}, "Theirs", who="Ines")
    for n in range(60):
        made(origin, {"other/x": f"n{n}"}, "Other")
    access = Access(tmp_path / "cache", local=True)
    address = Address(f"file://{origin}", "infra")
    found = checkout(address, access)
    with pytest.raises(CutOffError, match="the clone is shallow"):
        last_change(found.repository, ["infra"], found.commit)
    assert last_change_of(found, address, access).sha == wanted


def test_a_folder_older_than_everything(origin: Path, tmp_path: Path) -> None:
    """The very first commit of a whole history is an answer and no cut."""
    made(origin, {"other/x": "1"})
    access = Access(tmp_path / "cache", local=True)
    address = Address(f"file://{origin}", "infra")
    first = git(origin, "rev-list", "--max-parents=0", "HEAD")
    assert last_change_of(checkout(address, access), address, access).sha == first


def test_where_the_repository_is(origin: Path, tmp_path: Path) -> None:
    assert repository_of(origin / "infra") == (origin / ".git", "infra")
    assert repository_of(origin) == (origin / ".git", "")
    git(origin, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    place, path = repository_of(tmp_path / "tree" / "infra") or (Path(), "")
    assert path == "infra"
    assert last_change(place, [path]).subject == "Begin"
    assert repository_of(tmp_path) is None


def test_names_that_are_no_commits(origin: Path) -> None:
    for sha in ("--all", "main", "HEAD~1", "a" * 5, ":x"):
        with pytest.raises(GitError, match="hexadecimal digits"):
            commit(origin / ".git", sha)
    with pytest.raises(GitError):
        commit(origin / ".git", "a" * 40)


def test_hostile_messages(origin: Path) -> None:
    message = "x" * 100_000 + "\n\n" + "\n".join(f"Reviewed-by: {n} <{n}@example.com>" for n in range(5000))
    tree = git(origin, "rev-parse", "HEAD^{tree}")
    person = "X <x@example.com> 9999999999999 +0000"
    (origin / "commit").write_text(f"tree {tree}\nauthor {person}\ncommitter {person}\n\n{message}")
    sha = git(origin, "hash-object", "-t", "commit", "-w", "--literally", "commit")
    found = commit(origin / ".git", sha)
    assert (len(found.subject), len(found.reviewers), found.committed_at.year) == (500, 50, 9999)
