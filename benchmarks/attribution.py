"""Attribution of 1,000 drifts against 1,000,000 changes: CPU time, beside a plain loop over all changes for each drift.

Explaining the drifts is what the target is about; then, once, everything a scan asks for besides: the targets of all
changes, and the story of every resource that was only changed.

    python benchmarks/attribution.py [--changes 1000000] [--drifts 1000] [--resources 20000] [--repeats 3] [--out FILE]

Also says how often the right call came out on top: every drift was made by one of the calls, whose place is known.
README.md says what is measured and how. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import random
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.attribute import Attributed, attribute
from agent.explain import rank
from agent.model import Actor, Change, Drift, Key, Resource, Touch, Trail
from agent.resources import Spec, load

SECONDS = 2.0
"""Target."""
START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 7
ACCOUNTS = ("111122223333", "222233334444", "333344445555", "444455556666")
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1")
ACTORS = 50
KNOWN = 0.6
"""Share of the touches that act on a resource of the estate."""
STRANGERS = 40_000
"""Resources outside the estate that the other touches act on."""
DELAY = 300
"""Seconds by which delivery may change the order."""
LIVE = 777_777
"""What a drifted attribute is now."""
HOT = 1_000
"""Resources that half of the known touches act on: an estate has its favourites."""
NAIVE_SHARE = 100
"""The plain loop runs over this part of the drifts and of the changes, and its time is scaled up."""

TYPES = {
    "aws_sqs_queue": ("visibility_timeout_seconds", "sqs:SetQueueAttributes"),
    "aws_iam_role": ("max_session_duration", "iam:UpdateRole"),
    "aws_lambda_function": ("memory_size", "lambda:UpdateFunctionConfiguration"),
    "aws_sns_topic": ("display_name", "sns:SetTopicAttributes"),
    "aws_dynamodb_table": ("deletion_protection_enabled", "dynamodb:UpdateTable"),
    "aws_cloudwatch_log_group": ("retention_in_days", "logs:PutRetentionPolicy"),
}
"""Type → an attribute of it, and a call that sets it."""


@dataclass(frozen=True)
class Estate:
    """What there is, what happened, and which call made which drift."""

    resources: tuple[Resource, ...]
    drifts: tuple[Drift, ...]
    trail: Trail
    truth: dict[Key, tuple[str, ...]]
    """Key of a drift → ids of the event that made it."""


def estate(resources: int, drifts: int, changes: int, seed: int = 1) -> Estate:
    """A made-up estate; the same numbers and seed give the same."""
    dice = random.Random(seed)
    names = list(TYPES)
    there = [_resource(n, names[n % len(names)]) for n in range(resources)]
    drifted = dice.sample(there, min(drifts, resources))
    actors = [Actor(f"person-{n}", "person", confidence=0.9) for n in range(ACTORS)]
    # Delivery follows time, about: a call is at most some minutes out of place.
    pace = timedelta(days=DAYS) / changes
    made = [_change(n, dice, actors, _target(dice, there), START + n * pace) for n in range(changes - len(drifted))]
    found, truth = [], {}
    for n, one in enumerate(drifted, len(made)):
        # Earlier calls set the same attribute to other values; these, at the end, to the value that is live.
        at = START + n * pace + timedelta(seconds=DELAY)
        cause = _change(n, dice, actors, (one.key, one.identifiers[0]), at, LIVE)
        made.append(cause)
        truth[one.key] = cause.event_ids
        name = TYPES[one.key.type][0]
        found.append(Drift(one.key, "changed", name, 1, LIVE, address=one.address, stack=one.stack))
    made.sort(key=lambda change: (change.time, change.event_ids))
    trail = Trail(START, START + timedelta(days=DAYS), tuple(made), events=10 * len(made))
    return Estate(tuple(there), tuple(found), trail, truth)


def _resource(n: int, type_: str) -> Resource:
    account, region = ACCOUNTS[n % len(ACCOUNTS)], "global" if type_ == "aws_iam_role" else REGIONS[n % len(REGIONS)]
    service = type_.split("_")[1]
    arn = f"arn:aws:{service}:{region}:{account}:team-{n % 97}-service-{n}"
    ids = (arn, f"https://{service}.{region}.amazonaws.com/{account}/service-{n}", f"team-{n % 97}-service-{n}")
    return Resource(Key(account, region, type_, arn), {}, ids, f"{type_}.service[{n}]", f"stack-{n % 40}")


def _target(dice: random.Random, there: Sequence[Resource]) -> tuple[Key, str]:
    """Which resource a call acts on, and the name the call has for it."""
    if dice.random() < KNOWN:
        one = there[dice.randrange(HOT if dice.random() < 0.5 else len(there)) % len(there)]
        return one.key, dice.choice(one.identifiers)
    number = dice.randrange(STRANGERS)
    type_ = list(TYPES)[number % len(TYPES)]
    key = Key(ACCOUNTS[number % len(ACCOUNTS)], REGIONS[number % len(REGIONS)], type_, f"stranger-{number}")
    return key, key.id


def _change(
    n: int, dice: random.Random, actors: Sequence[Actor], target: tuple[Key, str], near: datetime, value: int = 0
) -> Change:
    """One call on a resource; what is read from a store has strings of its own."""
    key, name = target
    attribute_, action = TYPES[key.type]
    # A record names a resource in several spellings.
    ids = (name + "", f"{name}/other", f"spelling-of-{name}")
    touches = [Touch(key.type, ids, "update", {attribute_: value or dice.randrange(2, 100_000)})]
    if dice.random() < 0.05:
        touches.append(Touch(key.type, (f"stranger-{dice.randrange(STRANGERS)}",), "update", {}))
    return Change(
        (f"{n:08x}-0000-4000-8000-{dice.randrange(1 << 48):012x}",),
        near + timedelta(seconds=0 if value else dice.randrange(DELAY)),
        action,
        actors[dice.randrange(len(actors))],
        "sdk",
        key.account,
        key.region if key.region != "global" else "us-east-1",
        tuple(touches),
        session=f"ASIA{n % 5_000:08d}",
        source_ip="198.51.100.7",
        user_agent="aws-cli/2.31.0",
    )


def ours(given: Estate, specs: dict[str, Spec]) -> tuple[float, Attributed]:
    """CPU seconds of one attribution, and what it found."""
    since = {one.key: START for one in given.resources}
    started = time.process_time()
    found = attribute(given.drifts, given.trail, given.resources, since, specs)
    return time.process_time() - started, found


def naive(given: Estate, specs: dict[str, Spec]) -> float:
    """CPU seconds of the plain way, scaled up: for each drift, every change is asked whether it names the resource."""
    drifts = given.drifts[: max(1, len(given.drifts) // NAIVE_SHARE)]
    changes = given.trail.changes[: max(1, len(given.trail.changes) // NAIVE_SHARE)]
    names = {one.key: {one.key.id, *one.identifiers} for one in given.resources}
    started = time.process_time()
    for drift in drifts:
        mine = [
            replace(change, targets=(drift.key,))
            for change in changes
            if change.account == drift.key.account
            and any(
                touch.type == drift.key.type and not names[drift.key].isdisjoint(touch.ids) for touch in change.touches
            )
        ]
        rank(drift, mine, specs)
    spent = time.process_time() - started
    return spent * (len(given.drifts) / len(drifts)) * (len(given.trail.changes) / len(changes))


def whole(found: Attributed) -> tuple[float, int]:
    """CPU seconds of what is worked out when asked for, and how many findings there are then."""
    started = time.process_time()
    findings = len(found.findings)
    return time.process_time() - started, findings


def right(given: Estate, found: Attributed) -> int:
    """How many drifts have the call that made them on top."""
    tops = {one.key: one.candidates[0].change.event_ids for one in found.explained if one.candidates}
    return sum(tops.get(key) == events for key, events in given.truth.items())


def main() -> None:
    """Measures, prints a table, and exits with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--changes", type=int, default=1_000_000)
    parser.add_argument("--drifts", type=int, default=1_000)
    parser.add_argument("--resources", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    specs = dict(load())
    gc.disable()  # building the estate is not measured, and what a scan has read before is not what costs here
    made = estate(given.resources, given.drifts, given.changes)
    gc.freeze()
    gc.enable()
    spent = []
    for _ in range(given.repeats):
        seconds, found = ours(made, specs)
        spent.append(seconds)
    good = right(made, found)
    rest, findings = whole(found)
    plain = naive(made, specs)
    median = statistics.median(spent)
    figures = {
        "changes": given.changes,
        "drifts": given.drifts,
        "resources": given.resources,
        "seconds": [round(one, 3) for one in spent],
        "median_seconds": round(median, 3),
        "rest_seconds": round(rest, 3),
        "naive_seconds": round(plain, 1),
        "findings": findings,
        "right": good,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "python": platform.python_version(),
    }
    heads = ("changes", "drifts", f"CPU s (median of {given.repeats})", "right", "plain loop, CPU s", "the rest, CPU s")
    print(f"| {' | '.join(heads)} | findings |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    shown = (f"{given.changes:,}", f"{given.drifts:,}", f"{median:.2f}", f"{good:,}", f"{plain:,.0f}", f"{rest:.1f}")
    print(f"| {' | '.join(shown)} | {findings:,} |")
    if given.out:
        given.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if median > SECONDS or good < given.drifts else 0)


if __name__ == "__main__":
    main()
