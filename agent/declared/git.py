"""Runs the git binary on repositories that others wrote.

Hides what it must not do there: ask questions, run hooks, filters or signature checks, follow submodules, heed the
user's or the machine's configuration, speak a protocol nobody allowed, run on without end, or show a token.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.clean import clean
from agent.config import environment

NETWORK = ("https", "ssh")
"""Protocols a repository may be fetched with; `file` is added where the user's own configuration says so."""


class GitError(Exception):
    """A repository that cannot be read: which, why, and what would be right."""


class CutOffError(GitError):
    """The answer lies before the commits of a shallow clone."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a repository is fetched with; nothing of it reaches an argument list, a file or a message."""

    ssh_key: Path | None = None
    """A read-only key. Without one, ssh asks the user's agent and own keys."""
    known_hosts: Path | None = None
    """Keys of the hosts to trust; None: the user's own list. An unknown host is refused either way."""
    user: str = ""
    token: str = field(default="", repr=False)
    """For https. GitHub, GitLab and Bitbucket take any user name with it but for GitLab's deploy tokens."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one repository may cost."""

    seconds: float = 300.0
    bytes: int = 2_000_000_000
    """Of the clone; and of one commit's files, laid out."""
    files: int = 200_000
    answer: int = 256_000_000
    """Bytes of what git says: a tree of trees of one file, ten levels deep, would be listed without end."""


_KEPT = re.compile(
    r"(?i:https?_proxy|no_proxy|all_proxy)|PATH|HOME|TMPDIR|SSH_AUTH_SOCK|SSL_CERT_(?:FILE|DIR)|GIT_SSL_CA(?:INFO|PATH)"
)
"""Environment variables git keeps: how to find ssh, a proxy and the certificates."""

_FIXED = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}

_SETTINGS = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.pager=cat", "core.askPass=", "credential.helper="),
    *("core.alternateRefsCommand=false", "diff.external=", "log.showSignature=false", "log.mailmap=false"),
    *("submodule.recurse=false", "fetch.recurseSubmodules=false", "gc.autoDetach=false", "maintenance.auto=false"),
    *("http.lowSpeedLimit=1000", "http.lowSpeedTime=60", "protocol.version=2", "advice.detachedHead=false"),
)
"""Settings that win over a repository's own (https://git-scm.com/docs/git-config)."""


def run_git(
    repository: Path,
    arguments: Sequence[str],
    *,
    protocols: Sequence[str] = (),
    credentials: Credentials | None = None,
    limits: Limits | None = None,
) -> bytes:
    """What `git` answers in a repository's git directory. Raises `GitError`.

    Without `protocols` it reaches nothing but the repository itself. Within `limits` it is left alone; then it, and
    what it started, is ended.
    """
    credentials, limits = credentials or Credentials(), limits or Limits()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        process = start(repository, arguments, protocols, credentials, None, out.fileno(), said.fileno())
        try:
            _wait(process, repository, limits, out.fileno())
        finally:
            end(process)
        if process.returncode:
            said.seek(0)
            told = said.read(20_000).decode("utf-8", "replace")
            raise GitError(_explained(told, process.returncode, credentials))
        out.seek(0)
        answer = out.read(limits.answer + 1)
        if len(answer) > limits.answer:
            raise GitError(f"git answered more than {limits.answer:,} bytes: too many files")
        return answer


def start(
    repository: Path,
    arguments: Sequence[str],
    protocols: Sequence[str] = (),
    credentials: Credentials | None = None,
    stdin: int | None = None,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """A git process of its own group. Raises `GitError` where there is no git."""
    settings = [word for setting in (*_SETTINGS, f"safe.directory={repository}") for word in ("-c", setting)]
    binary = shutil.which("git")
    if binary is None:
        raise GitError("the git command is not on this machine: install git, or give a local directory")
    try:
        return subprocess.Popen(
            [binary, "--no-pager", "--literal-pathspecs", *settings, f"--git-dir={repository}", *arguments],
            cwd=repository,
            env=_environment(protocols, credentials or Credentials()),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except OSError as error:
        raise GitError(f"git cannot be run in {repository}: {error.strerror}") from None


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all it started, where it still runs."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], repository: Path, limits: Limits, out: int) -> None:
    """Until it ends, takes too long, says too much or makes the repository too large."""
    until = time.monotonic() + limits.seconds
    while True:
        try:
            process.wait(timeout=max(0.0, min(0.5, until - time.monotonic())))
        except subprocess.TimeoutExpired:
            if time.monotonic() >= until:
                raise GitError(f"git had not ended after {limits.seconds:g} s: is the host reachable?") from None
            if os.fstat(out).st_size > limits.answer:
                raise GitError(f"git answered more than {limits.answer:,} bytes: too many files") from None
            if _size(repository) > limits.bytes:
                raise GitError(f"the repository has more than {limits.bytes:,} bytes: too large to fetch") from None
        else:
            return


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder / "objects"):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - thousands of names
    return total


def _environment(protocols: Sequence[str], credentials: Credentials) -> Mapping[str, str]:
    kept = {name: value for name, value in environment().items() if _KEPT.fullmatch(name)}
    # An empty list allows nothing; it also stops a partial clone from fetching by itself.
    made = {"GIT_ALLOW_PROTOCOL": ":".join(protocols) or "none", "GIT_SSH_COMMAND": _ssh(credentials)}
    if credentials.token:
        # In the environment, where other users of the machine cannot see it as they see arguments.
        pair = f"{credentials.user or 'x-access-token'}:{credentials.token}".encode()
        settings = {
            "http.extraHeader": f"Authorization: Basic {base64.b64encode(pair).decode()}",
            "http.followRedirects": "false",  # git would carry the header to wherever it is sent
        }
        made["GIT_CONFIG_COUNT"] = str(len(settings))
        for n, (name, value) in enumerate(settings.items()):
            made |= {f"GIT_CONFIG_KEY_{n}": name, f"GIT_CONFIG_VALUE_{n}": value}
    return {**kept, **_FIXED, **made}


def _ssh(credentials: Credentials) -> str:
    """git hands this to a shell."""
    words = ["ssh", "-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oConnectTimeout=20", "-oForwardAgent=no"]
    if credentials.ssh_key is not None:
        words += ["-F", "none", "-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-i", str(credentials.ssh_key)]
    if credentials.known_hosts is not None:
        words += [f"-oUserKnownHostsFile={credentials.known_hosts}", "-oGlobalKnownHostsFile=/dev/null"]
    return shlex.join(words)


_MEANINGS = (
    (r"could not resolve host|name or service not known", "the host's name does not resolve"),
    (r"host key verification failed|no .* host key is known", "the host's ssh key is not known: add it to known_hosts"),
    (
        r"permission denied|authentication failed|could not read (?:username|password)|access denied"
        r"|returned error: 40[13]",
        "access is denied: give a read-only key or token that may read it",
    ),
    (r"couldn't find remote ref|not our ref|unadvertised object", "it has no such branch, tag or commit"),
    (
        r"repository .*not found|does not appear to be a git repository|returned error: 404",
        "there is no such repository",
    ),
    (r"redirect|returned error: 30[1278]", "it redirects elsewhere: write the address it answers at"),
    (r"transport '[^']*' not allowed", "only https and ssh are spoken: write an https:// or ssh:// address"),
    (r"connection (?:refused|timed out|reset)|failed to connect|timed out", "the host does not answer"),
    (r"certificate", "its certificate is not trusted: SSL_CERT_FILE names other authorities"),
)


def _explained(told: str, code: int, credentials: Credentials) -> str:
    """git's own words cut to a line, after what they mean; credentials taken out."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
    last = re.sub(r"://[^/@\s]+@", "://", last)
    if credentials.token:
        last = last.replace(credentials.token, "…")
    meaning = next((why for pattern, why in _MEANINGS if re.search(pattern, told, re.IGNORECASE)), "")
    words = clean(last, 300) or f"git ended with code {code}"
    return f"{meaning} ({words})" if meaning else words
