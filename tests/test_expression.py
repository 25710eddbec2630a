"""`agent.expression`: what an expression sees and answers, and that neither an author nor a record can break it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.expression import (
    LONGEST,
    LONGEST_TEXT,
    MOST,
    MOST_BRACKETS,
    MOST_VALUES,
    ExpressionError,
    compiled,
    deepest,
)
from agent.facts import FACTS, Seen
from agent.judge import Rule, decide, example_facts
from agent.model import Actor, Change, Drift, Key, Secret, Unknown

pytest.importorskip("cel")

GROUP = Key("111122223333", "eu-west-1", "aws_security_group", "sg-1")
CALL = Change(
    ("e1",),
    datetime(2026, 1, 3, 22, 5, tzinfo=UTC),
    "ec2:AuthorizeSecurityGroupIngress",
    Actor("dana", "person"),
    "cli",
    GROUP.account,
    GROUP.region,
    source_ip="203.0.113.9",
    user_agent="aws-cli/2.15",
    session="ASIA1",
    request={"groupId": "sg-1", "ports": [{"from": 22, "to": 22}, {"from": 443, "to": 443}]},
)
DRIFTS = (
    Drift(GROUP, "changed", "ingress", [{"port": 443, "cidr": "10.0.0.0/8"}], [{"port": 22, "cidr": "0.0.0.0/0"}]),
    Drift(GROUP, "changed", "description", "web", "admin"),
)


def part(change: Change | None = CALL, drifts: tuple[Drift, ...] = DRIFTS, **facts: Any) -> Seen:
    return Seen({**example_facts({}).facts, **facts}, change=change, drifts=drifts)


def holds(source: str, of: Seen | None = None) -> bool | Unknown:
    return compiled(source).holds(of or part())


# --- what it sees --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'unauthorised' in outcome", True),
        ("outcome == ['unauthorised'] && size(type) == 1", True),
        ("type.exists(t, t.startsWith('aws_sns_'))", False),
        ("type.all(t, glob(t, 'aws_s?s_*'))", True),
        ("address[0].matches('^aws_sqs_queue[.]o.*$')", True),
        ("change.action == 'ec2:AuthorizeSecurityGroupIngress' && change.channel == 'cli'", True),
        ("change.hour == 22 && change.weekday == 5 && change.time == '2026-01-03T22:05:00Z'", True),
        ("change.account + '/' + change.region == '111122223333/eu-west-1'", True),
        ("change.user_agent.contains('cli') && change.session == 'ASIA1'", True),
        ("cidr_contains('203.0.113.0/24', change.source_ip)", True),
        ("cidr_contains('10.0.0.7/8', change.source_ip)", False),
        ("cidr_contains('::/0', change.source_ip)", False),
        ("change.request.ports.exists(p, p.from <= 22 && p.to >= 22)", True),
        ("has(change.request.vpcId)", False),
        ("drifts.exists(d, d.attribute == 'ingress' && d.live.exists(r, r.port == 22 && r.cidr == '0.0.0.0/0'))", True),
        ("drifts.filter(d, d.kind == 'changed').size() == 2", True),
        ("drifts.exists_one(d, d.declared == 'web' && d.live == 'admin')", True),
        ("drifts.map(d, d.attribute) == ['ingress', 'description']", True),
        ("'https://a' in outcome || true", True),
    ],
)
def test_what_an_expression_answers(source: str, expected: bool) -> None:
    assert holds(source) is expected


def test_every_fact_may_be_asked() -> None:
    for name in FACTS:
        assert isinstance(holds(f"size({name}) > 0"), bool), name


def test_without_a_call_its_map_is_empty() -> None:
    assert holds("has(change.action)", part(None)) is False
    assert holds("change.action == 'x'", part(None)) == Unknown("the expression fails: 'action'")
    assert holds("size(drifts) == 0", part(None, ())) is True


def test_a_services_name_is_no_address() -> None:
    by_service = replace(CALL, source_ip="cloudformation.amazonaws.com")
    assert holds("cidr_contains('0.0.0.0/0', change.source_ip)", part(by_service)) is False


def test_nobody_sees_a_secret() -> None:
    drift = Drift(GROUP, "changed", "password", Secret("abc"), [Secret("def"), Unknown("masked")])
    assert holds("drifts[0].declared == 'secret' && drifts[0].live == ['secret', 'unknown']", part(drifts=(drift,)))


# --- what cannot be decided ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("change.hour < 'x'", "No such overload"),
        ("change.request.vpcId == 'vpc-1'", "vpcId"),
        ("type[7] == 'x'", "index out of bounds"),
        ("1 / (change.hour - 22) == 1", "division by zero"),
        ("outcome", "the expression gives list, no bool"),
        ("cidr_contains('nonsense', change.source_ip)", "gives NoneType, no bool"),
        ("drifts.exists(d, d.live > 3)", "No such overload"),
    ],
)
def test_what_fails_is_undecided(source: str, why: str) -> None:
    answer = holds(source)
    assert isinstance(answer, Unknown)
    assert why in answer.why


def test_a_fact_that_is_not_known_leaves_it_undecided() -> None:
    assert holds("'yes' in public || true", part(public=Unknown("masked"))) == Unknown("masked")
    assert holds("'cli' in channel || true", part(public=Unknown("masked"))) is True


@pytest.mark.parametrize(
    ("when", "expression", "broken"),
    [
        (True, "change.hour == 22", True),
        (True, "change.hour == 23", False),
        (False, "change.hour == 22", False),
        (False, "change.hour < 'x'", False),
        (None, "change.hour == 22", True),
    ],
)
def test_a_rule_holds_where_its_condition_and_its_expression_do(
    when: bool | None, expression: str, broken: bool
) -> None:
    condition = ((("outcome", ("unauthorised" if when else "authorised",)),),) if when is not None else ()
    decision = decide(Rule("r", "a rule", "low", condition, expression=expression), part())
    assert decision.broken is broken
    if broken:
        assert decision.because.endswith(f"the expression holds: {expression}")


def test_a_rule_whose_expression_fails_is_undecided() -> None:
    asked = Rule("r", "a rule", "low", ((("outcome", ("unauthorised",)),),), expression="change.hour < 'x'")
    decision = decide(asked, part())
    assert isinstance(decision.broken, Unknown)
    assert decision.because.startswith("could not be decided: the expression fails: No such overload")
    kept = replace(asked, unless=((("channel", ("console",)),),))
    assert decide(kept, part()).broken is False


# --- an author's mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 +", "not CEL: Failed to parse"),
        ("outcom == ['x']", "unknown name 'outcom'; did you mean 'outcome'?"),
        ("zzz", "unknown name 'zzz'; known are absorbed, account, "),
        ("type.exists(t, x == t)", "unknown name 'x'"),
        ("size(type) == now()", "unknown function 'now'"),
        ("type.exists(type, type == 'x')", "a loop's variable is called 'type'"),
        ("true // && false", "a comment would hide all that follows"),
        ("'" + "x" * LONGEST + "'", f"{LONGEST + 2} characters; an expression has at most {LONGEST}"),
        ("(" * (MOST_BRACKETS + 1), "more than 200 brackets"),
        ("drifts.all(a, drifts.all(b, drifts.all(c, true)))", "loops are nested deeper than 2"),
    ],
)
def test_a_mistake_is_told_when_the_rule_is_read(source: str, error: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        compiled(source)
    assert str(raised.value).startswith(error)


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("true", 0),
        ("type.all(t, true) && type.exists(t, true)", 1),
        ("drifts.filter(d, d.live.map(x, x) == []).size() > 0", 2),
        ("'.all(' in type && \".map(\" in type", 0),
        (r"r'\' in type || drifts.all(a, a.live.all(b, true))", 2),
        ("type . exists ( t, size(t) > (1 + (2)))", 1),
        (")))", 0),
    ],
)
def test_how_deep_loops_are_nested(source: str, depth: int) -> None:
    assert deepest(source) == depth


# --- what records bring --------------------------------------------------------------------------------------


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def test_what_is_deep_long_or_wide_is_cut_before_it_is_seen() -> None:
    big = {"deep": deep(500), "text": "x" * 100_000, "many": list(range(100_000)), "huge": 2**70, "odd": object()}
    of = part(replace(CALL, request=big))
    assert holds("change.request.deep.a.a.a.a.a.a.a == '…'", of) is True
    assert holds(f"size(change.request.text) == {LONGEST_TEXT} && size(change.request.many) == {MOST}", of) is True
    assert holds("change.request.huge == '1180591620717411303424' && change.request.odd == '…'", of) is True


def test_what_is_wide_on_every_level_is_cut_too() -> None:
    wide = {f"a{n}": {f"b{m}": 0 for m in range(MOST)} for n in range(MOST)}
    of = part(replace(CALL, request=wide))
    cut = "change.request.filter(a, change.request[a] != '…').size() * 200"
    assert holds(f"{cut} > {MOST_VALUES - 3 * MOST} && {cut} < {MOST_VALUES + MOST}", of) is True


def test_what_the_engine_does_not_take_is_undecided() -> None:
    answer = holds("'x' in group", part(group=("\ud800",)))
    assert isinstance(answer, Unknown)
    assert "group" in answer.why
