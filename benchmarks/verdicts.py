"""Verdicts a second of one core: many changes, many tickets, many rules.

A seeded estate whose engineers and pipelines change things all week: most changes name a ticket, some are covered by
one's scope, some by a standing change, some by nothing. Measured in one run, all that is made ready included: what the
line does (`authorise` over the findings, `judge` over those), each of the two alone, `verdict` over every change, and,
on a subset, a plain loop that holds each change against every ticket; the outcomes of the two must agree. No garbage is
collected meanwhile, as in a scan. Prints a Markdown table and, last, one line of JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import cycle, islice
from typing import Any

from agent import resources
from agent.authorise import Estate, authorise, verdict
from agent.judge import Rule, judge
from agent.model import (
    NOT_JUDGED,
    Actor,
    Authority,
    Calendar,
    Change,
    Claim,
    Directory,
    Environments,
    Finding,
    FindingId,
    Freeze,
    JudgedChange,
    Key,
    Merge,
    Person,
    Pipeline,
    Policy,
    Resource,
    Run,
    Ticket,
    TicketEvent,
    Tickets,
    TicketScope,
    Touch,
)
from agent.risk_file import load_weights
from agent.rules import load_rules

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
REGION = "eu-west-1"
DEPLOY = "arn:aws:iam::{account}:role/deploy"
KINDS = {
    "aws_sqs_queue": ("sqs:SetQueueAttributes", "visibility_timeout_seconds"),
    "aws_s3_bucket_versioning": ("s3:PutBucketVersioning", "versioning_configuration"),
    "aws_iam_role": ("iam:UpdateAssumeRolePolicy", "assume_role_policy"),
    "aws_lambda_function": ("lambda:UpdateFunctionConfiguration20150331v2", "timeout"),
    "aws_security_group": ("ec2:ModifySecurityGroupRules", "ingress"),
}


@dataclass(frozen=True)
class Load:
    """What is judged, and on what grounds."""

    changes: Sequence[Change]
    resources: Sequence[Resource]
    authority: Authority


def main() -> None:
    """Runs all of it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--changes", type=int, default=100_000)
    options.add_argument("--tickets", type=int, default=10_000)
    options.add_argument("--rules", type=int, default=50)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--plain", type=int, default=100, help="changes held against every ticket")
    given = options.parse_args()
    load = made(given.changes, given.tickets)
    specs, rules = resources.load(), as_many(load_rules(), given.rules)
    figures: dict[str, Any] = {"changes": given.changes, "tickets": given.tickets, "rules": len(rules)}
    figures["outcomes"] = outcomes(load)
    print(f"outcomes: {figures['outcomes']}\n\n| what | µs a change | changes/s |\n|---|--:|--:|")
    findings = stories(load)
    judged = authorised(load, findings)
    works: dict[str, Callable[[], Any]] = {
        "authorise and judge": lambda: judge(authorised(load, findings), rules, specs),
        "authorise (findings)": lambda: authorised(load, findings),
        f"judge ({len(rules)} rules)": lambda: judge(judged, rules, specs),
        "verdict": lambda: verdicts(load, load.changes),
    }
    for name, work in works.items():
        figures[name] = told(name, work, given.changes, given.rounds)
    figures["plain"] = against_plain(load, given.plain, figures["verdict"])
    figures["peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


def told(name: str, work: Callable[[], Any], count: int, rounds: int) -> float:
    """Seconds of CPU for each of `count`, at best."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
        gc.enable()
    print(f"| {name} | {best / count * 1e6:.1f} | {count / best:,.0f} |", flush=True)
    return best / count


def authorised(load: Load, findings: Sequence[Finding]) -> Sequence[Finding]:
    """The findings judged, as the line does it; what the stage makes ready for all of them is made anew."""
    estate = Estate(load.resources, resources.load(), load.changes)
    return authorise(findings, load.authority, estate, {}, BEGIN + WEEK)


def verdicts(load: Load, changes: Sequence[Change]) -> list[str]:
    """The outcome of each change; what the stage makes ready for all of them is made anew."""
    estate = Estate(load.resources, resources.load(), load.changes)
    return [verdict(change, change.targets, load.authority, estate, BEGIN + WEEK).outcome for change in changes]


def outcomes(load: Load) -> dict[str, int]:
    """How many changes came to which outcome."""
    return dict(Counter(verdicts(load, load.changes)).most_common())


def against_plain(load: Load, count: int, ours: float) -> dict[str, float]:
    """The same outcomes from a loop over every ticket, and how much longer it takes. Fails where the two differ.

    Only the loop is timed, and not what is then done with the tickets that it finds.
    """
    some = load.changes[:: max(1, len(load.changes) // max(1, count))][:count]
    expected = verdicts(load, some)
    estate = Estate(load.resources, resources.load(), load.changes)
    known = {one.key: one for one in load.resources}
    every = load.authority.tickets.found
    spent, found = 0.0, []
    for change in some:
        began = time.process_time()
        tickets = tuple([ticket for ticket in every if plainly_covers(ticket, change, known)])
        spent += time.process_time() - began
        alone = replace(load.authority, tickets=replace(load.authority.tickets, found=tickets))
        found.append(verdict(change, change.targets, alone, estate, BEGIN + WEEK).outcome)
    if found != expected:
        sys.exit(f"the plain loop disagrees: {Counter(zip(found, expected, strict=True))}")
    each = spent / len(some)
    print(f"| a plain loop over the tickets, {len(some)} changes | {each * 1e6:.1f} | {1 / each:,.0f} |")
    print(
        f"\n{each / len(every) * 1e9:.0f} ns a change and ticket: {len(load.changes):,} changes would take "
        f"{each * len(load.changes):,.0f} s in the loop; they take {ours * len(load.changes):,.1f} s: "
        f"{each / ours:,.0f} × as fast; the outcomes of {len(some)} changes agree"
    )
    return {"seconds": each, "pair": each / len(every), "ratio": each / ours}


def plainly_covers(ticket: Ticket, change: Change, known: dict[Key, Resource]) -> bool:
    """Whether a change refers to a ticket, or its scope and window cover it: with nothing remembered."""
    if any(claim.text == ticket.ref for claim in change.claims):
        return True
    if (ticket.start is None and ticket.kind != "standard") or not _on(ticket, change.time):
        return False
    return bool(change.targets) and all(_means(ticket.scope, known[key]) for key in change.targets)


def _on(ticket: Ticket, at: datetime) -> bool:
    return (ticket.start is None or ticket.start <= at) and (ticket.end is None or at <= ticket.end)


def _means(scope: TicketScope, one: Resource) -> bool:
    if scope.accounts and not any(fnmatchcase(one.key.account, wanted) for wanted in scope.accounts):
        return False
    if not (scope.addresses or scope.types or scope.resources):
        return bool(scope.accounts)
    names = (one.address, f"{one.stack}/{one.address}")
    return (
        any(fnmatchcase(name, wanted.replace("[", "[[]")) for name in names for wanted in scope.addresses)
        or any(fnmatchcase(name, wanted) for name in one.identifiers for wanted in scope.resources)
        or any(fnmatchcase(one.key.type, wanted) for wanted in scope.types)
    )


# --- the load ------------------------------------------------------------------------------------------------


def made(changes: int, tickets: int) -> Load:
    """A seeded week of sessions, a resource for every five changes."""
    dice = random.Random(20260302)
    estate = [_resource(number, dice) for number in range(max(1, changes // 5))]
    people = [f"engineer{number}" for number in range(300)]
    plans = [_plan(number, estate, people, dice) for number in range(tickets)]
    actors = _actors(people, dice)
    made_: list[Change] = []
    while len(made_) < changes:
        made_ += _session(len(made_) // 10, len(made_), estate, plans, actors, dice)
    made_ = sorted(made_[:changes], key=lambda change: change.time)
    merges = tuple(_merge(one.run.commit, people, dice) for one in actors.pipelines if one.run)
    authority = Authority(
        tickets=Tickets(tuple(one.ticket for one in plans), merges=merges),
        pipelines=tuple(
            Pipeline(f"deploy {n}", DEPLOY.format(account=_account(n)), subject="repo:acme/*") for n in range(20)
        ),
        directory=Directory(
            tuple(
                Person(one, users=(f"{one}@acme.example",), groups=("engineers", "security" if n % 9 == 0 else "all"))
                for n, one in enumerate(people)
            )
        ),
        policies=(Policy(environments=("dev",), approvals=0), Policy(types=("aws_iam_*",), approvals=1)),
        calendar=Calendar((Freeze("quarter end", BEGIN + timedelta(days=6), BEGIN + WEEK),), asked=True),
        permitted={"*": ("engineers",)},
        environments=Environments(accounts={_account(n): ("production", "staging", "dev")[n % 3] for n in range(20)}),
        weights=load_weights(()),
        tolerance=300,
    )
    return Load(made_, estate, authority)


def _account(number: int) -> str:
    return f"{number % 20:012d}"


def _at(dice: random.Random) -> datetime:
    return BEGIN + timedelta(seconds=dice.randrange(int(WEEK.total_seconds())))


def _resource(number: int, dice: random.Random) -> Resource:
    kind = dice.choice(list(KINDS))
    account, name = _account(number), f"{kind.removeprefix('aws_').replace('_', '-')}-{number}"
    key = Key(account, REGION, kind, f"arn:aws:{kind.split('_')[1]}:{REGION}:{account}:{name}")
    tags = {"Name": name, "Team": f"team{number % 40}"}
    return Resource(
        key,
        {"name": name, "tags_all": tags},
        (key.id, name),
        address=f'module.service{number % 50}.{kind}.this["{number}"]' if number % 3 else f"{kind}.it{number}",
        stack=f"stack{number % 100}",
    )


@dataclass(frozen=True)
class _Plan:
    """A ticket, and what it was written for."""

    ticket: Ticket
    resources: Sequence[Resource]
    implementer: int


def _plan(number: int, estate: Sequence[Resource], people: Sequence[str], dice: random.Random) -> _Plan:
    start = _at(dice) - timedelta(hours=4)
    some = dice.sample(estate, min(len(estate), dice.randint(1, 5)))
    asked, approver, implementer = dice.sample(range(len(people)), 3)
    standing, form = number % 50 == 0, dice.random()
    if form < 0.75:
        scope = TicketScope(addresses=tuple(f"{one.stack}/{one.address}" for one in some))
    elif form < 0.85:
        scope = TicketScope(addresses=tuple(f"{one.address[:-3]}*" for one in some), accounts=("*",))
    elif form < 0.95:
        scope = TicketScope(resources=tuple(one.key.id for one in some))
    else:
        some = some[:1]
        scope = TicketScope(types=(some[0].key.type,), accounts=(some[0].key.account,))
    history = [
        TicketEvent(start - timedelta(days=1), state="draft"),
        *(
            TicketEvent(start - timedelta(hours=3), approved_by=f"{people[one]}@acme.example", group=group)
            for one, group in ((approver, "security"), ((approver + 1) % len(people), ""))
        ),
        TicketEvent(start - timedelta(hours=2), state="approved" if number % 10 else "rejected"),
        TicketEvent(start + timedelta(hours=9), state="closed"),
    ]
    ticket = Ticket(
        f"CHG-{number}",
        "register",
        kind="standard" if standing else "normal",
        requester=people[asked],
        implementer=people[implementer],
        scope=scope,
        start=start,
        end=BEGIN + 2 * WEEK if standing else start + timedelta(hours=8),
        history=tuple(history[:4] if standing else history),
        groups=("engineers",) if standing else (),
    )
    return _Plan(ticket, some, implementer)


@dataclass(frozen=True)
class _Actors:
    """One actor a session, as the trail gives them."""

    persons: Sequence[Sequence[Actor]]
    pipelines: Sequence[Actor]
    deploying: dict[tuple[str, int], Actor]
    """Account and number of the run."""


def _actors(people: Sequence[str], dice: random.Random) -> _Actors:
    persons = [
        [
            Actor(
                f"{name}@acme.example",
                "person",
                f"arn:aws:sts::1:assumed-role/Engineer/{name}",
                "session name",
                0.9,
                person=name,
                groups=("engineers",),
            )
            for _ in range(10)
        ]
        for name in people
    ]
    deploying = {
        (_account(account), number): Actor(
            "acme/shop",
            "pipeline",
            how="OIDC",
            confidence=0.95,
            role=DEPLOY.format(account=_account(account)),
            subject="repo:acme/shop:ref:refs/heads/main",
            run=Run("github", "acme/shop", str(number), commit=f"{dice.getrandbits(160):040x}"),
            person="ci",
            groups=("engineers",),
        )
        for account in range(20)
        for number in range(100)
    }
    return _Actors(persons, list(deploying.values()), deploying)


def _merge(commit: str, people: Sequence[str], dice: random.Random) -> Merge:
    author, reviewer = dice.sample(people, 2)
    reviews = (TicketEvent(BEGIN - timedelta(days=1), approved_by=reviewer),)
    return Merge(
        commit, "github", "acme/shop", "#1", author=author, merged_by=reviewer, history=reviews, checks="passed"
    )


def _session(
    number: int, first: int, estate: Sequence[Resource], plans: Sequence[_Plan], actors: _Actors, dice: random.Random
) -> list[Change]:
    """One to twenty calls of one credential; four of five sessions do what a ticket says, and most of those name it."""
    form, of_pipeline = dice.random(), dice.random() < 0.5
    begins = _at(dice)
    some: Sequence[Resource] = dice.sample(estate, min(len(estate), 3))
    claims: tuple[Claim, ...] = ()
    actor = dice.choice(dice.choice(actors.persons))
    if form < 0.8:
        plan = dice.choice(plans)
        some, begins = plan.resources, (plan.ticket.start or BEGIN) + timedelta(minutes=dice.randrange(7 * 60))
        actor = dice.choice(actors.persons[plan.implementer]) if dice.random() < 0.9 else actor
        if form < 0.6:
            claims = (Claim(plan.ticket.ref, "session tag"),)
    if of_pipeline:
        actor = actors.deploying[some[0].key.account, number % 100]
    made_ = []
    for call in range(dice.randint(1, 20)):
        one = some[call % len(some)]
        action, attribute = KINDS[one.key.type]
        change = Change(
            (f"event{first + call}",),
            begins + timedelta(seconds=call),
            action,
            actor,
            "sdk",
            one.key.account,
            REGION,
            touches=(Touch(one.key.type, (one.key.id,), sets={attribute: 60}),),
            targets=(one.key,),
            session=f"ASIA{number:016d}",
            claims=claims,
        )
        made_.append(change)
    return made_


def stories(load: Load) -> list[Finding]:
    """Every resource with its changes, as the attribute stage gives them."""
    by_key: dict[Key, list[JudgedChange]] = {}
    for change in load.changes:
        by_key.setdefault(change.targets[0], []).append(JudgedChange(change, NOT_JUDGED))
    known = {resource.key: resource for resource in load.resources}
    return [
        Finding(FindingId(f"F-{number}"), key, known[key].address, known[key].stack, changes=tuple(items))
        for number, (key, items) in enumerate(by_key.items())
    ]


def as_many(rules: Sequence[Rule], count: int) -> list[Rule]:
    """So many rules: those that ship, and as many of them again under other names as are missing."""
    return [
        replace(rule, id=rule.id if number < len(rules) else f"{rule.id}-{number}")
        for number, rule in enumerate(islice(cycle(rules), count))
    ]


if __name__ == "__main__":
    main()
