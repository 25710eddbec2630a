"""`agent.judge` and `agent.facts`: which rules a finding breaks, and what happens where a fact is not known."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, get_args

import pytest

from agent.authorise import authorise
from agent.facts import FACTS, Seen, Words, seen
from agent.judge import Condition, Rule, decide, example_facts, judge, trail_findings
from agent.model import (
    Actor,
    Attempt,
    Authority,
    Burst,
    Candidate,
    Change,
    Claim,
    Drift,
    Environments,
    Finding,
    FindingId,
    Gap,
    JudgedChange,
    Key,
    Outcome,
    Risk,
    Scope,
    Touch,
    Trail,
    Unknown,
    Verdict,
)
from agent.model import Test as Named
from agent.resources import load
from agent.rules import load_rules

SPECS = load()
RULES = load_rules()
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
QUEUE = Key("111122223333", "eu-west-1", "aws_sqs_queue", "arn:aws:sqs:eu-west-1:111122223333:orders")
NO_TICKET = Verdict("unauthorised", (Named("actor", "pass", "dana"), Named("ticket", "fail", "none")), "manual")
DELAY = Touch("aws_sqs_queue", (QUEUE.id,), "update", {"delay_seconds": 5})


def change(event: str = "e1", touch: Touch = DELAY, actor: Any = "person", **fields: Any) -> Change:
    values: dict[str, Any] = {"action": "sqs:SetQueueAttributes", "channel": "console", "targets": (QUEUE,), **fields}
    who = Actor("dana", actor, confidence=0.9)
    return Change((event,), AT, actor=who, account=QUEUE.account, region=QUEUE.region, touches=(touch,), **values)


def finding(*judged: JudgedChange, verdict: Verdict = NO_TICKET, **fields: Any) -> Finding:
    drift = Drift(QUEUE, "changed", "delay_seconds", 0, 5)
    values: dict[str, Any] = {"address": "aws_sqs_queue.orders", "stack": "shop", "drifts": (drift,), **fields}
    return Finding(FindingId("F-1"), QUEUE, changes=judged, verdict=verdict, **values)


BY_HAND = finding(JudgedChange(change(), NO_TICKET))


def rule(when: Condition, unless: Condition = ()) -> Rule:
    return Rule("r", "a rule", "high", when, unless, controls=("SOC2:CC8.1",))


def where(**facts: Any) -> Condition:
    return (tuple((name, (value,) if isinstance(value, str) else tuple(value)) for name, value in facts.items()),)


def broken(found: Finding) -> list[str]:
    """The enforced rules that a finding breaks."""
    return [violation.rule for violation in judge([found], RULES, SPECS) if not violation.observed]


# --- facts ---------------------------------------------------------------------------------------------------


def only(found: Finding) -> Any:
    (part,) = seen(found, SPECS)
    return part.facts


def test_every_finding_has_every_fact_and_only_known_words() -> None:
    gap = trail_findings(Trail(AT, AT, gaps=(Gap(Scope(), "denied"),)))[0]
    unseen = finding(verdict=Verdict("indeterminate"), unexplained="before the trail", address="", stack="")
    unapplied = finding(drifts=(Drift(QUEUE, "unapplied", "delay_seconds", 0, 5),), verdict=Verdict("unapplied"))
    for found in (BY_HAND, gap, unseen, unapplied):
        for part in seen(found, SPECS):
            assert set(FACTS) == set(part.facts)
            for name, fact in FACTS.items():
                words = part.facts[name]
                assert isinstance(words, Unknown) or (words and all(words)), name
                assert not fact.values or isinstance(words, Unknown) or set(words) <= set(fact.values), name


def test_a_hand_change_in_facts() -> None:
    expected = {
        "outcome": ("unauthorised",),
        "kind": ("changed",),
        "type": ("aws_sqs_queue",),
        "id": (QUEUE.id,),
        "address": ("aws_sqs_queue.orders",),
        "stack": ("shop",),
        "owner": ("none",),
        "account": ("111122223333",),
        "region": ("eu-west-1",),
        "attribute": ("delay_seconds",),
        "topic": ("metadata",),
        "act": ("update",),
        "action": ("sqs:SetQueueAttributes",),
        "channel": ("console",),
        "actor": ("settled",),
        "actor_kind": ("person",),
        "claim": ("no",),
        "failed_test": ("ticket",),
        "path": ("manual",),
        "pipeline": ("no",),
        "late": ("no",),
        "public": ("no",),
        "weakened": ("none",),
        "privilege": ("same",),
        "state": ("none",),
        "trail": ("none",),
        "absorbed": ("no",),
        "identity": ("sso-user",),
        "group": ("engineers", "on-call"),
        "tool": ("none",),
        "weekday": ("fri",),
        "hour": ("03",),
        "environment": ("production",),
        "risk": ("high",),
        "unknown_test": ("none",),
        "grant": ("no",),
        "afterwards": ("no",),
    }
    who = replace(change().actor, groups=("engineers", "on-call"))
    made = replace(change(), actor=who, identity="sso-user")
    weighed = replace(NO_TICKET, environment="production", risk=Risk("high", 8, ("environment production +3",)))
    assert expected == only(finding(JudgedChange(made, weighed), verdict=weighed))


def test_what_a_verdict_says_besides_its_outcome() -> None:
    tests = (Named("ticket", "unknown", "down"), Named("checks", "unknown", "down"), Named("review", "fail", "nobody"))
    said = Verdict("unauthorised", tests, "pipeline", late=True, grant="BG-1", since=("CHG-1 was reopened",))
    facts = only(finding(JudgedChange(change(tool="terraform"), said), verdict=said))
    names = ("unknown_test", "failed_test", "late", "grant", "afterwards", "tool", "risk", "environment")
    expected = [("ticket", "checks"), ("review",), ("yes",), ("yes",), ("yes",), ("terraform",), ("none",), ("none",)]
    assert expected == [facts[name] for name in names]


def test_where_a_change_was_made_whatever_production_is_called() -> None:
    given = Environments(accounts={QUEUE.account: "live", "1": "test"}, production=("live",))
    authority = Authority(environments=given)
    unseen = replace(finding(unexplained="before the trail"), key=replace(QUEUE, account="1"))
    found = authorise([finding(JudgedChange(change(), NO_TICKET)), unseen], authority, (), {}, AT)
    assert [only(one)["environment"] for one in found] == [("production",), ("test",)]
    assert [only(one)["environment"] for one in authorise([unseen], Authority(), (), {}, AT)] == [("none",)]


@pytest.mark.parametrize(
    ("at", "day", "hour"), [(AT, "fri", "03"), (datetime(2026, 1, 4, 23, tzinfo=UTC), "sun", "23")]
)
def test_when_a_call_was_made(at: datetime, day: str, hour: str) -> None:
    facts = only(finding(JudgedChange(replace(change(), time=at), NO_TICKET)))
    assert ((day,), (hour,)) == (facts["weekday"], facts["hour"])


def test_the_facts_of_an_example_that_says_nothing_are_those_of_a_plain_hand_change() -> None:
    facts = example_facts({}).facts
    for name in ("outcome", "kind", "topic", "act", "channel", "actor", "actor_kind", "failed_test", "pipeline"):
        assert only(BY_HAND)[name] == facts[name]


def test_an_example_may_say_that_a_fact_is_not_known() -> None:
    assert Unknown("the example says so") == example_facts({"public": ("unknown",)}).facts["public"]
    assert example_facts({"actor_kind": ("unknown",)}).facts["actor_kind"] == ("unknown",)


def test_what_a_state_tells_is_no_difference_of_a_resource() -> None:
    told = replace(finding(drifts=()), key=replace(QUEUE, type="terraform_state"), cause="state-edited")
    assert [only(told)[name] for name in ("kind", "state", "topic")] == [("state",), ("state-edited",), ("metadata",)]


def test_drift_nobody_was_seen_to_make() -> None:
    facts = only(finding(verdict=Verdict("indeterminate"), unexplained="before the trail"))
    unseen = ("action", "channel", "actor", "actor_kind", "identity", "weekday", "hour")
    assert [facts[name] for name in unseen] == [("unseen",)] * 7
    assert (facts["claim"], facts["tool"], facts["group"]) == (("no",), ("none",), ("none",))


@pytest.mark.parametrize(
    ("actor", "result", "word"),
    [("person", "pass", "settled"), ("unknown", "pass", "unsettled"), ("shared", "unknown", "unsettled")],
)
def test_whether_somebody_answers_for_it(actor: str, result: Any, word: str) -> None:
    verdict = Verdict("unauthorised", (Named("actor", result, ""),))
    assert (word,) == only(finding(JudgedChange(change(actor=actor), verdict), verdict=verdict))["actor"]


def test_a_part_is_told_with_its_own_type_and_topic() -> None:
    part = Key(QUEUE.account, "global", "aws_iam_role_policy_attachment", "app|arn:aws:iam::aws:policy/Admin")
    role = Key(QUEUE.account, "global", "aws_iam_role", "app")
    live = {"policy_arn": "arn:aws:iam::aws:policy/Admin"}
    drift = Drift(role, "changed", "managed_policy_arns", live=live, part=part)
    touch = Touch("aws_iam_role_policy_attachment", (part.id,), "create", live)
    judged = JudgedChange(change(touch=touch, action="iam:AttachRolePolicy", targets=(part,)), NO_TICKET)
    facts = only(replace(finding(judged, drifts=(drift,)), key=role))
    assert facts["type"] == ("aws_iam_role", "aws_iam_role_policy_attachment")
    assert facts["attribute"] == ("managed_policy_arns", "whole")
    assert facts["topic"] == ("identity",)
    assert facts["act"] == ("create",)
    assert facts["privilege"] == ("raised",)


@pytest.mark.parametrize(
    ("kind", "declared", "live", "act"),
    [("missing", {"delay_seconds": 0}, None, "delete"), ("unmanaged", None, {"delay_seconds": 0}, "create")],
)
def test_whole_resources(kind: Any, declared: Any, live: Any, act: str) -> None:
    facts = only(finding(drifts=(Drift(QUEUE, kind, declared=declared, live=live),), unexplained="x"))
    assert [(kind,), ("whole",), ("data",), (act,)] == [facts[n] for n in ("kind", "attribute", "topic", "act")]


def test_change_without_drift() -> None:
    facts = only(finding(JudgedChange(change(), NO_TICKET), drifts=()))
    assert [facts[name] for name in ("kind", "attribute", "act")] == [("none",), ("delay_seconds",), ("update",)]


def test_what_the_call_did_to_other_resources_is_not_this_findings_business() -> None:
    other = Touch("aws_sns_topic", ("t",), "delete")
    facts = only(finding(JudgedChange(change(touch=other), NO_TICKET), drifts=()))
    assert [facts[name] for name in ("attribute", "topic", "act")] == [("none",), ("metadata",), ("update",)]


def test_a_setting_that_nobody_declares_is_told_with_what_it_is_a_setting_of() -> None:
    user = Key(QUEUE.account, "global", "aws_iam_user", "deploy")
    touch = Touch("aws_iam_access_key", ("deploy|AKIA1",), "create")
    made = change(touch=touch, action="iam:CreateAccessKey", targets=(user,))
    facts = only(replace(finding(JudgedChange(made, NO_TICKET), drifts=()), key=user))
    assert facts["type"] == ("aws_iam_user", "aws_iam_access_key")
    assert [facts[name] for name in ("attribute", "topic", "act")] == [("whole",), ("identity",), ("create",)]
    assert facts["privilege"] == ("raised",)
    of_topic = replace(made, touches=(Touch("aws_sns_topic_subscription", ("t",), "create"),))
    assert only(replace(finding(JudgedChange(of_topic, NO_TICKET), drifts=()), key=user))["type"] == ("aws_iam_user",)


def test_types_without_a_spec_have_a_topic() -> None:
    trail = Key(QUEUE.account, QUEUE.region, "aws_cloudtrail", "main")
    drifts = (Drift(trail, "changed", "enable_logging", True, False), Drift(trail, "missing", declared={}))
    assert only(replace(finding(drifts=drifts[1:]), key=trail))["topic"] == ("logging",)
    unheard = replace(trail, type="aws_unheard_of")
    assert only(replace(finding(drifts=(Drift(unheard, "missing", declared={}),)), key=unheard))["topic"] == (
        "metadata",
    )


PIPELINE = Verdict("unauthorised", (Named("pipeline", "pass", "deploy"), Named("ticket", "fail", "none")), "pipeline")
ALLOWED = Verdict("authorised", (Named("ticket", "pass", "CHG-1"),), "manual", "CHG-1")


def test_two_calls_are_two_sets_of_facts_never_mixed() -> None:
    by_pipeline = change("e2", actor="pipeline", channel="iac")
    found = finding(JudgedChange(change(), NO_TICKET), JudgedChange(by_pipeline, PIPELINE))
    expected = [(("person",), ("no",)), (("pipeline",), ("yes",))]
    assert expected == [(part.facts["actor_kind"], part.facts["pipeline"]) for part in seen(found, SPECS)]
    assert broken(found) == ["pipeline-without-ticket", "unticketed-change"]


def test_calls_with_a_milder_verdict_do_not_speak_for_the_finding() -> None:
    claimed = change("e2", claims=(Claim("CHG-1", "session tag"),))
    found = finding(JudgedChange(claimed, ALLOWED), JudgedChange(change(), NO_TICKET))
    assert [part.facts["claim"] for part in seen(found, SPECS)] == [("no",)]


def test_drift_that_an_allowed_call_explains_is_not_held_against_another() -> None:
    keyless = Touch("aws_sqs_queue", (QUEUE.id,), "update", {"kms_master_key_id": ""})
    drifts = (
        Drift(QUEUE, "changed", "kms_master_key_id", "alias/k", ""),
        Drift(QUEUE, "changed", "delay_seconds", 0, 5),
    )
    allowed = JudgedChange(change("e2", touch=keyless), ALLOWED)
    found = finding(allowed, JudgedChange(change(), NO_TICKET), drifts=drifts)
    assert [part.facts["weakened"] for part in seen(found, SPECS)] == [("none",)]
    unexplained = replace(found, changes=found.changes[1:])
    assert [part.facts["weakened"] for part in seen(unexplained, SPECS)] == [("encryption",)]
    # Nothing explains a retention of a minute: it stays with the finding.
    odd = Drift(QUEUE, "changed", "message_retention_seconds", 1209600, 60)
    assert [p.facts["weakened"] for p in seen(replace(found, drifts=(odd,)), SPECS)] == [("retention",)]


# --- deciding ------------------------------------------------------------------------------------------------


def facts(**values: Words | Unknown) -> Seen:
    return Seen({**example_facts({}).facts, **values}, {"public": "admits ::/0"})


@pytest.mark.parametrize(
    ("when", "unless", "expected"),
    [
        (where(outcome="unauthorised"), (), True),
        (where(outcome="authorised"), (), False),
        (where(outcome=["authorised", "unauthorised"]), (), True),
        (where(outcome="un*"), (), True),
        (where(outcome="unauthorised", kind="missing"), (), False),
        ((*where(kind="missing"), *where(kind="changed")), (), True),
        (where(outcome="unauthorised"), where(channel="console"), False),
        (where(outcome="unauthorised"), where(channel="console", actor_kind="root"), True),
        (where(id="arn:aws:sqs:*:orders"), (), True),
        ((), (), False),
    ],
)
def test_conditions(when: Condition, unless: Condition, expected: bool) -> None:
    assert expected is decide(rule(when, unless), facts()).broken


def test_an_address_with_an_index_matches_itself() -> None:
    indexed = facts(address=('aws_sqs_queue.q["a"]',))
    assert True is decide(rule(where(address='aws_sqs_queue.q["a"]')), indexed).broken


HIDDEN = Unknown("the record does not show it")


@pytest.mark.parametrize(
    ("when", "unless", "expected"),
    [
        (where(public="yes"), (), HIDDEN),
        (where(outcome="unauthorised", public="yes"), (), HIDDEN),
        (where(outcome="authorised", public="yes"), (), False),
        (where(public=["yes", "unknown"]), (), True),
        ((*where(public="yes"), *where(outcome="unauthorised")), (), True),
        ((*where(public="yes"), *where(outcome="authorised")), (), HIDDEN),
        (where(outcome="unauthorised"), where(public="no"), HIDDEN),
        (where(outcome="unauthorised"), where(public="no", outcome="authorised"), True),
        (where(outcome="unauthorised"), where(public="unknown"), False),
        (where(weather="rain"), (), Unknown("there is no fact 'weather'")),
    ],
)
def test_what_is_not_known_is_neither_yes_nor_no(when: Condition, unless: Condition, expected: bool | Unknown) -> None:
    assert expected == decide(rule(when, unless), facts(public=HIDDEN)).broken


def test_a_violation_says_because_of_what() -> None:
    decision = decide(rule(where(outcome=["unauthorised", "indeterminate"], public="yes")), facts(public=("yes",)))
    assert decision.because == "outcome is unauthorised; public is yes (admits ::/0)"
    asked = decide(rule(where(public=["yes", "unknown"])), facts(public=HIDDEN))
    assert asked.because == "public is unknown (the record does not show it)"


def test_a_rule_that_cannot_be_decided_is_an_indeterminate_violation() -> None:
    (violation,) = judge([BY_HAND], [rule(where(weather="rain"))], SPECS)
    assert (violation.indeterminate, violation.why) == (True, "could not be decided: there is no fact 'weather'")
    assert (
        violation.rule,
        violation.severity,
        violation.controls,
        violation.finding,
    ) == ("r", "high", ("SOC2:CC8.1",), "F-1")


def test_one_call_that_breaks_a_rule_outweighs_another_that_cannot_be_decided() -> None:
    hidden = Touch("aws_db_instance", ("db",), "update", {"publicly_accessible": Unknown("not shown")})
    open_ = Touch("aws_db_instance", ("db",), "update", {"publicly_accessible": True})
    db = replace(QUEUE, type="aws_db_instance", id="db")
    parts = [JudgedChange(change(f"e{n}", touch=touch), NO_TICKET) for n, touch in enumerate((hidden, open_))]
    exposed = rule(where(public="yes"))
    both = replace(finding(*parts, drifts=()), key=db)
    alone = replace(finding(parts[0], drifts=()), key=db)
    assert [violation.indeterminate for violation in judge([both], [exposed], SPECS)] == [False]
    assert [violation.indeterminate for violation in judge([alone], [exposed], SPECS)] == [True]


def test_a_rule_that_holds_of_an_undecided_finding_holds() -> None:
    found = finding(verdict=Verdict("indeterminate"), unexplained="before the trail")
    violations = judge([found], RULES, SPECS)
    assert [(v.rule, v.indeterminate) for v in violations] == [("undetermined-change", False)]


QUIET = ("authorised", "authorised-emergency", "pending-documentation", "service-made", "unapplied", "pending",
         "excepted", "baselined")  # fmt: skip


@pytest.mark.parametrize("outcome", QUIET)
def test_findings_that_need_no_answer_break_no_enforced_rule(outcome: Outcome) -> None:
    verdict = Verdict(outcome, NO_TICKET.tests)
    opened = Drift(replace(QUEUE, type="aws_db_instance"), "changed", "publicly_accessible", False, True)
    found = finding(JudgedChange(change(), verdict), verdict=verdict, drifts=(opened,))
    told = {one.rule for one in judge([found], RULES, SPECS) if one.observed}
    assert (broken(found), told) == ([], {"authorised-not-codified"} if outcome.startswith("authorised") else set())


def test_every_finding_that_needs_an_answer_breaks_an_enforced_rule() -> None:
    loud = sorted(set(get_args(Outcome)) - set(QUIET))
    assert loud == ["indeterminate", "regularised", "unauthorised"]
    enforced = [one for one in RULES if one.stage == "enforce"]
    names = ("outcome", "kind", "failed_test", "pipeline", "actor_kind", "grant")
    usual = example_facts({}).facts
    for words in product(loud, *(FACTS[name].values for name in names[1:])):
        part = Seen({**usual, **{name: (word,) for name, word in zip(names, words, strict=True)}})
        assert any(decide(one, part).broken is True for one in enforced), words


def test_a_rule_that_is_only_observed_says_so() -> None:
    asked = replace(rule(where(outcome="unauthorised")), stage="observe")
    assert [one.observed for one in judge([BY_HAND], [asked, replace(asked, stage="enforce")], SPECS)] == [True, False]


# --- the trail -----------------------------------------------------------------------------------------------


def test_what_was_not_read_of_the_trail_is_a_finding() -> None:
    gap = Gap(Scope(account="111122223333", region="eu-west-1"), "LookupEvents: AccessDenied")
    found = trail_findings(Trail(AT, AT, gaps=(gap, gap)))
    assert len(found) == 1
    assert found[0].unexplained == "the trail was not read: LookupEvents: AccessDenied"
    assert (found[0].verdict.outcome, found[0].key.type) == ("indeterminate", "aws_cloudtrail")
    violations = judge(found, RULES, SPECS)
    assert [(v.rule, v.severity, v.indeterminate) for v in violations] == [("trail-gap", "critical", False)]


def test_a_gaps_finding_keeps_its_id_and_another_gap_has_another() -> None:
    one, two = Gap(Scope(account="1"), "denied"), Gap(Scope(account="2"), "denied")
    first = trail_findings(Trail(AT, AT, gaps=(one,)))
    later = trail_findings(Trail(AT, AT.replace(year=2027), gaps=(two, one)))
    assert first[0].id == later[1].id != later[0].id
    assert trail_findings(Trail(AT, AT)) == ()


@pytest.mark.parametrize(
    ("cause", "rule", "severity"),
    [
        ("tampered", "trail-tampered", "critical"),
        ("stopped", "trail-stopped", "critical"),
        ("narrowed", "trail-narrowed", "high"),
        ("undelivered", "trail-gap", "critical"),
        ("skewed", "trail-gap", "critical"),
        ("unreadable", "trail-gap", "critical"),
        ("", "trail-gap", "critical"),
    ],
)
def test_each_cause_breaks_one_rule_and_none_changes_the_id(cause: Any, rule: str, severity: str) -> None:
    scope = Scope(account="111122223333", type="cloudtrail")
    (found,) = trail_findings(Trail(AT, AT, gaps=(Gap(scope, "why", cause=cause),)))
    assert [(one.rule, one.severity) for one in judge([found], RULES, SPECS)] == [(rule, severity)]
    assert found.id == trail_findings(Trail(AT, AT, gaps=(Gap(scope, "why"),)))[0].id
    assert only(found)["kind"] == ("gap",)


def attempt(actor: Actor, *bursts: Burst, account: str = "111122223333") -> Attempt:
    count = sum(burst.count for burst in bursts)
    shown = ("AccessDenied",), ("s3:ListBuckets",), ("203.0.113.9",)
    return Attempt(actor, account, count, AT, AT, count, *shown, bursts=bursts)


DANA = Actor("dana", "person", "arn:aws:iam::111122223333:user/dana")
BURST = Burst("2026-01-02", 40, 25, AT, AT, 3)


@pytest.mark.parametrize(
    ("actor", "burst", "broken"),
    [
        (DANA, BURST, [("denied-burst", "medium")]),
        (DANA, replace(BURST, count=99, services=9), [("denied-burst", "medium")]),
        (DANA, replace(BURST, count=100), [("denied-burst-wide", "high")]),
        (DANA, replace(BURST, services=10), [("denied-burst-wide", "high")]),
        (replace(DANA, kind="root"), BURST, [("denied-burst-wide", "high")]),
    ],
)
def test_a_burst_of_refused_calls_breaks_one_rule(actor: Actor, burst: Burst, broken: list[tuple[str, str]]) -> None:
    (found,) = trail_findings(Trail(AT, AT, attempts=(attempt(actor, burst),)))
    assert [(one.rule, one.severity) for one in judge([found], RULES, SPECS)] == broken
    assert only(found)["kind"] == ("refused",)
    assert found.key == Key("111122223333", "global", "aws_cloudtrail", DANA.arn)
    assert "they changed nothing" in found.unexplained
    assert found.notes == ("refused: s3:ListBuckets", "from: 203.0.113.9", "as: AccessDenied")


def test_a_burst_is_one_finding_a_day_whatever_else_the_scan_sees_of_it() -> None:
    next_day = replace(BURST, day="2026-01-03")
    both = trail_findings(Trail(AT, AT, attempts=(attempt(DANA, BURST, next_day),)))
    (later,) = trail_findings(Trail(AT, AT, attempts=(attempt(DANA, replace(next_day, count=31, densest=21)),)))
    elsewhere = trail_findings(Trail(AT, AT, attempts=(attempt(DANA, BURST, account="2"),)))
    assert [one.id for one in both][1] == later.id
    assert len({one.id for one in (*both, later, *elsewhere)}) == 3
    assert trail_findings(Trail(AT, AT, attempts=(attempt(DANA),))) == ()


def test_bursts_under_a_thousand_names_are_not_a_thousand_findings() -> None:
    many = [attempt(replace(DANA, arn=f"{DANA.arn}{n}"), BURST) for n in range(1000)]
    found = trail_findings(Trail(AT, AT, attempts=(*many, attempt(DANA, BURST, account="2"))))
    assert len(found) == 52
    assert found[-1].unexplained.startswith("950 more bursts")
    assert [one.rule for one in judge(found[-1:], RULES, SPECS)] == ["denied-burst-wide"]


def test_candidates_alone_decide_nothing() -> None:
    doubtful = finding(candidates=(Candidate(change(), 0.3, "another value"),), verdict=Verdict("indeterminate"))
    assert only(doubtful)["actor"] == ("unseen",)
