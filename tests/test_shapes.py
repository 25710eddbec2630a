"""`agent.shapes`: judging what is alike once says the same, to the letter, as judging each finding by itself."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from agent import judge as judging
from agent.authorise import TESTS
from agent.facts import WIDE, parts, seen
from agent.judge import Rule, decide, judge
from agent.model import (
    Actor,
    ActorKind,
    Change,
    Channel,
    Claim,
    Drift,
    Finding,
    FindingId,
    IdentityClass,
    JudgedChange,
    Key,
    Outcome,
    Risk,
    Secret,
    Touch,
    Unknown,
    Verdict,
    Violation,
)
from agent.model import Test as Named
from agent.resources import load
from agent.rules import load_rules
from agent.shapes import Shapes

SPECS = load()
AT = datetime(2026, 3, 2, tzinfo=UTC)


def rule(name: str, *when: dict[str, str], unless: Sequence[dict[str, str]] = (), expression: str = "") -> Rule:
    holds, keeps = (tuple(tuple((f, (word,)) for f, word in one.items()) for one in each) for each in (when, unless))
    return Rule(name, name, "low", holds, keeps, expression=expression)


pytest.importorskip("cel")

RULES = (
    *load_rules(),
    rule("by-id", {"id": "*3"}),
    rule("by-day", {"weekday": "mon", "outcome": "unauthorised"}, {"privilege": "raised"}),
    rule("not-there", {"outcome": "*"}, unless=[{"account": "111122223333", "public": "yes"}, {"topic": "network"}]),
    rule("not-there-public", {"public": "yes"}, unless=[{"stack": "shop"}]),
    rule("unknown-or-here", {"public": "no", "owner": "none"}, {"weakened": "logging", "region": "eu-*"}),
    rule("no-such-fact", {"weather": "rain", "outcome": "unauthorised"}),
    rule("expression", expression="drifts.exists(d, d.attribute == 'policy') && 'unauthorised' in outcome"),
    rule("expression-of-public", {"outcome": "*"}, expression="'yes' in public || change.hour > 2"),
)
POLICIES = [
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}]}',
    '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sqs:*", "Resource": "*"}]}',
    '{"Statement": []}',
]
PLAIN: list[Any] = [None, "", "alias/k", "0.0.0.0/0", "public-read", "none", 0, 1, 7, 30.0, True, False, Secret("abcd")]
NESTED: list[Any] = [
    [{"status": "Enabled"}],
    [{"status": "Suspended"}],
    [{"apply": [{"sse_algorithm": "aws:kms", "kms_key_id": "k"}]}],
    [{"apply": [{"sse_algorithm": "AES256"}]}],
    ["0.0.0.0/0"],
    ["arn:aws:iam::aws:policy/AdministratorAccess"],
    {"a": Unknown("not shown")},
]
VALUES = [*PLAIN, *NESTED, *POLICIES, Unknown("not on record"), Unknown("masked")]
TYPES = (
    *("aws_sqs_queue", "aws_iam_role", "aws_s3_bucket", "aws_security_group", "aws_db_instance", "aws_kms_key"),
    *("aws_s3_bucket_versioning", "aws_iam_role_policy_attachment", "aws_security_group_rule", "aws_route"),
)
ATTRIBUTES = sorted({one.name for name in TYPES if name in SPECS for one in SPECS[name].attributes})
IDS = ("a", "b3", "role|arn:aws:iam::aws:policy/Admin", "sg-1|ingress|tcp|22|22|0.0.0.0/0", "sg-1|egress|all|0|0|::/0")


class Dice(random.Random):
    """Findings of few enough kinds that many are alike, by the seed."""

    def some(self, make: Callable[[], Any], most: int) -> tuple[Any, ...]:
        return tuple(make() for _ in range(self.randint(0, most)))

    def key(self) -> Key:
        return Key(self.choice(("1", "111122223333")), "eu-west-1", self.choice(TYPES), self.choice(IDS))

    def brought(self) -> dict[str, Any]:
        names = [*ATTRIBUTES, "type", "source", "from_port"]
        return {self.choice(names): self.choice(VALUES) for _ in range(self.randint(0, 3))}

    def drift(self, key: Key) -> Drift:
        kind: Any = self.choice(("changed", "changed", "missing", "unmanaged", "unapplied"))
        note: Any = self.choice(("", "", "absorbed", "unlisted"))
        part = self.key() if self.random() < 0.3 else None
        if kind in ("changed", "unapplied") and part is None:
            return Drift(key, kind, self.choice(ATTRIBUTES), self.choice(VALUES), self.choice(VALUES), note=note)
        live = None if kind == "missing" else self.brought()
        return Drift(key, kind, "ingress" if part else "", None if live else {}, live, part=part, note=note)

    def verdict(self) -> Verdict:
        def test() -> Named:
            result: Any = self.choice(("pass", "fail", "unknown"))
            return Named(self.choice(TESTS), result, self.choice("xyz"))

        level: Any = self.choice(("low", "high"))
        return Verdict(
            self.choice((*get_args(Outcome), "indeterminate", "unauthorised")),
            self.some(test, 3),
            self.choice(("", "pipeline", "manual")),
            late=self.random() < 0.2,
            risk=Risk(level, 1, ()) if self.random() < 0.5 else None,
            grant=self.choice(("", "", "BG-1", "BG-2")),
            since=self.choice(((), ("reopened",))),
            environment=self.choice(("", "production", "test")),
        )

    def change(self, key: Key) -> Change:
        def touch() -> Touch:
            act: Any = self.choice(("update", "update", "create", "delete"))
            return Touch(self.choice((key.type, key.type, *TYPES)), (self.choice(IDS),), act, self.brought())

        actor = Actor("dana", self.choice(get_args(ActorKind)), groups=self.choice(((), ("vendors",))))
        return Change(
            (self.choice(("e1", "e2", "e3")),),
            AT + timedelta(hours=self.randint(0, 150)),
            self.choice(("sqs:SetQueueAttributes", "cloudtrail:StopLogging", "kms:DisableKey")),
            actor,
            self.choice(get_args(Channel)),
            key.account,
            key.region,
            self.some(touch, 2),
            (key,),
            claims=self.choice(((), (Claim("CHG-1", "session tag"),))),
            identity=self.choice(get_args(IdentityClass)),
            tool=self.choice(("", "terraform")),
        )

    def finding(self) -> Finding:
        key = self.key()
        changes = self.some(lambda: JudgedChange(self.change(key), self.verdict()), 2)
        trail: Any = self.choice(("", "", "", "narrowed"))
        return Finding(
            FindingId(f"F-{self.randint(0, 99)}"),
            key,
            stack=self.choice(("", "shop")),
            drifts=self.some(lambda: self.drift(key), 2),
            changes=changes,
            verdict=changes[0].verdict if changes and self.random() < 0.5 else self.verdict(),
            unexplained=self.choice(("", "before the trail")),
            trail=trail,
        )


def plainly(found: Sequence[Finding], rules: Sequence[Rule]) -> tuple[Violation, ...]:
    """Every rule held against every part of every finding, nothing remembered."""
    violations = []
    for one in found:
        for asked in rules if one.verdict.outcome != "unapplied" else ():
            decisions = [decide(asked, part) for part in seen(one, SPECS)]
            told = [each for each in decisions if each.broken is True] + [
                each for each in decisions if isinstance(each.broken, Unknown)
            ]
            if told:
                violations.append(
                    Violation(asked.id, asked.severity, asked.controls, one.id, told[0].because,
                              told[0].broken is not True, asked.stage == "observe")
                )  # fmt: skip
    return tuple(violations)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_judged_once_is_judged_as_each_by_itself(seed: int) -> None:
    dice = Dice(seed)
    found = [dice.finding() for _ in range(15)]
    # Each a second time under another name: by then everything is remembered.
    again = [replace(one, id=FindingId(f"again {one.id}"), key=replace(one.key, account="9")) for one in found]
    assert judge([*found, *again], RULES, SPECS) == plainly([*found, *again], RULES)


def test_one_shape_one_set_of_facts() -> None:
    dice, shapes, known, alike = Dice(0), Shapes(SPECS), dict[Any, Any](), 0
    for _ in range(200):
        one = dice.finding()
        # Another value of what differs: where the shape stays the same, so do the facts.
        other = replace(
            one,
            drifts=tuple(
                replace(drift, live=dice.choice(PLAIN)) if isinstance(drift.live, int | str) else drift
                for drift in one.drifts
            ),
        )
        for each in (one, other):
            for part, facts in zip(parts(each, SPECS), seen(each, SPECS), strict=True):
                narrow = {name: words for name, words in facts.facts.items() if name not in WIDE}
                alike += shapes.of(part) in known
                assert known.setdefault(shapes.of(part), (narrow, facts.evidence)) == (narrow, facts.evidence)
    assert alike > 100


QUEUE = Key("1", "eu-west-1", "aws_sqs_queue", "orders")


def shape(attribute: str, value: Any, key: Key = QUEUE) -> Any:
    drift = Drift(key, "changed", attribute, None, value)
    (part,) = parts(Finding(FindingId("F"), key, drifts=(drift,), verdict=Verdict("unauthorised")), SPECS)
    return Shapes(SPECS).of(part)


def test_only_values_that_may_mean_something_tell_findings_apart() -> None:
    assert shape("delay_seconds", 5) == shape("delay_seconds", 6)
    assert shape("policy", POLICIES[0]) != shape("policy", POLICIES[1])
    assert shape("kms_master_key_id", "") != shape("kms_master_key_id", "alias/k")
    assert shape("delay_seconds", [{"kms_key_id": ""}]) != shape("delay_seconds", [{"kms_key_id": "k"}])


def test_one_and_true_are_not_the_same() -> None:
    database = replace(QUEUE, type="aws_db_instance")
    assert shape("publicly_accessible", 1, database) != shape("publicly_accessible", True, database)


def test_a_shape_holds_no_long_value() -> None:
    assert len(str(shape("policy", "x" * 1_000_000))) < 1000


def test_no_number_of_shapes_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_REMEMBERED", 3)
    many = [
        Finding(
            FindingId(f"F-{number}"),
            QUEUE,
            drifts=(Drift(QUEUE, "changed", "policy", None, f"policy {number % 5}"),),
            verdict=Verdict("unauthorised", (Named("ticket", "fail", ""),)),
        )
        for number in range(20)
    ]
    bench = judging.Bench(RULES, SPECS)
    assert tuple(one for each in many for one in bench.violations(each)) == plainly(many, RULES)
    assert len(bench._known) <= 3
