"""Which `[authority]` is in force: the file's, or the last one while a looser one waits for two people.

Hides the copy that the store keeps of what was in force, with what stacks and accounts serve and which are filed, and
of the `allowed_signers` file and its revoked keys: whoever may write a file could otherwise appoint themselves.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from agent.config import AuthorityConfig, Config, ConfigError, reading
from agent.declare.loosening import loosened, two_admins
from agent.declare.rules import PEOPLE_NEEDED, Ground, accepted
from agent.declare.served import SERVED, as_before, served
from agent.model import Directory
from agent.signing import LONGEST_FILE
from agent.store import Store, StoreError
from agent.store.declarations import Setting
from agent.store.ledger import canonical

NAME = "authority"
"""Under which the store keeps it."""

_KRL = "SSHKRL\n"
"""How a key revocation list of ssh-keygen begins."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The authority that verdicts and declarations rest on."""

    authority: AuthorityConfig
    signers: Path | None
    """The `allowed_signers` file in force; None: there is none. It lasts as long as the context."""
    config: Config
    """The configuration with the authority, environments and modes in force; all else as the file says."""
    waits: str = ""
    """SHA-256 of the looser one that waits: `authority SHA256` is what two people accept. Empty: none does."""
    looser: tuple[str, ...] = ()
    """What the one that waits would permit; without `waits`, what came into force just now without two people."""
    accepted_by: tuple[str, ...] = ()
    """Who accepted the one that waits."""

    def told(self) -> tuple[str, ...]:
        """For people: that a looser authority waits, or was taken, and why; empty where neither is so."""
        if not self.looser:
            return ()
        said = "; ".join(self.looser)
        if not self.waits:
            why = "nobody had to accept it, since [authority.roles] names no two as admin"
            return (f"[authority] is looser than before, and {why}: {said}",)
        by = f"accepted by {', '.join(self.accepted_by)}, " if self.accepted_by else ""
        command = f"driftwarden cases accept 'authority {self.waits}'"
        return (f"[authority] is looser than what is in force, {by}and waits for two admins ({command}): {said}",)


@contextmanager
def in_force(config: Config, store: Store, now: datetime, *, keep: bool = True) -> Iterator[InForce]:
    """The authority in force within the context. With `keep` a change that comes into force is kept, and told the
    ledger. So it is with the environments and modes of stacks and accounts, and with revoked keys.

    A looser authority comes into force when two people accepted it who were admins under the one before; at once where
    that one named no two. Raises ConfigError for a `signers` file that cannot be read, StoreError, also where what
    is in force cannot be read: the file alone never says.
    """
    texts = {"signers_file": _signers(config), "revoked_file": _revoked(config, config.authority.signers)}
    table = _table(config.authority, **texts, served=served(config))
    body = canonical(table | texts)
    last = store.settings.last(NAME)
    before = _kept(store, last)
    file = config.path(config.authority.signers) if config.authority.signers else None
    if last is None or before is None:
        _keep(store, keep, body, now, "authority.begun", ())
        yield InForce(config.authority, file, config)
        return
    if last.body == body:
        yield InForce(config.authority, file, config)
        return
    old = msgspec.convert({name: before[name] for name in AuthorityConfig.__struct_fields__}, AuthorityConfig)
    kept = {name: before[name] for name in texts}
    looser = loosened(_table(old, **kept, served={name: before[name] for name in SERVED}), table)
    digest = hashlib.sha256(body.encode()).hexdigest()
    said = [one for one in accepted(store, f"authority {digest}") if one.by.received_at >= last.at]
    by = tuple(one.by.person for one in said)
    if not looser or len(by) >= PEOPLE_NEEDED or not two_admins(before["roles"]):
        kind = "authority.loosened" if looser else "authority.changed"
        _keep(store, keep, body, now, kind, looser, by)
        yield InForce(config.authority, file, config, looser=looser if looser and len(by) < PEOPLE_NEEDED else ())
        return
    held = as_before(config, old, before)
    if not old.signers:
        yield InForce(old, None, held, digest, looser, by)
        return
    now_revoked = [_revoked(config, name) for name in {old.signers: 0, config.authority.signers: 0}]
    with _file(kept["signers_file"], _united([*now_revoked, kept["revoked_file"]])) as copy:
        yield InForce(old, copy, held, digest, looser, by)


def ground(config: Config, store: Store, directory: Directory, force: InForce) -> Ground:
    """What declarations are judged by."""
    return Ground(store, config.estate.name, force.authority, directory, force.signers)


def _table(
    authority: AuthorityConfig, signers_file: str, revoked_file: str, served: Mapping[str, Any]
) -> dict[str, Any]:
    """See `loosening.Table`."""
    fields: dict[str, Any] = json.loads(msgspec.json.encode(authority))
    return {**fields, "signed_by": _lines(signers_file), "revoked": _lines(revoked_file), **served}


def _lines(text: str) -> list[str]:
    """What counts of a file of keys, sorted; of a KRL, which has no lines, its digest."""
    if text.startswith(_KRL):
        return [f"KRL {hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()}"]
    lines = (" ".join(line.split()) for line in text.splitlines())
    return sorted({line for line in lines if line and not line.startswith("#")})


def _signers(config: Config) -> str:
    """What the `signers` file says; empty where none is configured."""
    if not config.authority.signers:
        return ""
    path = config.path(config.authority.signers)
    try:
        text = _text(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; [authority] signers names an allowed_signers file") from None
    # While it is written anew it is empty for a moment: that must not become what is in force.
    if not _lines(text):
        raise ConfigError(f"{path}: has no key, so that nobody could sign; [authority] signers names a file with keys")
    return text


def _revoked(config: Config, signers: str) -> str:
    """Which keys are revoked beside a `signers` file; empty where none are."""
    if not signers:
        return ""
    path = config.path(f"{signers}.revoked")
    try:
        return _text(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; it says which keys are revoked") from None


def _text(path: Path) -> str:
    """Raises OSError, ConfigError."""
    with reading(path).open("rb") as stream:
        data = stream.read(LONGEST_FILE + 1)
    if len(data) > LONGEST_FILE:
        raise ConfigError(f"{path}: is larger than {LONGEST_FILE:,} bytes")
    return data.decode("utf-8", "surrogateescape")


def _kept(store: Store, last: Setting | None) -> Mapping[str, Any] | None:
    """What was kept; None before the first. Raises StoreError where this version cannot read it."""
    if last is None:
        return None
    try:
        return _restored(last.body)
    except (ValueError, TypeError, AttributeError):
        raise StoreError(
            f"store {store.database.name}: the [authority] in force since {last.at:%Y-%m-%d %H:%M} UTC cannot be read "
            "by this version, so nobody can say who must agree to another: use the driftwarden that wrote it, or "
            "restore a backup (`driftwarden db restore`)"
        ) from None


def _restored(body: str) -> Mapping[str, Any]:
    """What was kept, with the defaults of keys that came later. Raises ValueError, TypeError, AttributeError."""
    kept = json.loads(body)
    known = {name: value for name, value in kept.items() if name in AuthorityConfig.__struct_fields__}
    authority = msgspec.convert(known, AuthorityConfig)
    others = {name: msgspec.convert(kept.get(name, {}), dict[str, str]) for name in SERVED}
    fields: dict[str, Any] = json.loads(msgspec.json.encode(authority))
    texts = {name: str(kept.get(name, "")) for name in ("signers_file", "revoked_file")}
    return fields | texts | others


def _keep(
    store: Store,
    keep: bool,
    body: str,
    now: datetime,
    kind: str,
    looser: tuple[str, ...],
    by: tuple[str, ...] = (),
) -> None:
    if keep:
        event = {"sha256": hashlib.sha256(body.encode()).hexdigest(), "looser": list(looser), "accepted_by": list(by)}
        store.settings.keep(NAME, body, now, [(kind, event)])


@contextmanager
def _file(text: str, revoked: str) -> Iterator[Path]:
    """The signers of before, without keys that were revoked then or are by now."""
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as folder:  # mode 0700
        path = Path(folder) / "allowed_signers"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        if revoked:
            path.with_name(f"{path.name}.revoked").write_bytes(revoked.encode("utf-8", "surrogateescape"))
        yield path


def _united(texts: Iterable[str]) -> str:
    """All that any of several lists revokes; where one is a KRL, which cannot be added to, the first that there is."""
    said = [text for text in texts if text]
    if any(text.startswith(_KRL) for text in said):
        return said[0]
    lines = dict.fromkeys(line for text in said for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines)
