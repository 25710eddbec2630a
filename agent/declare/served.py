"""What stacks and accounts serve, whether cases about them are filed, and who speaks at the socket, as two people are
asked about it.

Hides how these are written down by name, so that they can be compared with, and put back to, what was in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from agent.config import AuthorityConfig, Config
from agent.tables import Account, Stack

SERVED = ("environments", "modes", "peers")
"""Keys of what `served` gives."""

NO_STACK = "no stack"
"""In `modes`: what lies in no stack, and what was in a stack that is gone."""

_CREDENTIALS = "account of the credentials"


def served(config: Config) -> dict[str, dict[str, str]]:
    """`environments`: `stack NAME`, `account ID` → name, empty where none is given; `modes`: `stack NAME` → mode;
    `peers`: Unix user → id (`[daemon] people`)."""
    accounts: dict[str, str] = {}
    for one in config.account:
        # Without an id it counts for the only account there is, and for none of several.
        given = one.environment if one.id or len(config.account) == 1 else ""
        accounts[_account(one)] = given or accounts.get(_account(one), "")
    default: str = config.tickets.mode
    return {
        "environments": {_stack(one): one.environment for one in config.stack} | accounts,
        "modes": {NO_STACK: default} | {_stack(one): one.mode or default for one in config.stack},
        "peers": dict(config.daemon.people),
    }


def as_before(config: Config, authority: AuthorityConfig, before: Mapping[str, Any]) -> Config:
    """The configuration with another authority, and the environments, modes and peers of `before` (as `served` gives
    them). Who is no longer named at the socket is nobody there at once.

    A new name stands in for those that are gone: what they were of may just have been renamed.
    """
    environments, modes = before["environments"], before["modes"]
    now = served(config)
    gone = {name: value for name, value in environments.items() if value and not now["environments"].get(name)}
    production = {name.lower() for name in authority.production}
    of_stacks = _strictest((value for name, value in gone.items() if name.startswith("stack ")), production)
    of_accounts = _strictest((value for name, value in gone.items() if name.startswith("account ")), production)
    filed = any(mode == "file" for name, mode in modes.items() if name not in now["modes"])
    return msgspec.structs.replace(
        config,
        authority=authority,
        stack=tuple(
            msgspec.structs.replace(
                one,
                environment=environments.get(_stack(one), of_stacks or one.environment),
                mode=modes.get(_stack(one), "file" if filed else now["modes"][_stack(one)]),
            )
            for one in config.stack
        ),
        account=tuple(
            msgspec.structs.replace(one, environment=environments.get(_account(one), of_accounts or one.environment))
            for one in config.account
        ),
        tickets=msgspec.structs.replace(config.tickets, mode=modes.get(NO_STACK, config.tickets.mode)),
        daemon=msgspec.structs.replace(
            config.daemon,
            people={name: person if name in now["peers"] else "" for name, person in before["peers"].items()},
        ),
    )


def _strictest(names: Iterable[str], production: Iterable[str]) -> str:
    """One of production if there is one, else the first; empty where there is none."""
    return next(iter(sorted(names, key=lambda name: (name.lower() not in production, name))), "")


def _stack(one: Stack) -> str:
    return f"stack {one.name}"


def _account(one: Account) -> str:
    return f"account {one.id}" if one.id else _CREDENTIALS
