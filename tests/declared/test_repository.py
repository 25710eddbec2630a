"""Git repositories: what is fetched and laid out, and what a hostile one does not get."""

import http.server
import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from declared.repositories import ENV, commit, git, repository

from agent.declared.confined import CUT
from agent.declared.git import Credentials, GitError, Limits, run_git
from agent.declared.git_address import Address, git_address, is_git
from agent.declared.repository import Access, checkout

CODE = 'resource "aws_sqs_queue" "q" {}\n'


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tmp_path / "cache", local=True, fresh=0.0)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    repository(tmp_path / "origin", {"infra/prod/main.tf": CODE, "modules/queue/main.tf": CODE})
    return tmp_path / "origin"


def at(origin: Path, path: str = "", ref: str = "") -> Address:
    return Address(f"file://{origin}", path, ref)


# --- addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url", "path", "ref"),
    [
        ("git::https://h.example/o/r.git", "https://h.example/o/r.git", "", ""),
        ("git::https://h.example/o/r.git//infra/prod?ref=main", "https://h.example/o/r.git", "infra/prod", "main"),
        ("git::https://h.example:8443/r//a?ref=v1.2.0&depth=1", "https://h.example:8443/r", "a", "v1.2.0"),
        ("git::ssh://git@h.example/o/r.git//a", "ssh://git@h.example/o/r.git", "a", ""),
        ("git::ssh://git@h.example:2222/o/r.git", "ssh://git@h.example:2222/o/r.git", "", ""),
        ("git::git@h.example:o/r.git//a?ref=x/y", "ssh://git@h.example/o/r.git", "a", "x/y"),
        ("git@h.example:o/r.git", "ssh://git@h.example/o/r.git", "", ""),
        ("git::file:///srv/r.git//a/", "file:///srv/r.git", "a", ""),
        ("git::https://h.example/r//./a//b", "https://h.example/r", "a/b", ""),
    ],
)
def test_addresses(text: str, url: str, path: str, ref: str) -> None:
    found = git_address(text)
    assert (found.url, found.path, found.ref) == (url, path, ref)
    assert is_git(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("git::http://h.example/r", "begins with http://"),
        ("git::ext::sh -c id", "begins with"),
        ("git::/srv/r.git", "begins with no scheme"),
        ("git::https://h.example/r//../x", "leads out"),
        ("git::https://h.example/r?ref=--upload-pack=id", "`ref`"),
        ("git::https://h.example/r?ref=a..b", "`ref`"),
        ("git::https://h.example/r?ref=+a:b", "`ref`"),
        ("git::ssh://-oProxyCommand=id/r", "names no host"),
        ("git::-oProxyCommand=id:r", "begins with"),
        ("git::https://h.example", "no repository"),
        ("git::https://h.example:port/r", "cannot be read"),
        ("git::file://h.example/r", "git::file:///path"),
        ("git::ssh://git@h.example/r?sshkey=c2VjcmV0", "private key"),
    ],
)
def test_addresses_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(GitError, match=says) as refused:
        git_address(text)
    assert "c2VjcmV0" not in str(refused.value)


def test_credentials_in_an_address_are_never_shown() -> None:
    for text in ("git::https://me:s3cr3t@h.example/r.git", "git::https://s3cr3t@h.example/r.git"):
        found = git_address(text)
        assert (found.url, found.token) == ("https://h.example/r.git", "s3cr3t")
        assert "s3cr3t" not in f"{found} {found!r} {Credentials(token=found.token)!r}"


# --- checkouts -----------------------------------------------------------------------------------------------


def test_a_folder_at_the_default_branch(origin: Path, access: Access) -> None:
    found = checkout(at(origin, "infra/prod"), access)
    assert (found.directory / "main.tf").read_text() == CODE
    assert found.commit == git(origin, "rev-parse", "HEAD")
    assert found.directory == found.package / "infra" / "prod"
    assert (found.package / "modules/queue/main.tf").is_file()


def test_a_branch_is_followed_and_a_tag_a_commit_and_a_short_digest_stay(origin: Path, access: Access) -> None:
    first = git(origin, "rev-parse", "HEAD")
    git(origin, "tag", "-a", "v1", "-m", "one")
    assert checkout(at(origin, ref="main"), access).commit == first
    second = commit(origin, {"infra/prod/main.tf": "# two\n"})
    moved = checkout(at(origin, "infra/prod", "main"), access)
    assert (moved.commit, (moved.directory / "main.tf").read_text()) == (second, "# two\n")
    for ref in ("v1", first, first[:10]):
        found = checkout(at(origin, "infra/prod", ref), access)
        assert (found.commit, (found.directory / "main.tf").read_text()) == (first, CODE)


def test_a_branch_that_was_rewritten(origin: Path, access: Access) -> None:
    checkout(at(origin, ref="main"), access)
    git(origin, "checkout", "--quiet", "--orphan", "other")
    rewritten = commit(origin, {"infra/prod/main.tf": "# new\n"})
    git(origin, "branch", "--force", "main", "other")
    assert checkout(at(origin, ref="main"), access).commit == rewritten


def test_a_commit_that_is_here_needs_no_network_and_a_branch_is_asked_for_once_a_minute(
    origin: Path, access: Access
) -> None:
    first = checkout(at(origin, ref="main"), access).commit
    origin.rename(origin.with_name("gone"))
    assert checkout(at(origin, ref=first), access).commit == first
    assert checkout(at(origin, ref="main"), replace(access, fresh=60.0)).commit == first
    with pytest.raises(GitError, match="there is no such repository"):
        checkout(at(origin, ref="main"), access)


def test_only_the_last_commit_is_fetched(origin: Path, access: Access) -> None:
    for n in range(5):
        commit(origin, {"n": str(n)})
    found = checkout(at(origin), access)
    assert run_git(found.repository, ["rev-list", "--count", found.commit]).strip() == b"1"


def test_what_is_not_there_is_said(origin: Path, access: Access) -> None:
    with pytest.raises(GitError, match=r"\?ref=nope: it has no such branch, tag or commit"):
        checkout(at(origin, ref="nope"), access)
    with pytest.raises(GitError, match="it has no such branch, tag or commit"):
        checkout(at(origin, ref="a" * 40), access)
    with pytest.raises(GitError, match="there is no folder infra/test at commit"):
        checkout(at(origin, "infra/test"), access)


def test_the_cache_is_ours_alone_and_has_no_hooks(origin: Path, access: Access) -> None:
    found = checkout(at(origin), access)
    for folder in (found.repository.parent, found.repository, found.package):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not (found.repository / "hooks").exists()


def test_file_is_spoken_only_where_allowed(origin: Path, access: Access) -> None:
    with pytest.raises(GitError, match="only https and ssh are spoken"):
        checkout(at(origin), replace(access, local=False))


def test_without_git(origin: Path, access: Access, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="the git command is not on this machine"):
        checkout(at(origin), access)


def test_a_cache_that_cannot_be_written(origin: Path, access: Access) -> None:
    access.cache.write_text("a file")
    with pytest.raises(GitError, match="cannot be used"):
        checkout(at(origin), access)


def test_a_lock_that_a_killed_git_left_does_not_stay(origin: Path, access: Access) -> None:
    found = checkout(at(origin, ref="main"), access)
    (found.repository / "shallow.lock").touch()
    second = commit(origin, {"n": "2"})
    assert checkout(at(origin, ref="main"), access).commit == second


def test_the_stacks_of_a_scan_share_one_fetch(origin: Path, access: Access) -> None:
    """As a dozen threads ask at once."""
    shared = replace(access, fresh=60.0)
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(lambda _: checkout(at(origin, "infra/prod", "main"), shared), range(12)))
    assert {each.commit for each in found} == {git(origin, "rev-parse", "HEAD")}
    assert all((each.directory / "main.tf").read_text() == CODE for each in found)
    assert [path.name for path in found[0].package.parent.iterdir()] == [found[0].commit]


def test_trees_nobody_asks_for_go(origin: Path, access: Access) -> None:
    first = checkout(at(origin), access).package
    os.utime(first, (0, 0))
    commit(origin, {"n": "2"})
    second = checkout(at(origin), access).package
    assert (first.exists(), second.exists()) == (False, True)


# --- hostile repositories ------------------------------------------------------------------------------------


def test_attributes_and_filters_change_nothing(origin: Path, access: Access) -> None:
    attributes = "* text eol=crlf ident filter=evil\nmain.tf export-ignore\n"
    commit(origin, {".gitattributes": attributes, "infra/prod/main.tf": "# $Id$\n"})
    found = checkout(at(origin, "infra/prod"), access)
    assert (found.directory / "main.tf").read_bytes() == b"# $Id$\n"


def test_links_that_lead_out_lead_nowhere(origin: Path, access: Access) -> None:
    inside = {"same.tf": "infra/prod/main.tf", "folder": "infra/prod"}
    outside = {"up": "../../..", "etc": "/etc", "deep/x": "../folder/../../..", "circle": "circle"}
    for name, target in {**inside, **outside}.items():
        (origin / name).parent.mkdir(exist_ok=True)
        (origin / name).symlink_to(target)
    commit(origin, {})
    package = checkout(at(origin), access).package
    assert [(package / name).is_symlink() for name in inside] == [True, True]
    assert (package / "folder" / "main.tf").read_text() == CODE
    assert [(package / name).readlink() for name in outside] == [Path(CUT)] * len(outside)
    assert not any((package / name).exists() for name in outside)


def test_submodules_are_not_followed(origin: Path, tmp_path: Path, access: Access) -> None:
    repository(tmp_path / "other", {"main.tf": CODE})
    git(origin, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{tmp_path}/other", "sub")
    commit(origin, {})
    with pytest.raises(GitError, match="there is no folder sub"):
        checkout(at(origin, "sub"), access)


def test_a_tree_with_two_entries_of_one_name_is_refused(origin: Path, access: Access, tmp_path: Path) -> None:
    """A link to a folder elsewhere, and a folder of the same name with a file that would go there."""
    target = tmp_path / "target"
    target.mkdir()
    blob = git(origin, "hash-object", "-w", "infra/prod/main.tf")
    (tmp_path / "link").write_text(str(target))
    link = git(origin, "hash-object", "-w", str(tmp_path / "link"))
    (tmp_path / "inner").write_text(f"100644 blob {blob}\tfile\n120000 blob {link}\tlink\n")
    inner = mktree(origin, (tmp_path / "inner").read_text())
    outer = mktree(origin, f"120000 blob {link}\tx\n040000 tree {inner}\tx\n")
    git(origin, "update-ref", "refs/heads/evil", git(origin, "commit-tree", outer, "-m", "evil"))
    with pytest.raises(GitError, match="of one name"):
        checkout(at(origin, ref="evil"), access)
    assert list(target.iterdir()) == []


def mktree(folder: Path, listing: str) -> str:
    done = subprocess.run(
        ["git", "mktree"], check=True, cwd=folder, env=ENV, input=listing, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_limits(origin: Path, access: Access) -> None:
    with pytest.raises(GitError, match="it has 2 files: at most 1 are laid out"):
        checkout(at(origin), replace(access, limits=Limits(files=1)))
    with pytest.raises(GitError, match="at most 10 are laid out"):
        checkout(at(origin), replace(access, limits=Limits(bytes=10)))


def test_a_tree_that_multiplies_is_refused(origin: Path, access: Access) -> None:
    """Ten files, ten folders of these, ten of those: a listing of 10^9 paths from a kilobyte."""
    blob = git(origin, "hash-object", "-w", "infra/prod/main.tf")
    tree = mktree(origin, "".join(f"100644 blob {blob}\t{n}.tf\n" for n in range(10)))
    for _ in range(8):
        tree = mktree(origin, "".join(f"040000 tree {tree}\t{n}\n" for n in range(10)))
    git(origin, "update-ref", "refs/heads/evil", git(origin, "commit-tree", tree, "-m", "evil"))
    before = time.monotonic()
    with pytest.raises(GitError, match="git answered more than 1,000,000 bytes"):
        checkout(at(origin, ref="evil"), replace(access, limits=Limits(answer=1_000_000)))
    assert time.monotonic() - before < 20


def test_configuration_of_a_repository_runs_nothing(origin: Path, tmp_path: Path) -> None:
    """Whoever may write a working copy's `.git/config` runs nothing as us."""
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    evil.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "diff.external", "gpg.program", "core.sshCommand", "core.askPass"):
        git(origin, "config", name, str(evil))
    for name, value in (("log.showSignature", "true"), ("core.hooksPath", str(tmp_path)), ("core.askpass", str(evil))):
        git(origin, "config", name, value)
    git(origin, "config", "remote.evil.url", f"ext::{evil}")
    git(origin, "config", "remote.evil.promisor", "true")
    git(origin, "config", "core.repositoryFormatVersion", "1")
    git(origin, "config", "extensions.partialClone", "evil")
    run_git(origin / ".git", ["log", "-1", "--stat"])
    with pytest.raises(GitError):
        run_git(origin / ".git", ["cat-file", "-p", "1" * 40])
    assert not (tmp_path / "ran").exists()


# --- servers -------------------------------------------------------------------------------------------------


class Server(http.server.BaseHTTPRequestHandler):
    """Refuses whoever asks, after noting what they sent."""

    seen: ClassVar[list[str]] = []
    answer = 401

    def do_GET(self) -> None:
        type(self).seen.append(self.headers.get("Authorization", ""))
        if self.answer == 0:
            time.sleep(20)
        self.send_response(self.answer)
        if self.answer == 302:
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Server]]]:
    handler = type("Handler", (Server,), {"seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/r.git", handler
        listening.shutdown()


def fetch(url: str, folder: Path, credentials: Credentials, seconds: float = 30.0) -> str:
    run_git(folder, ["init", "--quiet", "--bare", "--template="])
    with pytest.raises(GitError) as refused:
        limits = Limits(seconds=seconds)
        run_git(
            folder, ["fetch", "--quiet", "--", url, "HEAD"], protocols=("http",), credentials=credentials, limits=limits
        )
    return str(refused.value)


def test_a_token_is_sent_and_never_told(server: tuple[str, type[Server]], tmp_path: Path) -> None:
    url, handler = server
    said = fetch(url, tmp_path, Credentials(token="s3cr3t"))
    assert "access is denied" in said
    assert handler.seen[-1].startswith("Basic ")
    assert "s3cr3t" not in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"Basic" in path.read_bytes()]


def test_a_token_is_not_carried_elsewhere(server: tuple[str, type[Server]], tmp_path: Path) -> None:
    url, handler = server
    handler.answer = 302
    said = fetch(url, tmp_path, Credentials(token="s3cr3t"))
    assert "redirect" in said
    assert len(handler.seen) == 1


def test_a_host_that_does_not_answer_is_given_up(server: tuple[str, type[Server]], tmp_path: Path) -> None:
    url, handler = server
    handler.answer = 0
    began = time.monotonic()
    assert "git had not ended after 0.5 s" in fetch(url, tmp_path, Credentials(), seconds=0.5)
    assert time.monotonic() - began < 10


def test_ssh_is_told_our_key_and_the_hosts_we_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an ssh of ours that writes down its arguments."""
    (tmp_path / "bin").mkdir()
    ssh = tmp_path / "bin" / "ssh"
    ssh.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/told"\necho "Host key verification failed." >&2\nexit 255\n'
    )
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    given = Credentials(ssh_key=tmp_path / "a key; touch x", known_hosts=tmp_path / "known")
    with pytest.raises(GitError, match="the host's ssh key is not known: add it to known_hosts"):
        checkout("git::git@h.example:o/r.git", Access(tmp_path / "cache", given))
    told = (tmp_path / "told").read_text().splitlines()
    assert {"-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oIdentitiesOnly=yes", "git@h.example"} <= set(told)
    assert told[told.index("-i") + 1] == f"{tmp_path}/a key; touch x"
    assert f"-oUserKnownHostsFile={tmp_path}/known" in told
