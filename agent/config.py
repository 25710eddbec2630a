"""`driftwarden.toml` → a frozen `Config`. The only reader of the environment.

Hides references to secrets, what the types of the tables cannot say, and finding the line a mistake stands on.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from agent.cron import time_zone, when
from agent.tables import (
    Account,
    AuthorityConfig,
    Config,
    Estate,
    IdentitiesConfig,
    PathName,
    PipelineConfig,
    PolicyConfig,
    ReportConfig,
    RulesConfig,
    Stack,
    StoreConfig,
    TestName,
    TicketsConfig,
    TrailSource,
)
from agent.toml_file import TomlFile

__all__ = [
    "Account",
    "AuthorityConfig",
    "Config",
    "ConfigError",
    "Estate",
    "IdentitiesConfig",
    "PathName",
    "PipelineConfig",
    "PolicyConfig",
    "ReportConfig",
    "RulesConfig",
    "Stack",
    "StoreConfig",
    "TestName",
    "TicketsConfig",
    "TrailSource",
    "aws_environment",
    "duration",
    "environment",
    "load",
    "missing",
    "read_from",
    "reading",
]


SET_BY_LOAD = ("base", "origin", "sha256")
"""Fields of `Config` that no file may hold."""

JOBS = ("scan", "trail", "reevaluate", "remind", "report", "backup", "prune")
"""Keys of `[schedule]` that say when something is due."""

KEPT = "DRIFTWARDEN_KEPT"
"""Variable that names the folder of what the daemon read last and found right; its child processes read that."""


class ConfigError(Exception):
    """The user's mistake: says file, line, what stands there and what would be right. Exit code 2."""


def load(path: Path) -> Config:
    """Read and check a configuration file. Raises `ConfigError`."""
    place = reading(path)
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `driftwarden init` writes one") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    try:
        file = TomlFile(path, data.decode(), {})
        tree = tomllib.loads(file.text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 at byte {error.start} of the file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file.not_toml(str(error))) from None
    for field in SET_BY_LOAD:
        if field in tree:
            raise ConfigError(file.mistake(f"$.{field}", f"unknown field '{field}'"))
    resolved = _resolve(tree, file, "$")
    systems = _systems(resolved, file)
    try:
        config = msgspec.convert(resolved, Config)
    except msgspec.ValidationError as error:
        raise _explain(file, str(error), Config) from None
    config = msgspec.structs.replace(config, tickets=msgspec.structs.replace(config.tickets, systems=systems))
    _check(config, file)
    digest = hashlib.sha256(data).hexdigest()
    # A link may have been turned to other files since: what is relative stays where it was.
    base = str(path.resolve().parent) if place == path else Path(f"{place}.base").read_text(encoding="utf-8")
    return msgspec.structs.replace(config, base=base, origin=path.name, sha256=digest)


def reading(path: Path) -> Path:
    """Where the content of a file or folder is read: in a child of the daemon the copy that was found right, if there
    is one; else the path itself. What the copy of a folder does not hold, or was not there itself, is not there.
    """
    kept = os.environ.get(KEPT)
    if not kept:
        return path
    if (was_missing := missing(Path(kept), path)).exists():
        return was_missing / "nothing"
    copy = Path(f"{kept}{path.absolute()}")
    return copy if copy.exists() else path


def missing(kept: Path, path: Path) -> Path:
    """A folder below that of the copies, empty for ever: where it is, the file or folder `path` was not there."""
    return kept / ".missing" / hashlib.sha256(os.fsencode(path.absolute())).hexdigest()


def read_from(kept: Path | None) -> None:
    """Makes this process and its children read the copies below a folder, each under its full path; None: no more."""
    if kept is None:
        os.environ.pop(KEPT, None)
    else:
        os.environ[KEPT] = str(kept)


def duration(text: str) -> timedelta:
    """`30s`, `15m`, `12h`, `7d` → a length of time. Raises `ValueError`."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if match is None:
        raise ValueError(f"'{text}' is no duration; write for example 15m, 12h or 7d")
    return int(match[1]) * timedelta(**{{"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]: 1})


def environment() -> Mapping[str, str]:
    """The process environment, for child processes."""
    return dict(os.environ)


@contextlib.contextmanager
def aws_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Within it `variables` take the place of every `AWS_…` variable, for our own clients and for child processes."""
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for name in before:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


def ticket_systems() -> Mapping[str, Any]:
    """Name of each ticket system there is → the type of its table: a file in `agent/tickets` is the registration."""
    folder = Path(__file__).parent / "tickets"
    modules = (file.stem for file in sorted(folder.glob("*.py")) if "class Settings(" in file.read_text("utf-8"))
    # Looked up by name: which systems there are is not for the configuration to know.
    return {name: importlib.import_module(f"agent.tickets.{name}").Settings for name in modules}


def _systems(tree: Any, file: TomlFile) -> dict[str, Any]:
    """The tables `[tickets.NAME]`, taken out of the tree and each checked against its system's own type."""
    table = tree.get("tickets")
    if not isinstance(table, dict):
        return {}
    found = {}
    for name in [name for name, value in table.items() if isinstance(value, dict)]:
        known = ticket_systems()
        if name not in known:
            fields = [*known, "file_to", "mode"]
            raise ConfigError(file.mistake(f"$.tickets.{name}", f"unknown field '{name}'{_meant(name, fields)}"))
        try:
            found[name] = msgspec.convert(table.pop(name), known[name])
        except msgspec.ValidationError as error:
            said, at, where = str(error).partition(" - at `")
            where = f"$.tickets.{name}" + where.removeprefix("$") if at else f"$.tickets.{name}`"
            raise _explain(file, f"{said} - at `{where}", known[name], f"$.tickets.{name}") from None
    return found


def _check(config: Config, file: TomlFile) -> None:
    """What types alone cannot say."""
    for where, value in (
        ("$.trail.lookback", config.trail.lookback),
        ("$.trail.keep", config.trail.keep),
        ("$.authority.tolerance", config.authority.tolerance),
        ("$.authority.grace", config.authority.grace),
        ("$.authority.breakglass.document_within", config.authority.breakglass.document_within),
        ("$.authority.breakglass.offline_within", config.authority.breakglass.offline_within),
        ("$.authority.breakglass.longest", config.authority.breakglass.longest),
        *((f"$.authority.breakglass.remind[{n}]", one) for n, one in enumerate(config.authority.breakglass.remind)),
        ("$.exceptions.longest", config.exceptions.longest),
        ("$.baseline.longest", config.baseline.longest),
        ("$.daemon.grace", config.daemon.grace),
        ("$.schedule.jitter", config.schedule.jitter),
        *((f"$.retention.{name}", getattr(config.retention, name)) for name in ("evidence", "scans", "work")),
    ):
        try:
            duration(value)
        except ValueError as error:
            raise ConfigError(file.mistake(where, str(error))) from None
    _check_schedule(config, file)
    _check_trail(config, file)
    for n, pipeline in enumerate(config.authority.pipeline):
        _check_pipeline(pipeline, f"$.authority.pipeline[{n}]", file)
    for n, pattern in enumerate(config.authority.ticket_patterns):
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(file.mistake(f"$.authority.ticket_patterns[{n}]", f"'{pattern}': {error}")) from None
    names = [stack.name for stack in config.stack]
    for n, name in enumerate(names):
        if name in names[:n]:
            raise ConfigError(file.mistake(f"$.stack[{n}].name", f"two stacks are named '{name}'"))
    for n, stack in enumerate(config.stack):
        for key, why in _wrong_in(stack):
            raise ConfigError(file.mistake(f"$.stack[{n}].{key}", why))
    target = config.tickets.file_to
    systems = list(config.tickets.systems)
    if target and target not in systems:
        raise ConfigError(file.mistake("$.tickets.file_to", f"'{target}' has no [tickets.{target}] table"))
    files = config.tickets.mode == "file" or any(stack.mode == "file" for stack in config.stack)
    if files and not target and len(systems) != 1:
        why = "say which system gets the cases with file_to" if systems else "add its table, such as [tickets.register]"
        raise ConfigError(file.mistake("$.tickets.mode", f"'file' files cases into a ticket system: {why}"))


def _check_schedule(config: Config, file: TomlFile) -> None:
    try:
        time_zone(config.schedule.timezone)
    except ValueError as error:
        raise ConfigError(file.mistake("$.schedule.timezone", str(error))) from None
    given = {f"$.schedule.{name}": getattr(config.schedule, name) for name in JOBS}
    given |= {f"$.stack[{n}].schedule": stack.schedule for n, stack in enumerate(config.stack)}
    for where, value in given.items():
        try:
            when(value, config.schedule.timezone)
        except ValueError as error:
            raise ConfigError(file.mistake(where, str(error))) from None


def _check_trail(config: Config, file: TomlFile) -> None:
    if not config.trail.sources:
        raise ConfigError(file.mistake("$.trail.source", "no source; leave the key out for LookupEvents"))
    for source in config.trail.sources:
        kind, _, url = source.partition(":")
        if kind in ("s3-notifications", "eventbridge") and not re.match(r"https?://[^/]+/.", url):
            raise ConfigError(file.mistake("$.trail.source", f"'{source}': give the queue's URL after '{kind}:'"))
        if kind == "s3-notifications" and not any(one.startswith("s3://") for one in config.trail.sources):
            why = "a queue may be written by others: name the bucket it tells of as a source too, s3://bucket/prefix"
            raise ConfigError(file.mistake("$.trail.source", why))
    if duration(config.trail.keep) < duration(config.trail.lookback):
        why = f"'{config.trail.keep}' is shorter than lookback, '{config.trail.lookback}'"
        raise ConfigError(file.mistake("$.trail.keep", why))


def _wrong_in(stack: Stack) -> Iterator[tuple[str, str]]:
    """Keys of a stack that do not go together or cannot be, and why."""
    if stack.repo and stack.dir.startswith("git::"):
        yield "repo", "the repository is in `dir` already; give one of the two"
    if not (stack.repo or stack.dir.startswith("git::")):
        for key in ("ref", "key"):
            if getattr(stack, key):
                yield key, "belongs to a Git repository: give `repo`, or `dir` as git::URL//path"
    for key in ("repo", "ref"):
        if getattr(stack, key).startswith("-"):
            yield key, "begins with '-', which Git would take for an option"
    for key in ("plan", "var_files", "vars"):
        if getattr(stack, key) and not stack.hcl:
            yield key, "`hcl = false` says there is no code that it could be for"
    if not re.fullmatch(r"[A-Za-z0-9._~$&+=:@-]*", stack.workspace):
        yield "workspace", "no name of a workspace: letters, digits and . _ ~ $ & + = : @ - make one"
    for name, value in stack.vars.items():
        if _has_time(value):
            yield f"vars.{name}", "a date or time is no value of Terraform's; write it in quotes"


def _has_time(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_time, value.values() if isinstance(value, dict) else value))
    return isinstance(value, date | time)


def _check_pipeline(pipeline: PipelineConfig, where: str, file: TomlFile) -> None:
    if not (pipeline.subject or pipeline.source_identity or pipeline.source_ips or pipeline.service):
        why = "a role alone does not prove a pipeline: add subject, service, source_identity or source_ips"
        raise ConfigError(file.mistake(where, why))
    for n, block in enumerate(pipeline.source_ips):
        try:
            ip_network(block)
        except ValueError as error:
            raise ConfigError(
                file.mistake(f"{where}.source_ips[{n}]", f"{error}; write for example 203.0.113.0/24")
            ) from None


_REFERENCE = re.compile(r"\$\{(\w+):([^}]*)\}")


def _resolve(value: Any, file: TomlFile, where: str) -> Any:
    """`${env:NAME}`, `${file:/path}` and `${cred:name}` (systemd's LoadCredential) replaced by what they name."""
    if isinstance(value, dict):
        return {name: _resolve(item, file, f"{where}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, file, f"{where}[{n}]") for n, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        found = _named(match[1], match[2], match[0], file, where)
        file.replaced[found] = match[0]
        return found

    return _REFERENCE.sub(replaced, value)


def _named(kind: str, name: str, reference: str, file: TomlFile, where: str) -> str:
    """What a reference names."""
    if kind == "env":
        if name not in os.environ:
            raise ConfigError(file.mistake(where, f"the environment has no {name}"))
        return os.environ[name]
    folder = {"file": str(file.path.parent), "cred": os.environ.get("CREDENTIALS_DIRECTORY", "")}.get(kind)
    if folder is None:
        raise ConfigError(
            file.mistake(where, f"{reference}: a reference is ${{env:NAME}}, ${{file:PATH}} or ${{cred:NAME}}")
        )
    if not folder:
        raise ConfigError(
            file.mistake(where, f"{reference}: CREDENTIALS_DIRECTORY is not set; systemd does with LoadCredential=")
        )
    try:
        return (Path(folder) / name).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise ConfigError(file.mistake(where, f"{reference}: {error.strerror}")) from None
    except UnicodeDecodeError:
        raise ConfigError(file.mistake(where, f"{reference}: not UTF-8")) from None


def _explain(file: TomlFile, message: str, root: Any, above: str = "$") -> ConfigError:
    """msgspec's message in our form: its path becomes a line, and what would be right is said."""
    said, _, where = message.partition(" - at `")
    where = where.removeprefix("key` in `").rstrip("`") or "$"
    there = _type_at(where.removeprefix(above), root)
    unknown = re.search(r"unknown field `([^`]+)`", said)
    if unknown and isinstance(there, inspect.StructType):
        fields = [field.name for field in there.fields if field.name not in SET_BY_LOAD]
        return ConfigError(
            file.mistake(f"{where}.{unknown[1]}", f"unknown field '{unknown[1]}'{_meant(unknown[1], fields)}")
        )
    word = re.search(r"Invalid enum value '(.*)'", said)
    if word and isinstance(there, inspect.DictType):
        there = there.key_type
    if word and isinstance(there, inspect.LiteralType):
        return ConfigError(
            file.mistake(where, f"'{word[1]}' is not known{_meant(word[1], [str(one) for one in there.values])}")
        )
    return ConfigError(file.mistake(where, said))


def _meant(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(filter(None, known))}"


def _type_at(where: str, root: Any) -> inspect.Type:
    """The type that a path below a table must have."""
    found: inspect.Type = inspect.type_info(root)
    for name in re.findall(r"\.([^.\[]+)|\[", where):
        match found:
            case inspect.StructType():
                found = next(field.type for field in found.fields if field.name == name)
            case inspect.VarTupleType():
                found = found.item_type
            case inspect.DictType():
                found = found.value_type
        if isinstance(found, inspect.UnionType):  # a table that may be left out
            found = next(one for one in found.types if isinstance(one, inspect.StructType))
    return found
