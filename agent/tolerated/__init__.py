"""What may differ for now: the exceptions and the baseline of a configuration, as their files say.

Hides which folders they stand in, and what their approvals are held against. What they do to findings is decided by
`agent.exempt`, which reads no file.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from agent.config import Config, duration
from agent.model import Directory, Tolerated
from agent.tolerated import baseline, exceptions
from agent.tolerated.digests import install_marks
from agent.tolerated.terms import Approvals, approvals, yaml_files


def approvals_of(config: Config, directory: Directory) -> Approvals:
    """Who may approve and whose signatures count, by a configuration and its identity map."""
    signers = config.path(config.authority.signers) if config.authority.signers else None
    return approvals(directory, config.authority.roles, signers, config.estate.name)


def read_tolerated(config: Config, directory: Directory, now: datetime, key: bytes) -> Tolerated:
    """Every exception and baseline entry that nothing is wrong with, in force or not, and what is wrong with others.

    `key` holds the install keys, under one of which the baseline's hashes were made. Raises nothing: what cannot be
    read is a problem, and tolerates nothing.
    """
    known = approvals_of(config, directory)
    excepted = exceptions.read(config.path(config.exceptions.dir), duration(config.exceptions.longest), known, now)
    adopted = baseline.read(
        config.path(config.baseline.dir), duration(config.baseline.longest), known, now, install_marks(key)
    )
    return Tolerated(excepted.found, adopted.found, (*excepted.problems, *adopted.problems))


def files(config: Config) -> tuple[Path, ...]:
    """The files of exceptions, of the baseline and of standing changes, as far as their folders can be listed."""
    folders = [config.path(config.exceptions.dir), config.path(config.baseline.dir)]
    folders += [config.path(config.authority.standing)] if config.authority.standing else []
    found: list[Path] = []
    for folder in folders:
        try:
            found += yaml_files(folder)
        except OSError:
            continue  # whoever reads the folder says so
    return tuple(found)
