"""What the daemon has done besides scans, each job in a process of its own, which gives back the memory it took.

`python -m agent.work CONFIG JOB [--fence N] [--into DIR]`, one JSON line on stdout. Hides which module does what, and
that what a job needs is imported by that job alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.child import signs
from agent.clean import clean
from agent.config import Config, ConfigError, RulesConfig, load, missing, read_from, reading
from agent.rule_file import RuleError

if TYPE_CHECKING:
    from agent.store import Store

FAILED = 1
"""Exit code of a job that could not be done; the line says why."""
MISUSE = 2
"""Exit code where configuration or rules are wrong."""
HEARTBEAT_SECONDS = 20
"""How long a dead man's switch may take to answer."""

Said = Mapping[str, Any]
Job = Callable[[Config, "Store"], Said]


class WorkError(Exception):
    """A job could not be done; the message says why, without secrets."""


# --- configuration and rules -----------------------------------------------------------------------------------


def adopt(path: Path, into: Path, named: Callable[[Iterable[Path]], None] = lambda _: None) -> Said:
    """Copies the configuration, rules, exceptions, baseline, standing changes, identity map, signers, revoked keys and
    calendars below a folder, each under its full path, and checks the copies. Copies are what is checked: nothing can
    change between the two. Approved plans are none of them: one is found by its fingerprint, which half a plan has not.

    Gives the configuration without the secrets that only jobs need, and what is to be watched. `named` is told of files
    and folders besides the configuration, also where one of them is wrong. Raises ConfigError and RuleError for what is
    wrong, WorkError for what cannot be copied.
    """
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(f"{into}{path.absolute()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
        Path(f"{place}.base").write_text(str(path.resolve().parent), encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `driftwarden init` writes one") from None
    except OSError as error:
        raise WorkError(f"{error.filename or path}: {error.strerror}") from None
    read_from(into)
    config = load(path)
    policy = _policy(config)
    named(policy)
    for one in policy:
        _copy(one, into)
    _check(config)
    return {"config": _without_secrets(config), "policy": [str(one) for one in policy], **_to_watch(config)}


def _policy(config: Config) -> list[Path]:
    """Files and folders besides the configuration that verdicts rest on: they are kept as they were found right."""
    rules = [config.path(name) for name in config.rules.dirs]
    authority = config.authority
    names = (config.exceptions.dir, config.baseline.dir, authority.standing, config.identities.file, authority.signers)
    keys = [config.path(f"{authority.signers}.revoked")] if authority.signers else []
    named = [config.path(name) for name in names if name]
    return [*rules, *(folder / "controls" for folder in rules), *named, *keys, *_calendars(config)]


def _calendars(config: Config) -> list[Path]:
    """Those that are files."""
    return [config.path(name) for name in config.authority.calendars if not name.startswith("ssm:")]


def _copy(source: Path, into: Path) -> None:
    """A file, or the YAML files of a folder; of what is not there, that it is not."""
    copy = Path(f"{into}{source.absolute()}")
    try:
        if source.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
            for file in source.iterdir():
                if file.suffix in (".yaml", ".yml") and file.is_file():
                    shutil.copyfile(file, copy / file.name)
        elif source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        else:
            missing(into, source).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkError(f"{error.filename or source}: cannot be read: {error.strerror}") from None


def _check(config: Config) -> None:
    """Raises ConfigError and RuleError, which say file and line."""
    if config.rules != RulesConfig():  # those that ship are right
        _check_rules(config)
    if config.identities.file:
        from agent.directory import read_file

        read_file(config.path(config.identities.file))
    if config.authority.signers:
        from agent.signing import SigningError, check_files

        try:
            check_files(config.path(config.authority.signers))
        except SigningError as error:
            raise ConfigError(str(error)) from None
    for why in (*_unread(config), *_unread_calendars(config)):
        raise ConfigError(why)


def _check_rules(config: Config) -> None:
    from agent.risk_file import load_weights
    from agent.rules import check_rules, load_rules, staged

    folders = [config.path(name) for name in config.rules.dirs]
    copies = [reading(folder) for folder in folders]
    try:
        rules = staged(load_rules(copies), config.rules)
        load_weights(copies)
    except RuleError as error:
        said = str(error)
        for copy, folder in zip(copies, folders, strict=True):
            said = said.replace(str(copy), str(folder))
        raise RuleError(said) from None
    for result in check_rules(rules):
        if not result.passed:
            raise RuleError(f"rule {result.rule}: its example '{result.example}' does not come out as it says")


def _unread(config: Config) -> Iterator[str]:
    """Files of exceptions, baseline and standing changes that cannot be read at all. What is wrong with an entry of
    theirs is told by each scan, and permits nothing.
    """
    names = filter(None, (config.exceptions.dir, config.baseline.dir, config.authority.standing))
    folders = [folder for folder in map(config.path, names) if reading(folder).is_dir()]
    if not folders:
        return
    from agent.tickets.document import DocumentError, parse, text
    from agent.tolerated.terms import yaml_files

    for folder in folders:
        for file in yaml_files(folder):
            try:
                parse(text(file), file)
            except DocumentError as error:
                yield str(error)


def _unread_calendars(config: Config) -> Iterator[str]:
    """Calendars that cannot be read to their end: half of one leaves out freezes."""
    files = _calendars(config)
    if not files:
        return
    from agent.freeze import UnreadError, check_file

    for file in files:
        try:
            check_file(file)
        except UnreadError as error:
            yield f"{file}: {clean(error)}"


def _without_secrets(config: Config) -> Any:
    """What the daemon itself needs: the secrets of ticket systems and of e-mail are for jobs alone."""
    bare = msgspec.structs.replace(
        config,
        tickets=msgspec.structs.replace(config.tickets, systems={name: {} for name in config.tickets.systems}),
        smtp=msgspec.structs.replace(config.smtp, password=""),
    )
    return json.loads(msgspec.json.encode(bare))


def _to_watch(config: Config) -> dict[str, list[str]]:
    from agent.watch import code_folders, ticket_folders

    ours = (config.report.dir, config.store.cache, config.backup.dir)
    return {
        "code": [str(folder) for folder in code_folders(config)],
        "tickets": [str(folder) for folder in ticket_folders(config)],
        "ours": [str(config.path(name).resolve()) for name in ours if name],
    }


# --- jobs ------------------------------------------------------------------------------------------------------


def file(config: Config, store: Store) -> Said:
    """Carries out what the outbox holds. An entry that could not be filed is no failure of the job: it is told, and
    tried again or stays as dead.
    """
    from agent.conduct import files_cases
    from agent.filing import drain, forsaken, owner
    from agent.ticketing import open_systems

    target = open_systems(config).target
    if target is None or not files_cases(config):
        return {"sent": 0, "retried": 0, "dead": 0, "errors": []}
    sign = signs()

    def now() -> datetime:
        sign()  # it is asked for each entry
        return datetime.now(UTC)

    if store.database.file is not None:
        forsaken(store.outbox, now())
    filed = drain(store.outbox, target, owner(), now)
    errors = [clean(why, 300) for why in filed.errors]
    return {"sent": filed.sent, "retried": filed.retried, "dead": filed.dead, "errors": errors}


def report(config: Config, store: Store) -> Said:
    """Makes the weekly report, keeps it, writes it and sends it. Raises WorkError."""
    from agent.mail import MailError
    from agent.report.weekly import weekly_job

    try:
        return {"report": clean(weekly_job(config, store, datetime.now(UTC)))}
    except (MailError, OSError) as error:
        raise WorkError(clean(error)) from None


def backup(config: Config, store: Store) -> Said:
    """Copies store and keys to `[backup] dir`. Raises WorkError."""
    from agent import upkeep

    try:
        return {"backup": clean(upkeep.backup(config, store))}
    except (upkeep.UpkeepError, OSError) as error:
        raise WorkError(clean(error)) from None


def prune(config: Config, store: Store) -> Said:
    """Drops what `[retention]` does not ask to keep. Raises WorkError."""
    from agent import upkeep

    try:
        return {"pruned": clean(upkeep.prune(config, store, datetime.now(UTC)))}
    except (upkeep.UpkeepError, OSError) as error:
        raise WorkError(clean(error)) from None


def heartbeat(config: Config, _store: Store) -> Said:
    """Tells the dead man's switch that a scan of the whole estate ended. Raises WorkError, without its address."""
    url = config.daemon.heartbeat
    if not url.startswith(("https://", "http://")):
        raise WorkError("[daemon] heartbeat is no address; write https://…")
    request = urllib.request.Request(url, headers={"User-Agent": "driftwarden"})  # noqa: S310 - its scheme is looked at
    try:
        with urllib.request.urlopen(request, timeout=HEARTBEAT_SECONDS) as answer:  # noqa: S310 - as above
            return {"status": answer.status}
    except urllib.error.HTTPError as error:
        raise WorkError(f"the dead man's switch answers {error.code}") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise WorkError(f"the dead man's switch cannot be reached: {clean(type(reason).__name__)}") from None
    except ValueError:
        raise WorkError("[daemon] heartbeat is no address; write https://…") from None


JOBS: Mapping[str, Job] = {
    "file": file,
    "report": report,
    "backup": backup,
    "prune": prune,
    "heartbeat": heartbeat,
}


def _done(config: Config, job: str, fence: int | None) -> Said:
    """What a job did. Raises ConfigError, RuleError, WorkError."""
    from agent.store import StoreError, connect

    try:
        with connect(config.store_url(), fence=fence) as store:
            return JOBS[job](config, store)
    except StoreError as error:
        raise WorkError(str(error)) from None


def _main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m agent.work")
    parser.add_argument("config", type=Path)
    parser.add_argument("job", choices=[*JOBS, "adopt"])
    parser.add_argument("--fence", type=int)
    parser.add_argument("--into", type=Path)
    asked = parser.parse_args(arguments)
    code = 0
    policy: list[Path] = []
    try:
        if asked.job == "adopt":
            said = adopt(asked.config, asked.into, policy.extend)
        else:
            said = _done(load(asked.config), asked.job, asked.fence)
    except (ConfigError, RuleError, WorkError) as error:
        code, said = FAILED if isinstance(error, WorkError) else MISUSE, {"error": str(error)}
        said = {**said, "policy": [str(one) for one in policy]} if policy else said
    sys.stdout.write(json.dumps(said) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
