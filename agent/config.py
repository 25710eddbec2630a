"""`driftwarden.toml` → a frozen `Config`. The only reader of the environment.

Hides references to secrets, defaults, relative paths, and finding the line a mistake stands on.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec


class ConfigError(Exception):
    """The user's mistake: says file, line, what stands there and what would be right. Exit code 2."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration."""


class Estate(_Part, frozen=True):
    """What is looked after."""

    name: str = "estate"


class Stack(_Part, frozen=True):
    """A Terraform root module with its state."""

    name: str
    dir: str
    state: str = ""
    """Path relative to `dir`, or `s3://bucket/key`; empty: the backend block, else `terraform.tfstate`."""
    account: str = ""
    """Account of its resources; empty: the account of the credentials."""
    region: str = "us-east-1"
    owner: str = ""


class Account(_Part, frozen=True):
    """An AWS account to read, and with which credentials."""

    id: str = ""
    """Expected account id; empty: whatever the credentials belong to."""
    regions: tuple[str, ...] = ("us-east-1",)
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""


class TrailSource(_Part, frozen=True):
    """Where CloudTrail events come from."""

    source: str = "lookup"
    """`lookup` (LookupEvents), `s3://bucket/prefix`, or a directory of log files."""
    lookback: str = "7d"
    """How far back a scan reads; the verdicts of that long are re-evaluated."""


class PipelineConfig(_Part, frozen=True):
    """A trusted deployer. The role alone is no proof: one of the others must be given."""

    name: str
    role: str
    subject: str = ""
    source_identity: str = ""
    source_ips: tuple[str, ...] = ()


class AuthorityConfig(_Part, frozen=True):
    """What makes a change authorised."""

    pipeline: tuple[PipelineConfig, ...] = ()
    people: dict[str, str] = {}
    """AWS principal (name, or wildcard over the ARN) → user in the ticket system."""
    paths: dict[str, tuple[str, ...]] = {}
    """Path → required tests; a path left out keeps its default."""
    approved_states: tuple[str, ...] = ("approved", "scheduled", "implement", "implementing", "in progress")
    approvals: int = 1
    tolerance: str = "0m"
    grace: str = "15m"
    ticket_patterns: tuple[str, ...] = ()
    """Regular expressions a ticket reference matches; empty: the built-in ones."""


class RegisterConfig(_Part, frozen=True):
    """The embedded ticket register: a directory of YAML files."""

    path: str = "tickets"


class RoundupConfig(_Part, frozen=True):
    """A Roundup tracker."""

    url: str
    user: str
    password: str


class TicketsConfig(_Part, frozen=True):
    """Where authority is looked up, and where cases are filed."""

    register: RegisterConfig | None = None
    roundup: RoundupConfig | None = None
    file_to: Literal["", "register", "roundup"] = ""
    """The system that gets the cases; empty: the only one configured."""
    mode: Literal["observe", "file"] = "observe"
    """`observe`: found and reported, nothing filed."""


class StoreConfig(_Part, frozen=True):
    """Where driftwarden keeps what it knows."""

    url: str = "sqlite:///driftwarden.db"
    """`sqlite:///path`, the path relative to the configuration, or `postgresql://…`."""
    key: str = "driftwarden.key"
    """File of the install key that seals sensitive values; made when missing. Keep it apart from the store."""


class ReportConfig(_Part, frozen=True):
    """Where reports are written."""

    dir: str = "reports"


class RulesConfig(_Part, frozen=True):
    """Rules besides those that ship."""

    dirs: tuple[str, ...] = ()


class Config(_Part, frozen=True):
    """The whole configuration, checked; paths as written, relative to `base`."""

    estate: Estate = Estate()
    stack: tuple[Stack, ...] = ()
    account: tuple[Account, ...] = (Account(),)
    trail: TrailSource = TrailSource()
    authority: AuthorityConfig = AuthorityConfig()
    tickets: TicketsConfig = TicketsConfig()
    store: StoreConfig = StoreConfig()
    report: ReportConfig = ReportConfig()
    rules: RulesConfig = RulesConfig()

    base: str = ""
    """Directory of the file; set by `load`."""
    sha256: str = ""
    """Digest of the file's bytes; set by `load`."""

    def path(self, name: str) -> Path:
        """A path of the configuration, relative to the file it stands in."""
        return Path(self.base) / name

    def store_url(self) -> str:
        """The store's URL, a SQLite path made absolute."""
        scheme, found, path = self.store.url.partition(":///")
        return f"{scheme}:///{self.path(path)}" if found and scheme == "sqlite" else self.store.url


def load(path: Path) -> Config:
    """Read and check a configuration file. Raises `ConfigError`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `driftwarden init` writes one") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    try:
        text = data.decode()
        tree = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    for field in ("base", "sha256"):
        if field in tree:
            raise _mistake(path, text, f"$.{field}", f"unknown field '{field}'")
    resolved = _resolve(tree, path, text, "$")
    try:
        config = msgspec.convert(resolved, Config)
    except msgspec.ValidationError as error:
        raise _explain(path, text, str(error)) from None
    _check(config, path, text)
    return msgspec.structs.replace(config, base=str(path.resolve().parent), sha256=hashlib.sha256(data).hexdigest())


def duration(text: str) -> timedelta:
    """`30s`, `15m`, `12h`, `7d` → a length of time. Raises `ValueError`."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise ValueError(f"'{text}' is no duration; write for example 15m, 12h or 7d")
    return int(match[1]) * timedelta(**{{"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]: 1})


def state_dir() -> Path | None:
    """Where systemd keeps our state (`StateDirectory=`), if it started us."""
    value = os.environ.get("STATE_DIRECTORY", "")
    return Path(value.split(":", 1)[0]) if value else None


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


def _check(config: Config, path: Path, text: str) -> None:
    """What types alone cannot say."""
    for where, value in (
        ("$.trail.lookback", config.trail.lookback),
        ("$.authority.tolerance", config.authority.tolerance),
        ("$.authority.grace", config.authority.grace),
    ):
        try:
            duration(value)
        except ValueError as error:
            raise _mistake(path, text, where, str(error)) from None
    for n, pipeline in enumerate(config.authority.pipeline):
        if not (pipeline.subject or pipeline.source_identity or pipeline.source_ips):
            why = "a role alone does not prove a pipeline: add subject, source_identity or source_ips"
            raise _mistake(path, text, f"$.authority.pipeline[{n}]", why)
    for pattern in config.authority.ticket_patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise _mistake(path, text, "$.authority.ticket_patterns", f"'{pattern}': {error}") from None
    names = [stack.name for stack in config.stack]
    for n, name in enumerate(names):
        if name in names[:n]:
            raise _mistake(path, text, f"$.stack[{n}].name", f"two stacks are named '{name}'")
    target = config.tickets.file_to
    if target and getattr(config.tickets, target) is None:
        raise _mistake(path, text, "$.tickets.file_to", f"'{target}' has no [tickets.{target}] table")


_REFERENCE = re.compile(r"\$\{(env|file|cred):([^}]+)\}")


def _resolve(value: Any, path: Path, text: str, where: str) -> Any:
    """`${env:NAME}`, `${file:/path}` and `${cred:name}` (systemd's LoadCredential) replaced by what they name."""
    if isinstance(value, dict):
        return {name: _resolve(item, path, text, f"{where}.{name}") for name, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, path, text, f"{where}[{n}]") for n, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        kind, name = match[1], match[2]
        if kind == "env":
            if name not in os.environ:
                raise _mistake(path, text, where, f"the environment has no {name}")
            return os.environ[name]
        folder = os.environ.get("CREDENTIALS_DIRECTORY", "") if kind == "cred" else ""
        try:
            return (Path(folder) / name).read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise _mistake(path, text, where, f"{match[0]}: {error.strerror}") from None

    return _REFERENCE.sub(replaced, value)


def _explain(path: Path, text: str, message: str) -> ConfigError:
    """msgspec's message in our form: its path becomes a line, an unknown field gets a suggestion."""
    said, _, where = message.partition(" - at `")
    where = where.rstrip("`") or "$"
    unknown = re.search(r"unknown field `([^`]+)`", said)
    if unknown is None:
        return _mistake(path, text, where, said)
    name = unknown[1]
    near = difflib.get_close_matches(name, _fields_at(where), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(_fields_at(where))}"
    return _mistake(path, text, f"{where}.{name}", f"unknown field '{name}'{hint}")


def _fields_at(where: str) -> list[str]:
    """Field names of the table a path points to."""
    tables: dict[str, type[_Part]] = {
        "$": Config,
        "$.estate": Estate,
        "$.stack": Stack,
        "$.account": Account,
        "$.trail": TrailSource,
        "$.authority": AuthorityConfig,
        "$.authority.pipeline": PipelineConfig,
        "$.tickets": TicketsConfig,
        "$.tickets.register": RegisterConfig,
        "$.tickets.roundup": RoundupConfig,
        "$.store": StoreConfig,
        "$.report": ReportConfig,
        "$.rules": RulesConfig,
    }
    table = tables.get(re.sub(r"\[[^\]]*\]", "", where))
    return [name for name in table.__struct_fields__ if name not in ("base", "sha256")] if table else []


def _mistake(path: Path, text: str, where: str, why: str) -> ConfigError:
    name = where.removeprefix("$").removeprefix(".") or "the file"
    return ConfigError(f"{path}:{_line(text, where)}: {name}: {why}")


def _line(text: str, where: str) -> int:
    """Line of a path such as `$.stack[1].dir`, found by its table header and key; 1 if it cannot be told."""
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", where)
    tables = [name for name, _ in steps if name]
    counts = [int(n) for _, n in steps if n]
    wanted = counts[0] if counts else 0
    best, current, seen = 1, "", -1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([\w.\"-]+)\s*\]", line)
        if header:
            current = header[2]
            seen += header[1] == "[[" and ".".join(tables).startswith(current)
            if current in (".".join(tables), ".".join(tables[:-1])) and (header[1] == "[" or seen == wanted):
                best = number
            continue
        key = re.match(r"\s*([\w\"-]+)\s*=", line)
        in_place = current == ".".join(tables[:-1]) and (not counts or seen == wanted)
        if key and tables and in_place and key[1].strip('"') == tables[-1]:
            return number
    return best
