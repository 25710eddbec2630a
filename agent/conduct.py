"""What a configuration says of how findings are dealt with, and what became of the files that verdicts rest on.

Hides which files those are, and that the first scan finds all of them new without anybody having changed them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.config import Config, duration
from agent.declare import released
from agent.document.authority import FileChange, PolicyNews
from agent.model import CaseKey, EmergencyRole
from agent.policy_files import changed
from agent.scan import BreakGlass
from agent.store import Store
from agent.store.ledger import Body
from agent.store.policy import PolicyFile
from agent.tolerated import files as tolerated_files


def breakglass(config: Config, store: Store) -> BreakGlass:
    """What people declared, and by which rules an emergency is judged."""
    asked = config.authority
    return BreakGlass(
        store.declarations.listed(),
        tuple(EmergencyRole(one.name, one.role) for one in asked.emergency),
        duration(asked.breakglass.document_within),
        tuple(map(duration, asked.breakglass.remind)),
        asked.roles.get("approver", ()),
        tuple(CaseKey(key) for key in released(store)),
    )


def observed(config: Config) -> frozenset[str]:
    """Stacks of which no case is opened; the empty name stands for what lies in no stack.

    Where nothing is filed at all there is none: the plan then shows what would be.
    """
    if not files_cases(config):
        return frozenset()
    default = config.tickets.mode
    quiet = {stack.name for stack in config.stack if (stack.mode or default) == "observe"}
    return frozenset(quiet | ({""} if default == "observe" else set()))


def files_cases(config: Config) -> bool:
    """Whether cases are opened at all."""
    return config.tickets.mode == "file" or any(stack.mode == "file" for stack in config.stack)


@dataclass(frozen=True, slots=True)
class News:
    """What became of the policy since the last scan."""

    told: PolicyNews
    files: tuple[PolicyFile, ...]
    """To be kept."""
    events: tuple[tuple[str, Body], ...]
    """For the ledger."""


def policy_news(config: Config, known: Mapping[str, str], waiting: tuple[str, ...]) -> News:
    """What changed of the files, `known` being path relative to the configuration → digest as the last scan found it.

    Of the first scan nothing is news. Raises nothing.
    """
    named = {str(config.path(name)): digest for name, digest in known.items()}
    found = changed(_files(config), named)
    files = tuple(PolicyFile(_relative(config, one.path), one.sha256, one.commit, one.author) for one in found)
    if not known:
        return News(PolicyNews((), waiting), files, ())
    changes = tuple(
        FileChange(
            file.path,
            "removed" if not one.sha256 else "changed" if one.before else "added",
            one.commit,
            one.author,
        )
        for one, file in zip(found, files, strict=True)
    )
    events = tuple(
        (
            "policy.changed",
            {
                "path": file.path,
                "what": change.what,
                "sha256": one.sha256,
                "before": one.before,
                "commit": one.commit,
                "author": one.author,
                "why": one.why,
            },
        )
        for one, file, change in zip(found, files, changes, strict=True)
    )
    return News(PolicyNews(changes, waiting), files, events)


def _files(config: Config) -> list[Path]:
    """Every file that verdicts rest on: the configuration itself, what may differ, rules, people, signers."""
    signers = config.authority.signers
    single = [config.origin, config.identities.file, signers, f"{signers}.revoked" if signers else ""]
    found = [config.path(name) for name in single if name]
    for folder in config.rules.dirs:
        found += sorted(file for file in config.path(folder).rglob("*") if file.suffix in (".yaml", ".yml"))
    calendars = (config.path(name) for name in config.authority.calendars if not name.startswith("ssm:"))
    return [file for file in (*found, *tolerated_files(config), *calendars) if file.is_file()]


def _relative(config: Config, path: str) -> str:
    """As `Config.path` takes it back, letter by letter: a link that is followed would make another file of it."""
    return str(Path(path).relative_to(config.base)) if Path(path).is_relative_to(config.base) else path
