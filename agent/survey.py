"""What the configured stacks declare, for whoever asks about code and state alone.

Hides how a stack is located and loaded, and how it is put into lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.clean import clean
from agent.collect import Sessions, state_session
from agent.config import Config
from agent.declared.loading import load
from agent.declared.side_by_side import Declared, Row, declared, text
from agent.resources import load as load_specs
from agent.stacks import locate

_WIDE = 100
"""Characters of a value shown on a line."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One stack."""

    stack: str
    location: str
    """Where its state is; empty where that is not known."""
    serial: int
    declared: tuple[Declared, ...]
    problems: tuple[str, ...]
    """What of the configuration cannot be evaluated."""
    whys: tuple[str, ...]
    """What could not be read at all."""


def survey(config: Config, wanted: str | None, address: str | None) -> Iterator[Surveyed]:
    """Each stack, or the wanted one: its resource instances, or those an address names. Raises nothing."""
    sessions = Sessions(config)
    specs = load_specs()
    for stack in config.stack:
        if wanted not in (None, stack.name):
            continue
        located = locate(config, stack)
        if located.why:
            yield Surveyed(stack.name, "", 0, (), (), (located.why,))
            continue
        loaded = load(
            located.directory,
            stack.state,
            account=stack.account,
            region=stack.region,
            session=state_session(sessions),
            cache=config.path(config.store.cache),
            options=located.options,
        )
        evaluated = loaded.evaluated
        absent = [f"{name}: {each.why}" for name, each in (evaluated.absent if evaluated else {}).items()]
        problems = [str(each) for each in evaluated.problems if each.where not in evaluated.absent] if evaluated else []
        yield Surveyed(
            stack=stack.name,
            location=loaded.location,
            serial=loaded.state.serial if loaded.state else 0,
            declared=tuple(one for one in declared(loaded, specs) if _asked(one, address)),
            problems=(*problems, *loaded.notes),
            whys=tuple(filter(None, (loaded.why_code, loaded.why_state, *absent))),
        )


def _asked(one: Declared, address: str | None) -> bool:
    if address is None:
        return True
    return any(
        each == address or each.startswith((f"{address}[", f"{address}.")) for each in (one.address, one.recorded_at)
    )


def told(one: Surveyed) -> Mapping[str, Any]:
    """A stack as JSON-shaped data."""
    return {
        "stack": one.stack,
        "state": one.location,
        "serial": one.serial,
        "unread": list(one.whys),
        "problems": list(one.problems),
        "resources": [
            {
                "address": each.address,
                "source": str(each.source) if each.source else None,
                "provider": each.provider,
                "region": each.region,
                "recorded_at": each.recorded_at,
                "stand": each.stand,
                "attributes": {row.name: _row(row) for row in each.rows},
            }
            for each in one.declared
        ],
    }


def _row(row: Row) -> Mapping[str, Any]:
    found: dict[str, Any] = {"recorded": row.recorded}
    if row.is_configured:
        found |= {"configured": row.configured, "source": str(row.source) if row.source else None}
    return found | ({"stand": row.stand} if row.stand else {}) | ({"why": list(row.why)} if row.why else {})


def shown(one: Surveyed, *, in_full: bool) -> str:
    """A stack as lines for a terminal; `in_full`: with every attribute."""
    head = f"stack {one.stack}" + (f": {one.location}, serial {one.serial}" if one.location else "")
    lines = [head, *(f"  not read: {why}" for why in one.whys), *(f"  problem: {each}" for each in one.problems)]
    if in_full:
        for each in one.declared:
            lines += ["", *_full(each)]
    else:
        lines += _table(one.declared)
    return "\n".join(clean(line) for line in lines)


def _table(found: Iterable[Declared]) -> list[str]:
    # Cut first: an address may hold a key of millions of characters, and each line would be padded to it.
    rows = [(clean(each.address, 300), clean(each.source or "", 300), each.stand) for each in found]
    wide = [min(max(map(len, column), default=0), _WIDE) for column in zip(*rows, strict=True)] if rows else []
    return [f"  {address:<{wide[0]}}  {source:<{wide[1]}}  {stand}" for address, source, stand in rows]


def _full(each: Declared) -> Iterator[str]:
    where = f" ({each.source})" if each.source else ""
    region = f", {each.region}" if each.region else ""
    yield f"{each.address}{where}: {each.stand}; {each.provider}{region}"
    for row in each.rows:
        if not row.is_configured:
            if row.recorded not in (None, "", [], {}):
                yield f"  {row.name}: recorded {_short(row.recorded)}"
            continue
        configured = f"unknown: {'; '.join(row.why)}" if row.why else _short(row.configured)
        recorded = "" if row.recorded is None and not each.recorded_at else f", recorded {_short(row.recorded)}"
        stand = f", {row.stand}" if row.stand in ("not applied", "ignored") else ""
        yield f"  {row.name}: configured {configured}{recorded}{stand} ({row.source})"


def _short(value: Any) -> str:
    line = text(value)
    return line if len(line) <= _WIDE else f"{line[:_WIDE]}…"
