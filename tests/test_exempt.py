"""What exceptions and the baseline do to findings, part by part, and what they never do."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.exempt import EXEMPTIBLE, Exempted, exempt, in_force
from agent.model import (
    OUTCOMES,
    Actor,
    Baselined,
    Candidate,
    Change,
    Drift,
    Finding,
    Hit,
    JudgedChange,
    Key,
    PolicyException,
    Test,
    Tolerated,
    Touch,
    Unknown,
    Verdict,
)
from agent.resources import load

SPECS = load()
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ADOPTED = NOW - timedelta(days=10)
LATER = NOW + timedelta(days=30)
QUEUE = Key("111122223333", "eu-west-1", "aws_sqs_queue", "orders")
GROUP = Key("111122223333", "eu-west-1", "aws_security_group", "sg-1")
RULE = Key("111122223333", "eu-west-1", "aws_security_group_rule", "sg-1|ingress|tcp|22|22|10.0.0.0/8")
ACTOR = Actor("dana", "person", confidence=1.0)
NO_TICKET = Verdict("unauthorised", (Test("ticket", "fail", "no reference"),), "manual")


def exception(id_: str = "EX-1", **fields: Any) -> PolicyException:
    base = PolicyException(id_, "a migration", "dana", "sam", LATER, approved="signed by sam", since=ADOPTED)
    return replace(base, **fields)


def change(
    *sets: str, key: Key = QUEUE, at: datetime = NOW, act: Any = "update", number: int = 1, targets: Sequence[Key] = ()
) -> Change:
    touch = Touch(key.type, (key.id,), act, dict.fromkeys(sets, 60))
    action = "sqs:SetQueueAttributes"
    return Change((f"e{number}",), at, action, ACTOR, "console", key.account, key.region, (touch,), (*targets, key))


def drift(attribute: str = "delay_seconds", live: Any = 60, key: Key = QUEUE, **fields: Any) -> Drift:
    return Drift(key, fields.pop("kind", "changed"), attribute, 0, live, **fields)


def finding(*drifts: Drift, changes: Sequence[Change] = (), verdict: Verdict = NO_TICKET, **fields: Any) -> Finding:
    base = Finding(
        "F-1",  # type of FindingId at run time
        drifts[0].key if drifts else QUEUE,
        address="aws_sqs_queue.orders",
        stack="shop",
        drifts=drifts,
        changes=tuple(JudgedChange(one, verdict) for one in changes),
        verdict=verdict,
    )
    return replace(base, **fields)


def digest(one: Drift) -> str:
    return f"{one.live!r} {one.part}"


def entry(one: Drift, id_: str = "BL-1", **fields: Any) -> Baselined:
    base = Baselined(id_, one.key, one.kind, one.attribute, digest(one), "dana", "sam", LATER, "signed by sam")
    return replace(base, source="baseline/shop.yaml:7", since=ADOPTED, **fields)


def exempted(
    *findings: Finding,
    exceptions: Sequence[PolicyException] = (),
    baseline: Sequence[Baselined] = (),
    now: datetime = NOW,
    critical: Callable[[Finding], bool] = lambda _: False,
    shared: Sequence[str] = (),
) -> Exempted:
    tolerated = Tolerated(tuple(exceptions), tuple(baseline))
    return exempt(findings, tolerated, now, lambda one: (digest(one),), critical, SPECS, shared)


# --- exceptions ----------------------------------------------------------------------------------------------


def test_a_covered_difference_and_the_call_that_made_it() -> None:
    story = finding(drift(), changes=[change("delay_seconds")])
    got = exempted(story, exceptions=[exception(addresses=("aws_sqs_queue.orders",), attributes=("delay_*",))])
    (one,) = got.findings
    assert (one.verdict.outcome, one.verdict.covered_by) == ("excepted", "EX-1")
    assert (one.changes[0].verdict.outcome, one.changes[0].verdict.covered_by) == ("excepted", "EX-1")
    assert one.changes[0].verdict.tests == NO_TICKET.tests
    assert one.drifts == story.drifts
    assert got.hits == (Hit("EX-1", "F-1", "delay_seconds"),)
    assert one.notes == (
        "exception EX-1 covers delay_seconds until 2026-04-01, owner dana, approved by sam: a migration",
    )


def test_the_rest_keeps_its_verdict_and_the_finding_takes_the_worst() -> None:
    changes = [change("delay_seconds", number=1), change("visibility_timeout_seconds", number=2)]
    story = finding(drift(), drift("visibility_timeout_seconds"), changes=changes)
    got = exempted(story, exceptions=[exception(keys=("orders",), attributes=("delay_seconds",))])
    (one,) = got.findings
    assert [item.verdict.outcome for item in one.changes] == ["excepted", "unauthorised"]
    assert one.verdict == NO_TICKET
    assert got.hits == (Hit("EX-1", "F-1", "delay_seconds"),)


def test_a_call_that_did_more_than_is_covered_is_not_covered() -> None:
    story = finding(drift(), changes=[change("delay_seconds", "policy")])
    (one,) = exempted(story, exceptions=[exception(keys=("orders",), attributes=("delay_seconds",))]).findings
    assert one.changes == story.changes
    assert one.verdict == NO_TICKET
    both = [exception(keys=("orders",), attributes=("delay_seconds",)), exception("EX-2", types=("aws_sqs_queue",))]
    (one,) = exempted(story, exceptions=both).findings
    assert one.verdict.outcome == "excepted"
    assert one.changes[0].verdict.covered_by == "EX-1"


def test_what_was_set_and_put_back_needs_an_exception_of_its_own() -> None:
    story = finding(changes=[change("policy")])
    for_delay = exception(keys=("orders",), attributes=("delay_seconds",))
    assert exempted(story, exceptions=[for_delay]).findings == (story,)
    for_policy = exception(keys=("orders",), attributes=("policy",))
    got = exempted(story, exceptions=[for_policy])
    assert got.findings[0].verdict.outcome == "excepted"
    assert got.hits == (Hit("EX-1", "F-1", "policy"),)


def test_coming_and_going_needs_an_exception_for_the_whole_resource() -> None:
    story = finding(drift("", None, kind="missing"), changes=[change(act="delete")])
    assert exempted(story, exceptions=[exception(keys=("orders",), attributes=("*",))]).findings == (story,)
    assert exempted(story, exceptions=[exception(keys=("orders",))]).findings[0].verdict.outcome == "excepted"


def test_a_call_whose_record_does_not_say_what_it_set() -> None:
    vague = change()
    story = finding(drift(), changes=[vague])
    attribute = exception(keys=("orders",), attributes=("delay_seconds",))
    assert exempted(story, exceptions=[attribute]).findings[0].verdict.outcome == "excepted"
    more = finding(drift(), drift("policy"), changes=[vague])
    assert exempted(more, exceptions=[attribute]).findings[0].changes[0].verdict == NO_TICKET
    nothing = finding(changes=[vague])
    assert exempted(nothing, exceptions=[attribute]).findings == (nothing,)
    elsewhere = finding(changes=[replace(vague, touches=())])
    assert exempted(elsewhere, exceptions=[attribute]).findings == (elsewhere,)
    assert exempted(elsewhere, exceptions=[exception(keys=("orders",))]).findings[0].verdict.outcome == "excepted"


def test_a_part_that_was_added_by_hand() -> None:
    added = drift("ingress", {"port": 22}, key=GROUP, part=RULE)
    opened = change(key=RULE, act="create", targets=[GROUP])
    story = finding(added, changes=[opened], address="aws_security_group.web")
    by_group = exception(addresses=("shop/aws_security_group.web",), attributes=("ingress",))
    assert exempted(story, exceptions=[by_group]).findings[0].verdict.outcome == "excepted"
    by_part = exception(keys=(str(RULE),))
    got = exempted(story, exceptions=[by_part])
    assert got.findings[0].verdict.outcome == "excepted"
    other = replace(RULE, id="sg-1|ingress|tcp|23|23|0.0.0.0/0")
    another = finding(replace(added, part=other), changes=[change(key=other, act="create")])
    assert exempted(another, exceptions=[by_part]).findings == (another,)


def test_a_part_without_drift_is_known_by_its_type() -> None:
    gone = change(key=RULE, act="delete")
    story = finding(changes=[gone], key=GROUP)
    assert exempted(story, exceptions=[exception(keys=("sg-1",), attributes=("ingress",))]).findings == (story,)
    assert exempted(story, exceptions=[exception(keys=("sg-1",))]).findings[0].verdict.outcome == "excepted"
    bucket = Key("111122223333", "global", "aws_s3_bucket", "logs")
    part = Key("111122223333", "global", "aws_s3_bucket_versioning", "logs")
    its = finding(changes=[change("versioning_configuration", key=part)], key=bucket)
    assert isinstance(SPECS[part.type].parent.attribute, str)
    of_part = exception(keys=("logs",), attributes=(SPECS[part.type].parent.attribute,))
    assert exempted(its, exceptions=[of_part]).findings[0].verdict.outcome == "excepted"


def test_tags_are_tags_whichever_name_they_have() -> None:
    story = finding(drift("tags_all", {"Team": "x"}), changes=[change("tags")])
    for name in ("tags", "tags_all"):
        got = exempted(story, exceptions=[exception(keys=("orders",), attributes=(name,))])
        assert got.findings[0].verdict.outcome == "excepted"


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        ({"addresses": ("aws_sqs_queue.orders",)}, True),
        ({"addresses": ("shop/aws_sqs_queue.orders",)}, True),
        ({"addresses": ("shop/*",)}, True),
        ({"addresses": ("*.orders",)}, True),
        ({"addresses": ("bank/aws_sqs_queue.orders",)}, False),
        ({"addresses": ("aws_sqs_queue.order",)}, False),
        ({"keys": ("orders",)}, True),
        ({"keys": ("order",)}, False),
        ({"keys": ("ord*",)}, True),
        ({"keys": ("111122223333/eu-west-1/aws_sqs_queue/orders",)}, True),
        ({"keys": ("111122223333/eu-west-1/",)}, True),
        ({"keys": ("111122223333/eu-west-",)}, False),
        ({"types": ("aws_sqs_*",)}, True),
        ({"types": ("aws_sns_*",)}, False),
        ({"accounts": ("111122223333",)}, True),
        ({"accounts": ("999999999999",)}, False),
        ({"addresses": ("aws_sqs_queue.orders",), "types": ("aws_sns_topic",)}, False),
        ({"addresses": ("aws_sqs_queue.orders",), "accounts": ("999999999999",)}, False),
        ({"keys": ("other",), "addresses": ("aws_sqs_queue.orders",)}, True),
        ({}, False),
        ({"attributes": ("*",)}, False),
    ],
)
def test_scopes(scope: dict[str, Any], covers: bool) -> None:
    got = exempted(finding(drift()), exceptions=[exception(**scope)])
    assert (got.findings[0].verdict.outcome == "excepted") is covers


def test_an_address_with_an_index_is_no_pattern() -> None:
    story = finding(drift(), address='aws_sqs_queue.each["a"]')
    ours = exception(addresses=('aws_sqs_queue.each["a"]',))
    assert exempted(story, exceptions=[ours]).findings[0].verdict.outcome == "excepted"
    wide = exception(addresses=("aws_sqs_queue.each[*]",))
    assert exempted(story, exceptions=[wide]).findings[0].verdict.outcome == "excepted"
    letter = exception(addresses=("aws_sqs_queue.each[abc]*",))
    assert exempted(finding(drift(), address="aws_sqs_queue.eacha"), exceptions=[letter]).hits == ()


def test_an_address_that_two_stacks_share_needs_its_stack() -> None:
    story = finding(drift())
    shared = ["aws_sqs_queue.orders"]
    alone = exception(addresses=("aws_sqs_queue.orders",))
    assert exempted(story, exceptions=[alone], shared=shared).findings == (story,)
    with_stack = exception(addresses=("shop/aws_sqs_queue.orders",))
    assert exempted(story, exceptions=[with_stack], shared=shared).findings[0].verdict.outcome == "excepted"


@pytest.mark.parametrize(
    "fields",
    [
        {"approved": ""},
        {"until": NOW - timedelta(seconds=1)},
        {"since": NOW + timedelta(seconds=1)},
    ],
)
def test_what_is_not_in_force_covers_nothing(fields: dict[str, Any]) -> None:
    story = finding(drift(), changes=[change("delay_seconds")])
    one = exception(keys=("orders",), **fields)
    assert not in_force(one, NOW)
    assert exempted(story, exceptions=[one]) == Exempted((story,))
    held = entry(drift(), **{k: v for k, v in fields.items() if k != "since"} or {"approved": ""})
    assert exempted(story, baseline=[held]) == Exempted((story,))


# --- verdicts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [one for one in OUTCOMES if one not in EXEMPTIBLE])
def test_other_outcomes_stay(outcome: Any) -> None:
    story = finding(drift(), changes=[change("delay_seconds")], verdict=Verdict(outcome))
    got = exempted(story, exceptions=[exception(keys=("orders",))], baseline=[entry(drift())])
    assert got == Exempted((story,))


def test_an_authorised_call_stays_authorised_beside_a_tolerated_difference() -> None:
    story = finding(drift(), changes=[change("delay_seconds")])
    fine = JudgedChange(change("policy", number=2), Verdict("authorised", path="pipeline"))
    story = replace(story, changes=(*story.changes, fine))
    (one,) = exempted(story, exceptions=[exception(keys=("orders",))]).findings
    assert [item.verdict.outcome for item in one.changes] == ["excepted", "authorised"]
    assert one.verdict.outcome == "excepted"


def test_a_late_approval_shows_once_the_rest_is_covered() -> None:
    story = finding(drift(), changes=[change("delay_seconds")])
    late = JudgedChange(change("policy", number=2), Verdict("regularised", late=True))
    story = replace(story, changes=(*story.changes, late))
    got = exempted(story, exceptions=[exception(keys=("orders",), attributes=("delay_seconds",))])
    assert got.findings[0].verdict == Verdict("regularised", late=True)


def test_a_difference_nobody_explains() -> None:
    unseen = Verdict("indeterminate", (Test("actor", "unknown", "before the trail's window"),))
    why = "before the trail's window"
    whole = finding(drift(), verdict=unseen, unexplained=why)
    (one,) = exempted(whole, exceptions=[exception(keys=("orders",))]).findings
    assert (one.verdict.outcome, one.verdict.tests) == ("excepted", unseen.tests)
    half = finding(drift(), drift("policy"), verdict=unseen, unexplained=why)
    (one,) = exempted(half, exceptions=[exception(keys=("orders",), attributes=("policy",))]).findings
    assert one.verdict == unseen
    waiting = replace(half, verdict=Verdict("pending"))
    (one,) = exempted(waiting, exceptions=[exception(keys=("orders",), attributes=("policy",))]).findings
    assert one.verdict.outcome == "pending"
    mixed = replace(half, changes=(JudgedChange(change("policy"), NO_TICKET),), verdict=NO_TICKET)
    (one,) = exempted(mixed, exceptions=[exception(keys=("orders",), attributes=("policy",))]).findings
    assert one.verdict == unseen


def test_what_is_left_may_be_explained_though_what_is_covered_is_not() -> None:
    why = "before the trail's window"
    known = replace(change("policy"), touches=(Touch(QUEUE.type, (QUEUE.id,), "update", {"policy": "x"}),))
    ticketed = JudgedChange(known, Verdict("authorised", ticket="CHG-1"))
    story = finding(
        drift(),
        drift("policy", "x"),
        verdict=Verdict("indeterminate"),
        unexplained=why,
        changes=[],
    )
    story = replace(story, changes=(ticketed,), candidates=(Candidate(known, 0.95, "set it"),))
    (one,) = exempted(story, baseline=[entry(drift())]).findings
    assert one.verdict.outcome == "baselined"
    (other,) = exempted(replace(story, candidates=()), baseline=[entry(drift())]).findings
    assert other.verdict == Verdict("indeterminate")


def test_what_is_merged_and_not_applied_is_no_difference_to_tolerate() -> None:
    merged = drift("policy", kind="unapplied")
    story = finding(drift(), merged, changes=[change("delay_seconds")])
    got = exempted(story, exceptions=[exception(keys=("orders",))])
    assert got.findings[0].verdict.outcome == "excepted"
    assert got.hits == (Hit("EX-1", "F-1", "delay_seconds"),)
    only = finding(merged, verdict=NO_TICKET)
    assert exempted(only, exceptions=[exception(keys=("orders",))]).findings == (only,)


def test_what_is_in_no_configured_stack_need_not_be_tolerated() -> None:
    unlisted = drift("", {}, kind="unmanaged", note="unlisted")
    story = finding(unlisted, changes=[change("policy")], address="")
    got = exempted(story, exceptions=[exception(keys=("orders",), attributes=("policy",))])
    assert got.findings[0].verdict.outcome == "excepted"


@pytest.mark.parametrize("about", [{"trail": "stopped"}, {"cause": "state-edited"}])
def test_findings_about_the_trail_and_states_are_never_exempted(about: dict[str, Any]) -> None:
    story = finding(drift(), changes=[change("delay_seconds")], **about)
    got = exempted(story, exceptions=[exception(accounts=(QUEUE.account,))], baseline=[entry(drift())])
    assert got == Exempted((story,))


# --- baseline ------------------------------------------------------------------------------------------------


def test_the_same_value_is_baselined_with_the_calls_before_it_was_adopted() -> None:
    before = change("delay_seconds", at=ADOPTED - timedelta(days=1))
    story = finding(drift(), changes=[before])
    got = exempted(story, baseline=[entry(drift())])
    (one,) = got.findings
    assert (one.verdict.outcome, one.verdict.covered_by) == ("baselined", "BL-1")
    assert one.changes[0].verdict.outcome == "baselined"
    assert got.hits == (Hit("BL-1", "F-1", "delay_seconds"),)
    assert one.notes == ("baseline entry BL-1 covers delay_seconds",)


@pytest.mark.parametrize(
    "now",
    [
        drift(live=61),
        drift("policy"),
        drift("", None, kind="missing"),
        drift(key=replace(QUEUE, account="999999999999")),
        drift(part=RULE),
    ],
)
def test_anything_else_is_new(now: Drift) -> None:
    story = finding(now, changes=[change("delay_seconds", at=ADOPTED - timedelta(days=1))])
    assert exempted(story, baseline=[entry(drift())]) == Exempted((story,))


def test_a_call_after_the_adoption_is_not_part_of_it() -> None:
    again = change("delay_seconds", at=ADOPTED + timedelta(days=1))
    story = finding(drift(), changes=[again])
    (one,) = exempted(story, baseline=[entry(drift())]).findings
    assert one.verdict == NO_TICKET
    assert one.changes == story.changes


def test_one_new_edit_of_an_adopted_resource_stands_out() -> None:
    old = change("delay_seconds", at=ADOPTED - timedelta(days=1), number=1)
    new = change("policy", at=NOW, number=2)
    story = finding(drift(), drift("policy"), changes=[old, new])
    got = exempted(story, baseline=[entry(drift())])
    (one,) = got.findings
    assert [item.verdict.outcome for item in one.changes] == ["baselined", "unauthorised"]
    assert one.verdict == NO_TICKET
    earlier = finding(drift(), drift("policy"), changes=[change("policy", at=ADOPTED - timedelta(days=1))])
    assert exempted(earlier, baseline=[entry(drift())]).findings[0].verdict == NO_TICKET


def test_an_exception_comes_before_the_baseline() -> None:
    story = finding(drift(), drift("policy"), changes=[change("policy", at=ADOPTED - timedelta(days=1))])
    only = exception(keys=("orders",), attributes=("delay_seconds",))
    got = exempted(story, exceptions=[only], baseline=[entry(drift()), entry(drift("policy"), "BL-2")])
    assert got.findings[0].verdict.outcome == "excepted"
    assert {hit.id for hit in got.hits} == {"EX-1", "BL-2"}


def test_what_is_critical_is_not_baselined_and_said() -> None:
    story = finding(drift(), changes=[change("delay_seconds", at=ADOPTED - timedelta(days=1))])
    got = exempted(story, baseline=[entry(drift())], critical=lambda _: True)
    assert got.findings == (story,)
    assert got.problems == (
        "baseline/shop.yaml:7: aws_sqs_queue.orders is critical and cannot be baselined; "
        "it is reported as if it were not there",
    )
    # An exception, which names its reason, may.
    both = exempted(story, exceptions=[exception(keys=("orders",))], baseline=[entry(drift())], critical=lambda _: True)
    assert both.findings[0].verdict.outcome == "excepted"


# --- whatever comes ------------------------------------------------------------------------------------------

ATTRIBUTES = ("delay_seconds", "policy", "tags_all", "visibility_timeout_seconds")
KEYS = (QUEUE, replace(QUEUE, id="orders-eu"), replace(QUEUE, account="999999999999"), GROUP)
times = st.integers(-20, 20).map(lambda days: NOW + timedelta(days=days))


@st.composite
def stories(draw: st.DrawFn, number: int = 0) -> Finding:
    key = KEYS[number]
    attributes = draw(st.lists(st.sampled_from(ATTRIBUTES), unique=True, max_size=3))
    drifts = tuple(drift(name, draw(st.integers(0, 2)), key=key) for name in attributes)
    if draw(st.booleans()) and not drifts:
        drifts = (drift("", None, key=key, kind="missing"),)
    calls = []
    for order in range(draw(st.integers(0, 3))):
        sets = draw(st.lists(st.sampled_from(ATTRIBUTES), unique=True, max_size=2))
        act = draw(st.sampled_from(["update", "update", "create", "delete"]))
        outcome = draw(st.sampled_from(OUTCOMES))
        calls.append(JudgedChange(change(*sets, key=key, at=draw(times), act=act, number=order), Verdict(outcome)))
    verdicts = [item.verdict for item in calls]
    unexplained = "nobody knows" if drifts and draw(st.booleans()) else ""
    if unexplained:
        verdicts.append(Verdict(draw(st.sampled_from(["pending", "indeterminate"]))))
    worst = min(verdicts, key=lambda one: OUTCOMES.index(one.outcome), default=Verdict("indeterminate"))
    return Finding(
        f"F-{number}",
        key,
        address=f"aws_sqs_queue.q{number}",
        stack="shop",
        drifts=drifts,
        changes=tuple(calls),
        verdict=worst,
        unexplained=unexplained,
    )


estates = st.tuples(*(stories(number) for number in range(len(KEYS)))).map(list)


@st.composite
def permissions(draw: st.DrawFn) -> PolicyException:
    number = draw(st.integers(0, len(KEYS) - 1))
    names = {"addresses": (f"shop/aws_sqs_queue.q{number}",)} if draw(st.booleans()) else {"keys": (str(KEYS[number]),)}
    attributes = draw(st.lists(st.sampled_from((*ATTRIBUTES, "*")), max_size=2))
    return exception(
        f"EX-{number}",
        **names,
        attributes=tuple(attributes),
        until=draw(times),
        since=draw(times),
        approved=draw(st.sampled_from(["signed", "signed", ""])),
    )


baselines = st.builds(
    lambda number, name, live, until: entry(
        drift(name, live, key=KEYS[number]), f"BL-{number}{name}{live}", until=until
    ),
    st.integers(0, len(KEYS) - 1),
    st.sampled_from(ATTRIBUTES),
    st.integers(0, 2),
    times,
)


@settings(max_examples=40, deadline=None)
@given(estates, st.lists(permissions(), max_size=4), st.lists(baselines, max_size=6))
def test_only_what_is_named_is_touched_and_nothing_is_authorised(
    findings: list[Finding], exceptions: list[PolicyException], baseline: list[Baselined]
) -> None:
    got = exempted(*findings, exceptions=exceptions, baseline=baseline)
    in_play = [one for one in (*exceptions, *baseline) if in_force(one, NOW)]
    for before, after in zip(findings, got.findings, strict=True):
        number = KEYS.index(before.key)
        mine = {one.id for one in in_play if one.id.startswith((f"EX-{number}", f"BL-{number}"))}
        if not mine:
            assert after == before
        assert {hit.id for hit in got.hits if hit.finding == before.id} <= mine
        assert after.drifts == before.drifts
        assert [item.change for item in after.changes] == [item.change for item in before.changes]
        for old, new in zip(before.changes, after.changes, strict=True):
            if new.verdict != old.verdict:
                assert old.verdict.outcome in EXEMPTIBLE
                assert new.verdict.outcome in ("excepted", "baselined")
                assert new.verdict.covered_by in mine
        if after != before:
            assert before.verdict.outcome in EXEMPTIBLE
            assert OUTCOMES.index(after.verdict.outcome) >= OUTCOMES.index(before.verdict.outcome)
            worst = min((OUTCOMES.index(item.verdict.outcome) for item in after.changes), default=len(OUTCOMES))
            assert OUTCOMES.index(after.verdict.outcome) <= worst


@settings(max_examples=40, deadline=None)
@given(estates, st.lists(permissions(), max_size=4), st.lists(baselines, max_size=6), st.randoms())
def test_the_order_of_permissions_decides_no_outcome(
    findings: list[Finding], exceptions: list[PolicyException], baseline: list[Baselined], random: Any
) -> None:
    one = exempted(*findings, exceptions=exceptions, baseline=baseline)
    random.shuffle(exceptions)
    random.shuffle(baseline)
    other = exempted(*findings, exceptions=exceptions, baseline=baseline)
    assert [f.verdict.outcome for f in one.findings] == [f.verdict.outcome for f in other.findings]
    assert [[i.verdict.outcome for i in f.changes] for f in one.findings] == [
        [i.verdict.outcome for i in f.changes] for f in other.findings
    ]


@settings(max_examples=40, deadline=None)
@given(estates, st.lists(permissions(), max_size=3), st.lists(baselines, max_size=6))
def test_after_the_last_end_everything_is_as_if_nothing_had_been_tolerated(
    findings: list[Finding], exceptions: list[PolicyException], baseline: list[Baselined]
) -> None:
    later = max((one.until for one in (*exceptions, *baseline)), default=NOW) + timedelta(seconds=1)
    assert exempted(*findings, exceptions=exceptions, baseline=baseline, now=later) == Exempted(tuple(findings))


@settings(max_examples=40, deadline=None)
@given(estates, st.lists(baselines, max_size=6))
def test_another_value_is_never_baselined(findings: list[Finding], baseline: list[Baselined]) -> None:
    moved = [
        replace(
            story,
            drifts=tuple(
                replace(one, live=Unknown("x") if one.live is None else one.live + 100) for one in story.drifts
            ),
        )
        for story in findings
    ]
    assert exempted(*moved, baseline=baseline).findings == tuple(moved)
