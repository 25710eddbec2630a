"""Runs every command of docs/operations.md and docs/install.md, each in the situation that the page tells of.

    python scripts/operations_trial.py [--wheel dist/driftwarden-….whl] [--transcript FILE]

Installs the wheel on a machine that is this one with mounts of its own (`operations_machine`), runs the daemon there as
the service's user over moto, and types what the pages say, as the people they say it to. `systemctl`, `systemd-run` and
`journalctl` are played, as PID 1 need not be systemd. It takes root, ten minutes, and no network but a package index.
Exit code 1 where a command did not do what the page says.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

import operations_machine as machine
from operations_machine import JOURNAL, ROOT, SERVICE, Cloud, Service, metric, wait_for

PLAYED = Path("/usr/local/sbin/systemd-run")
PLAY = f"""\
#!/bin/sh
# Of systemd-run: the options that matter to the command, which then runs as the service's user.
while :; do
  case "$1" in
    -p) case "$2" in
          WorkingDirectory=*) cd "${{2#*=}}" ;;
          LoadCredential=*)
            mkdir -p /run/credentials/driftwarden.service
            from="${{2#*:}}"; name="${{2#LoadCredential=}}"
            install -o {SERVICE} -m 0400 "$from" "/run/credentials/driftwarden.service/${{name%%:*}}" ;;
        esac; shift 2 ;;
    --*) shift ;;
    *) break ;;
  esac
done
export CREDENTIALS_DIRECTORY=/run/credentials/driftwarden.service HOME=/var/lib/driftwarden
umask 0077
exec {" ".join(Service.as_service())} "$@"
"""


class Trial:
    """What was typed, and what came of it."""

    def __init__(self, cloud: Cloud, service: Service, transcript: TextIO) -> None:
        self.cloud = cloud
        self.service = service
        self._transcript = transcript
        self.failures: list[str] = []

    def typed(
        self,
        command: str,
        *,
        by: str = "root",
        code: int | tuple[int, ...] = 0,
        says: str = "",
        given: str = "",
        at: Path = ROOT,
        filled: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Types a command of a page → what it printed.

        `by`: whose shell; `code`: the exit codes that are right; `says`: what it must print; `given`: on its stdin;
        `filled`: what stands for the page's words in capitals. `{root}` is nothing: it marks paths that are a page's.
        """
        text = command.replace("{root}", "")
        for name, value in filled.items():
            text = text.replace(name, value)
        if played := self._played(text):
            said = played()
            code_, out = 0, said if isinstance(said, str) else ""
        else:
            who = [] if by == "root" else machine.user(by)
            # People have no credentials of the cloud.
            mine = machine.VARIABLES | self.service.environment() if by == "root" else {"PATH": machine.EXECUTABLES}
            environment = {"PATH": f"/usr/local/sbin:{machine.EXECUTABLES}", "HOME": str(Path.home()), "COLUMNS": "120"}
            environment = {**mine, **environment, **machine.pip_variables()}
            if by != "root":
                environment["HOME"] = f"/mnt/home/{by}"
                at = Path(environment["HOME"]) if at == ROOT else at
            environment.pop("CREDENTIALS_DIRECTORY", None)
            done = subprocess.run(
                [*who, "bash", "-c", text],
                input=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                cwd=at,
                env=environment,
                timeout=900,
            )
            code_, out = done.returncode, done.stdout
        self.note(f"[{by}] $ {text}\n{out.rstrip()}\n[{code_}]\n")
        if code_ not in (code if isinstance(code, tuple) else (code,)):
            self.failures.append(f"{text}: ended with {code_}, not {code}:\n{out[-1500:]}")
        elif says not in out:
            self.failures.append(f"{text}: does not say {says!r}:\n{out[-1500:]}")
        return out

    prepared = typed
    """The same for what no page says."""

    def note(self, text: str) -> None:
        """Into the transcript."""
        print(text, file=self._transcript, flush=True)

    def _played(self, text: str) -> Callable[[], Any] | None:
        """What systemd itself would do."""
        words = text.split()
        if words[0] == "journalctl":
            return lambda: "\n".join(JOURNAL.read_text().splitlines()[-5:])
        if words[0] != "systemctl":
            return None
        if "driftwarden" not in words or words[1] == "status":
            return lambda: "\n".join(self.service.told[-3:])
        return {
            "start": self.service.start,
            "enable": self.service.start,
            "stop": self.service.stop,
            "disable": self.service.stop,
            "restart": self.service.restart,
            "reload": lambda: self.service.main.send_signal(signal.SIGHUP),
        }[words[1]]

    def scanned(self) -> None:
        """Waits for a scan of the whole estate that is asked for now."""
        before = metric("driftwarden_last_successful_scan_timestamp_seconds")
        self.prepared("driftwarden scan", by="kim", code=3)
        wait_for(lambda: metric("driftwarden_last_successful_scan_timestamp_seconds") > before, "a scan")


def main() -> None:
    """The trial, from the wheel to the last alert."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--wheel", type=Path, default=next(iter(sorted((ROOT / "dist").glob("*.whl"))), None))
    options.add_argument("--transcript", type=Path)
    given = options.parse_args()
    if os.geteuid() != 0 or given.wheel is None:
        options.error("it takes root, and a wheel: make wheel")
    with ExitStack() as undone:
        transcript = undone.enter_context(given.transcript.open("w")) if given.transcript else sys.stdout
        began = datetime.now(UTC)
        machine.mounted()
        machine.next_release(given.wheel, Path("/srv"))
        PLAYED.parent.mkdir(exist_ok=True)
        PLAYED.write_text(PLAY)
        PLAYED.chmod(0o755)
        _, address = undone.enter_context(machine.moto())
        cloud = Cloud(undone, machine.VARIABLES, lambda: address)
        service = Service(cloud.variables)
        undone.callback(service.close)
        trial = Trial(cloud, service, transcript)
        from operations_steps import STEPS

        for step in STEPS:
            trial.note(f"=== {step.__doc__}\n")
            try:
                step(trial)
            except (OSError, RuntimeError, sqlite3.Error) as error:  # TimeoutError is one of the first
                trial.failures.append(f"{step.__name__}: {error}")
                trial.note(trial.failures[-1])
        trial.note(f"{len(trial.failures)} failures, {datetime.now(UTC) - began}\n" + "\n\n".join(trial.failures))
        if trial.failures:
            sys.exit("\n\n".join(trial.failures))


if __name__ == "__main__":
    main()
