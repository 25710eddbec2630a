"""What the daemon was given: the configuration, rules and exceptions that it looked at last and found right.

Hides that they are copies, which its child processes read in place of the files: nobody's half-written file is ever
read by a scan, and a mistake in a new one leaves the old ones in force.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent.config import Config, ConfigError, environment, read_from
from agent.daemon.children import ask
from agent.daemon.health import address

_PREFIX = "driftwarden-given-"
_KEPT = 3
"""So many of the newest copies stay, whoever reads them."""


class RefusedError(Exception):
    """What was given is wrong: file, line, and what would be right."""

    def __init__(self, why: str, policy: tuple[Path, ...] = ()) -> None:
        super().__init__(why)
        self.policy = policy
        """As of `Given`, as far as that is known: where what is wrong may be put right; empty: it is not known."""


@dataclass(frozen=True, slots=True)
class Given:
    """One configuration with what belongs to it."""

    config: Config
    """Without the secrets of ticket systems and of e-mail."""
    policy: tuple[Path, ...]
    """Files and folders that verdicts rest on, the configuration first."""
    code: tuple[Path, ...]
    """Folders of stacks and of modules that they call."""
    tickets: tuple[Path, ...]
    ours: tuple[Path, ...]
    """Folders that driftwarden writes to itself."""
    copies: Path = Path()
    """Folder of the copies of `policy`."""


class Keeper:
    """Looks at what a configuration file says, and keeps copies of what was taken. `adopt` is for any one thread, all
    else for the one that starts children.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self.path = path
        self._seconds = seconds
        self._place = _place()
        self._number = 0
        self._copies: list[Path] = []

    def adopt(self) -> Given:
        """Copies and checks what there is now. Nobody reads the copies before it is taken: see `take` and `drop`.

        Raises RefusedError.
        """
        self._number += 1
        into = self._place / str(self._number)
        try:
            code, out, said = ask("agent.work", [str(self.path), "adopt", "--into", str(into)], b"", self._seconds)
            answer = json.loads(out) if out else {"error": said or f"the check of it ended with exit code {code}"}
            named = tuple(map(Path, answer.get("policy", ())))
            policy = (self.path.absolute(), *named)
            if why := answer.get("error"):
                raise RefusedError(why, policy if named else ())
            code_folders, tickets, ours = (tuple(map(Path, answer[name])) for name in ("code", "tickets", "ours"))
            given = Given(msgspec.convert(answer["config"], Config), policy, code_folders, tickets, ours, into)
            address(given.config.daemon.listen)
        except (OSError, ValueError) as error:
            shutil.rmtree(into, ignore_errors=True)
            raise RefusedError(f"{self.path}: could not be looked at: {error}") from None
        except ConfigError as error:
            shutil.rmtree(into, ignore_errors=True)
            raise RefusedError(str(error), policy) from None
        except RefusedError:
            shutil.rmtree(into, ignore_errors=True)
            raise
        return given

    def take(self, given: Given) -> None:
        """It is in force: child processes that are started from now on read its copies."""
        read_from(given.copies)
        self._copies.append(given.copies)

    def drop(self, given: Given) -> None:
        """It was adopted, and does not come into force."""
        shutil.rmtree(given.copies, ignore_errors=True)

    def tidy(self, read: Container[str]) -> None:
        """Takes older copies away, but for those that are still `read`: a scan may take hours, and a reload seconds."""
        for copy in self._copies[:-_KEPT]:
            if str(copy) not in read:
                shutil.rmtree(copy, ignore_errors=True)
                self._copies.remove(copy)

    def forget(self) -> None:
        """Takes the copies away."""
        read_from(None)
        shutil.rmtree(self._place, ignore_errors=True)


def _place() -> Path:
    """A folder of ours alone, in systemd's runtime directory if there is one. Those of daemons that died go."""
    given = environment()
    runtime = given.get("RUNTIME_DIRECTORY", "").partition(":")[0] or given.get("XDG_RUNTIME_DIR", "")
    above = Path(runtime if runtime and Path(runtime).is_dir() else tempfile.gettempdir())
    for old in above.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            held = _hold(old, fcntl.LOCK_EX)
            shutil.rmtree(old, ignore_errors=True)
            os.close(held)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))  # mode 0700
    # As long as it is locked systemd-tmpfiles lets it be: https://www.freedesktop.org/software/systemd/man/tmpfiles.d.html
    _hold(made, fcntl.LOCK_SH)
    return made


def _hold(folder: Path, how: int) -> int:
    """Locks a folder for as long as what is given stays open. Raises OSError where it is another's, or locked."""
    held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        if os.fstat(held).st_uid != os.geteuid():
            raise PermissionError
        fcntl.flock(held, how | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held
