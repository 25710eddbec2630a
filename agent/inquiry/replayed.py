"""The findings that other rules are tried on: as each verdict of the store's last weeks left them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from agent.config import Config
from agent.replay import Replayed, replay
from agent.resources import load as load_specs
from agent.rules import load_rules, staged
from agent.store import connect


def replayed(config: Config, folders: Sequence[Path], since: datetime) -> tuple[int, tuple[Replayed, ...]]:
    """How many verdicts were looked at, and what the rules of `folders` would change of them.

    Raises RuleError and StoreError.
    """
    before = staged(load_rules([config.path(folder) for folder in config.rules.dirs]), config.rules)
    after = staged(load_rules(folders), config.rules)
    with connect(config.store_url()) as store:
        judged = store.findings.judged(since)
    return len(judged), replay(judged, before, after, load_specs())
