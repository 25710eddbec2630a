"""What a difference or a call means for security: opened to the world, protection reduced, privilege raised.

Hides how attributes of many types, policy documents and CloudTrail's partial records come down to three answers.
Where a value that matters is not on record the answer is `Unknown`, unless something else settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from agent.exposure.opened import may_open, opened
from agent.exposure.raised import may_raise, raised
from agent.exposure.turns import Signal, turns
from agent.exposure.weakened import may_weaken, stopped, weakened
from agent.model import Change, Drift, Key, Unknown
from agent.resources import Spec

_OPENED_BY_PARTS = ("aws_security_group", "aws_s3_bucket")
"""Types that are opened by a part, which is told with its parent where neither is declared."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The three answers."""

    public: Signal
    """yes: newly open to everybody; no."""
    weakened: Signal
    """encryption, logging, retention: turned off or reduced; none."""
    privilege: Signal
    """raised: somebody may do more than was declared; same."""


def effect(
    key: Key, drifts: Sequence[Drift], change: Change | None, specs: Mapping[str, Spec], unexplained: str = ""
) -> Effect:
    """What drifts of one resource, and the call behind them where one was seen, mean for security.

    `unexplained` is the finding's: why no call explains a drift.
    """
    seen = turns(key, drifts, change, specs)
    return Effect(
        _answer([*map(opened, seen), _unread(drifts, unexplained)], "no"),
        _answer([stopped(change.action if change else ""), *chain.from_iterable(map(weakened, seen))], "none"),
        _answer(map(raised, seen), "same"),
    )


def telling(type_: str, attribute: str, specs: Mapping[str, Spec]) -> bool:
    """Whether an answer may depend on an attribute's value, if that is plain; on what is in a list or map it may."""
    spec = specs.get(type_)
    policy = spec is not None and any(one.name == attribute and one.kind == "policy" for one in spec.attributes)
    return policy or may_open(type_, attribute) or may_raise(attribute) or may_weaken(attribute)


def _unread(drifts: Sequence[Drift], unexplained: str) -> Signal | None:
    """An undeclared resource nobody saw come: whether its parts open it was neither compared nor seen."""
    closed_by_parts = any(drift.kind == "unmanaged" and drift.key.type in _OPENED_BY_PARTS for drift in drifts)
    if not unexplained or not closed_by_parts:
        return None
    return Signal(Unknown("its rules or policy were not compared, as no code declares it, and nobody saw them set"))


def _answer(signals: Iterable[Signal | None], otherwise: str) -> Signal:
    """What is settled wins over what is unknown, and either over nothing said."""
    said = [signal for signal in signals if signal is not None]
    settled = [(signal.value, signal.evidence) for signal in said if not isinstance(signal.value, Unknown)]
    if settled:
        values = sorted({value for answer, _ in settled for value in answer})
        return Signal(tuple(values), "; ".join(dict.fromkeys(evidence for _, evidence in settled)))
    return said[0] if said else Signal((otherwise,))
