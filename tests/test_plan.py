"""Which cases a plan opens, grows, closes and holds back; the estate's history is made up of plain values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.compare import Hidden
from agent.model import (
    Action,
    Actor,
    Case,
    CaseKey,
    Change,
    Close,
    Drift,
    Finding,
    FindingId,
    Gap,
    Held,
    JudgedChange,
    Key,
    Open,
    Outcome,
    Scope,
    Severity,
    Update,
    Verdict,
    Violation,
)
from agent.model import (
    Test as NamedTest,
)
from agent.plan import FLOOD_COUNT, FLOOD_SHARE, UNDECIDED_AFTER, Known, plan, story, worst

ACCOUNT, OTHER = "111122223333", "444455556666"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ALL_READ = Hidden(())


def change(event: str, session: str = "ASIAONE", *, who: str = "dana", at: datetime = NOON, **fields: object) -> Change:
    """A call by a person, in the session of an access key."""
    given = {
        "action": "sqs:SetQueueAttributes",
        "actor": Actor(who, "person", arn=f"arn:aws:iam::{ACCOUNT}:user/{who}"),
        "channel": "console",
        "account": ACCOUNT,
        "region": "eu-west-1",
        "source_ip": "198.51.100.7",
    } | fields
    return Change((event,), at, session=session, **given)


def finding(
    name: str,
    *changes: Change,
    outcome: Outcome = "unauthorised",
    type_: str = "aws_sqs_queue",
    account: str = ACCOUNT,
    **fields: object,
) -> Finding:
    """The story of one queue; its changes share its outcome."""
    key = Key(account, "eu-west-1", type_, name)
    judged = tuple(JudgedChange(one, Verdict(outcome)) for one in changes)
    given = {"address": f"{type_}.{name}", "drifts": (Drift(key, "changed", "delay_seconds", 0, 60),)} | fields
    return Finding(FindingId(f"F-{account}-{type_}-{name}"), key, changes=judged, verdict=Verdict(outcome), **given)


def broken(findings: Iterable[Finding], severity: Severity = "medium") -> list[Violation]:
    """One violation for each finding."""
    return [Violation("unticketed-change", severity, ("SOC2:CC8.1",), one.id) for one in findings]


def planned(
    *findings: Finding,
    known: Known | None = None,
    severity: Severity = "medium",
    violations: Sequence[Violation] | None = None,
    unread: Hidden = ALL_READ,
    resources: Mapping[str, int] | None = None,
    now: datetime = NOON,
) -> tuple[Action, ...]:
    """The plan for findings each of which breaks a rule."""
    found = broken(findings, severity) if violations is None else violations
    return plan(found, findings, known or Known(), unread, {ACCOUNT: 1000} if resources is None else resources, now)


def knowing(*cases: Case, of: Sequence[Finding] = (), since: datetime = NOON) -> Known:
    """A store that knows these cases and has seen these findings."""
    return Known(cases, {one.id: since for one in of}, {one.id: one.key for one in of})


def opened(actions: Iterable[Action]) -> list[Case]:
    """The cases a plan opens; it does nothing else."""
    cases = []
    for action in actions:
        assert isinstance(action, Open)
        cases.append(action.case)
    return cases


def only(actions: Iterable[Action]) -> Action:
    (action,) = actions
    return action


# --- what is one case ----------------------------------------------------------------------------------------


def test_one_session_is_one_case() -> None:
    calls = [finding(f"q{n}", change(f"e{n}", at=NOON + timedelta(minutes=n))) for n in range(20)]
    (case,) = opened(planned(*calls))
    assert case.findings == tuple(one.id for one in calls)
    assert case.events == tuple(f"e{n}" for n in range(20))
    assert case.title == "aws_sqs_queue.q0 and 19 more: changed by dana (console) without authority"
    assert (case.severity, case.rules, case.controls) == ("medium", ("unticketed-change",), ("SOC2:CC8.1",))
    assert (case.opened_at, case.state, case.ticket) == (NOON, "open", "")


def test_a_session_is_an_access_key_and_of_long_lived_keys_the_day() -> None:
    tomorrow = NOON + timedelta(days=1)
    cases = opened(
        planned(
            finding("a", change("e1", "ASIAONE")),
            finding("b", change("e2", "ASIATWO")),
            finding("c", change("e3", "AKIADANA")),
            finding("d", change("e4", "AKIADANA", at=NOON + timedelta(hours=1))),
            finding("e", change("e5", "AKIADANA", at=tomorrow)),
            finding("f", change("e6", "", who="marco")),
        )
    )
    assert [case.events for case in cases] == [("e1",), ("e2",), ("e3", "e4"), ("e5",), ("e6",)]


def test_an_actor_without_arn_is_told_apart_by_name() -> None:
    cases = opened(
        planned(
            finding("a", change("e1", "", actor=Actor("one", "unknown"))),
            finding("b", change("e2", "", actor=Actor("two", "unknown"))),
        )
    )
    assert [case.events for case in cases] == [("e1",), ("e2",)]


def test_drift_without_a_change_is_a_case_for_each_resource() -> None:
    unseen = [finding(name, outcome="unauthorised", unexplained="actor unknown") for name in ("a", "b")]
    cases = opened(planned(*unseen))
    assert [case.findings for case in cases] == [(one.id,) for one in unseen]
    assert [case.events for case in cases] == [(), ()]
    assert cases[0].title == "aws_sqs_queue.a: drift, actor unknown"
    assert cases[0].key != cases[1].key


def test_a_call_on_two_resources_is_in_one_case_though_sessions_differ() -> None:
    """Dana tagged both, marco then changed one of them: dana's call cannot be answered for in two places."""
    tagged = change("e1", "ASIADANA")
    later = change("e2", "ASIAMARCO", who="marco", at=NOON + timedelta(minutes=5))
    (case,) = opened(planned(finding("a", tagged, later), finding("b", tagged)))
    assert case.events == ("e1", "e2")


def test_what_only_a_third_one_connects_is_one_case() -> None:
    one, two = change("e1", "ASIAONE"), change("e2", "ASIATWO")
    bridge = finding("c", one, two)
    (case,) = opened(planned(finding("a", one), finding("b", two), bridge))
    assert case.findings == tuple(f"F-{ACCOUNT}-aws_sqs_queue-{name}" for name in "abc")


def test_what_joined_through_another_still_draws_its_own_in() -> None:
    one, two, three = change("e1", "ASIAONE"), change("e2", "ASIATWO"), change("e3", "ASIATHREE")
    bridge = finding("c", one, two)
    late = finding("d", three, change("e4", "ASIAFOUR", at=NOON + timedelta(hours=1)))
    (case,) = opened(planned(finding("a", one), finding("b", three, two), bridge, late))
    assert case.events == ("e1", "e2", "e3", "e4")


def test_the_key_of_a_case_does_not_depend_on_what_comes_to_light_later() -> None:
    first = finding("m", change("e5"))
    more = finding("a", change("e9", at=NOON + timedelta(hours=1)))
    (before,) = opened(planned(first))
    (after,) = opened(planned(more, first))
    assert before.key == after.key


def test_only_what_must_be_answered_counts() -> None:
    allowed = JudgedChange(change("e0", "ASIAPIPE"), Verdict("authorised"))
    mixed = finding("a", change("e1"))
    (case,) = opened(planned(replace(mixed, changes=(*mixed.changes, allowed))))
    assert case.events == ("e1",)


def test_a_finding_that_breaks_no_rule_is_no_case() -> None:
    assert planned(finding("a", change("e1")), violations=[]) == ()


# --- over time -----------------------------------------------------------------------------------------------


def test_what_is_filed_is_not_filed_again() -> None:
    one = finding("a", change("e1"))
    (case,) = opened(planned(one))
    assert planned(one, known=knowing(case, of=[one])) == ()


def test_a_closed_case_has_answered_for_its_changes_for_ever() -> None:
    one = finding("a", change("e1"))
    (case,) = opened(planned(one))
    closed = replace(case, state="closed")
    assert planned(one, known=knowing(closed, of=[one])) == ()
    # The same call seen on another resource is answered for as well.
    assert planned(one, finding("b", change("e1")), known=knowing(closed, of=[one])) == ()


def test_a_new_change_after_the_case_closed_is_a_new_case_with_that_change_alone() -> None:
    one = finding("a", change("e1"))
    (case,) = opened(planned(one))
    again = finding("a", change("e1"), change("e2", "ASIATWO", at=NOON + timedelta(days=1)))
    (second,) = opened(planned(again, known=knowing(replace(case, state="closed"), of=[one])))
    assert second.events == ("e2",)
    assert second.key != case.key


def test_a_new_event_is_told_to_the_open_case() -> None:
    one = finding("a", change("e1"))
    quiet = finding("b", change("e3"))
    (case,) = opened(planned(one, quiet))
    filed = replace(case, ticket="DW-1")
    again = finding("a", change("e1"), change("e2", "ASIATWO", who="marco", at=NOON + timedelta(hours=1)))
    violations = [Violation("public-exposure-by-hand", "critical", ("PCI-DSS:1.2.5",), again.id), *broken([quiet])]
    update = only(planned(again, quiet, known=knowing(filed, of=[one, quiet]), violations=violations))
    assert isinstance(update, Update)
    assert (update.case.key, update.case.ticket) == (case.key, "DW-1")
    assert update.case.events == (*case.events, "e2")
    assert (update.case.severity, update.case.findings) == ("critical", case.findings)
    assert update.case.rules == ("public-exposure-by-hand", "unticketed-change")
    assert update.case.controls == ("PCI-DSS:1.2.5", "SOC2:CC8.1")
    assert "by marco" in update.note
    assert quiet.address not in update.note


def test_drift_that_makes_an_open_case_graver_is_told_though_no_call_explains_it() -> None:
    one = finding("a", change("e1"))
    (case,) = opened(planned(one))
    known = knowing(case, of=[one])
    update = only(planned(one, known=known, severity="critical"))
    assert update == Update(replace(case, severity="critical"), story(one))
    assert planned(one, known=known, severity="low") == ()


def test_a_second_copy_of_an_event_is_no_news() -> None:
    """The owner's account and the caller's both record a call; one record may arrive after the other."""
    one = finding("a", change("e1"))
    (case,) = opened(planned(one))
    both = finding("a", replace(change("e1"), event_ids=("e1", "e1-of-the-other-account")))
    for state in ("open", "closed"):
        assert planned(both, known=knowing(replace(case, state=state), of=[one])) == ()


def test_a_later_finding_of_the_same_session_joins_its_case() -> None:
    one = finding("a", change("e1"))
    (case,) = opened(planned(one))
    later = finding("b", change("e2", at=NOON + timedelta(hours=1)))
    update = only(planned(one, later, known=knowing(case, of=[one])))
    assert isinstance(update, Update)
    assert update.case == replace(case, findings=(one.id, later.id), events=("e1", "e2"), told=update.case.told)
    assert update.note == story(later)


def test_what_a_case_knows_is_not_told_again_and_again() -> None:
    """A resource that is changed every few minutes: its ticket gets the new call each time, and not all of them."""
    every = [change(f"e{number}", at=NOON + timedelta(minutes=number)) for number in range(100)]
    lengths = []
    case: Case | None = None
    for count in (1, 2, 21, 22, 99, 100):
        one = finding("a", *every[:count])
        if case is None:
            (case,) = opened(planned(one))
            continue
        update = only(planned(one, known=knowing(case, of=[one])))
        assert isinstance(update, Update)
        lengths.append(update.note.count("sqs:SetQueueAttributes"))
        assert f"{every[count - 1].time:%H:%M:%S}" in update.note
        assert ("other calls" in update.note) == (count > 21)
        case = update.case
    assert lengths == [2, 21, 1, 77, 1]
    assert "\n  99 other calls on it are in the report\n" in update.note


def test_a_finding_of_another_session_does_not_join() -> None:
    one = finding("a", change("e1"))
    (case,) = opened(planned(one))
    stranger = finding("b", change("e2", "ASIATWO"))
    (second,) = opened(planned(one, stranger, known=knowing(case, of=[one])))
    assert second.findings == (stranger.id,)


def test_two_open_cases_share_no_news() -> None:
    one, two = finding("a", change("e1", "ASIAONE")), finding("b", change("e2", "ASIATWO"))
    known = knowing(*opened(planned(one, two)), of=[one, two])
    shared = change("e3", "ASIATHREE", at=NOON + timedelta(hours=1))
    first = only(
        planned(
            finding("a", change("e1", "ASIAONE"), shared), finding("b", change("e2", "ASIATWO"), shared), known=known
        )
    )
    assert isinstance(first, Update)
    assert first.case.events == ("e1", "e3")


def test_a_case_with_a_change_behind_it_is_not_closed_by_putting_things_back() -> None:
    one = finding("a", change("e1"))
    known = knowing(*opened(planned(one)), of=[one])
    assert planned(known=known) == ()


def test_a_case_without_events_closes_when_all_its_findings_are_gone() -> None:
    unseen = finding("a", unexplained="actor unknown")
    case = only(opened(planned(unseen)))
    known = knowing(case, of=[unseen])
    assert planned(unseen, known=known) == ()
    assert planned(known=known) == (Close(case, "what was found is no longer so"),)


def test_a_case_waits_for_a_finding_whose_state_is_being_written() -> None:
    unseen = finding("a", unexplained="actor unknown")
    known = knowing(only(opened(planned(unseen))), of=[unseen])
    waiting = replace(unseen, verdict=Verdict("pending"))
    assert planned(waiting, known=known, violations=[]) == ()


def test_what_is_merged_meanwhile_does_not_change_which_case_it_is() -> None:
    unseen = finding("a", unexplained="actor unknown")
    waiting = Drift(unseen.key, "unapplied", "delay_seconds", 5, 0)
    both = replace(unseen, drifts=(waiting, *unseen.drifts))
    assert [case.key for case in opened(planned(both))] == [case.key for case in opened(planned(unseen))]


def test_nothing_inside_a_gap_is_gone() -> None:
    unseen = finding("a", unexplained="actor unknown")
    known = knowing(only(opened(planned(unseen))), of=[unseen])
    for scope in (
        Scope(type="aws_sqs_queue"),
        Scope(account=ACCOUNT),
        Scope(ACCOUNT, "eu-west-1", "aws_sqs_queue", "a"),
    ):
        assert planned(known=known, unread=Hidden([Gap(scope, "AccessDenied")])) == ()
    elsewhere = Hidden([Gap(Scope(account=OTHER), "AccessDenied")])
    assert [type(action) for action in planned(known=known, unread=elsewhere)] == [Close]


def test_a_finding_the_store_never_saw_does_not_count_as_gone() -> None:
    """A case whose finding is not among the open ones says nothing about the finding."""
    unseen = finding("a", unexplained="actor unknown")
    assert planned(known=knowing(only(opened(planned(unseen))))) == ()


def test_what_comes_back_after_its_case_closed_is_the_same_case_again() -> None:
    unseen = finding("a", unexplained="actor unknown")
    case = only(opened(planned(unseen)))
    again = only(opened(planned(unseen, known=knowing(replace(case, state="closed")))))
    assert again.key == case.key


# --- undecided -----------------------------------------------------------------------------------------------


def test_what_is_undecided_opens_a_case_after_a_day() -> None:
    doubtful = finding("a", change("e1"), outcome="indeterminate")
    assert planned(doubtful) == ()
    seen = knowing(of=[doubtful])
    just_before = NOON + UNDECIDED_AFTER - timedelta(seconds=1)
    assert planned(doubtful, known=seen, now=just_before) == ()
    assert len(opened(planned(doubtful, known=seen, now=NOON + UNDECIDED_AFTER))) == 1
    assert timedelta(hours=24) == UNDECIDED_AFTER


def test_what_is_critical_does_not_wait_for_a_decision() -> None:
    assert len(opened(planned(finding("a", change("e1"), outcome="indeterminate"), severity="critical"))) == 1


# --- floods --------------------------------------------------------------------------------------------------


def many(count: int, account: str = ACCOUNT, type_: str = "aws_sqs_queue") -> list[Finding]:
    """Findings of as many sessions."""
    return [
        finding(f"{account}-{n}", change(f"{type_}-{account}-{n}", f"ASIA{account}{n}"), account=account, type_=type_)
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "resources", "believed"),
    [(49, 49, True), (50, 166, False), (50, 167, True), (60, 200, True), (61, 200, False), (50, 0, False)],
)
def test_a_flood_is_fifty_and_more_than_thirty_per_cent(count: int, resources: int, believed: bool) -> None:
    assert (FLOOD_COUNT, FLOOD_SHARE) == (50, 0.3)
    actions = planned(*many(count), resources={ACCOUNT: resources})
    if believed:
        assert len(opened(actions)) == count
        return
    held = only(actions)
    assert isinstance(held, Held)
    assert {case.state for case in held.cases} == {"held"}
    assert len(held.cases) == count
    assert held.why == f"{count} of {resources} resources of account {ACCOUNT} newly in violation"


def test_a_flood_silences_nothing_critical() -> None:
    flood = many(50)
    identity = [
        finding(f"r{n}", change(f"i{n}", f"ASIAI{n}"), type_=type_)
        for n, type_ in enumerate(("aws_iam_role", "aws_cloudtrail", "aws_kms_key"))
    ]
    exposed = finding("open", change("x1", "ASIAX"))
    violations = [*broken([*flood, *identity]), *broken([exposed], "critical")]
    *filed, held = planned(*flood, *identity, exposed, violations=violations, resources={ACCOUNT: 60})
    assert [case.findings for case in opened(filed)] == [(one.id,) for one in (*identity, exposed)]
    assert isinstance(held, Held)
    assert len(held.cases) == 50


def test_a_flood_of_critical_findings_alone_is_filed() -> None:
    assert len(opened(planned(*many(60, type_="aws_iam_role"), resources={ACCOUNT: 60}))) == 60


def test_a_flood_holds_no_other_account() -> None:
    elsewhere = many(3, OTHER)
    *filed, held = planned(*many(50), *elsewhere, resources={ACCOUNT: 60, OTHER: 4})
    assert [case.findings for case in opened(filed)] == [(one.id,) for one in elsewhere]
    assert isinstance(held, Held)


def test_a_case_that_reaches_beyond_the_flooded_account_is_filed() -> None:
    flood = many(50)
    session = flood[0].changes[0].change.session
    beyond = finding("beyond", change("x1", session), account=OTHER)
    filed, held = planned(*flood, beyond, resources={ACCOUNT: 60, OTHER: 60})
    assert isinstance(filed, Open)
    assert filed.case.findings == (flood[0].id, beyond.id)
    assert isinstance(held, Held)
    assert len(held.cases) == 49


def test_drift_nobody_explains_that_makes_an_open_case_graver_is_told() -> None:
    one = finding("a", change("e1"))
    (case,) = opened(planned(one))
    known = knowing(case, of=[one])
    assert planned(one, known=known) == ()
    told = only(planned(one, known=known, severity="critical"))
    assert isinstance(told, Update)
    assert (told.case.severity, told.case.events) == ("critical", ("e1",))
    # Once told, it is not told again.
    assert planned(one, known=knowing(told.case, of=[one]), severity="critical") == ()


def test_what_is_open_already_makes_no_flood() -> None:
    old, new = many(40), many(55)[40:]
    known = knowing(*opened(planned(*old)), of=old)
    assert len(opened(planned(*old, *new, known=known, resources={ACCOUNT: 60}))) == 15


def held_cases(findings: Sequence[Finding]) -> tuple[Case, ...]:
    held = only(planned(*findings, resources={ACCOUNT: 60}))
    assert isinstance(held, Held)
    return held.cases


def test_a_held_case_stays_held_and_is_told_nothing() -> None:
    flood = many(50)
    known = knowing(*held_cases(flood), of=flood)
    more = finding(flood[0].key.id, *(item.change for item in flood[0].changes), change("late", at=NOON + timedelta(1)))
    assert planned(more, *flood[1:], known=known, resources={ACCOUNT: 60}) == ()


def going_on(of: Finding, *names: str, **fields: str) -> list[Finding]:
    """Findings that the session of another brought about an hour later."""
    session, at = of.changes[0].change.session, NOON + timedelta(hours=1)
    return [finding(name, change(f"late-{name}", session, at=at), **fields) for name in names]


def test_a_session_that_goes_on_while_its_case_is_held_has_one_case() -> None:
    flood = many(50)
    cases = held_cases(flood)
    known = knowing(*cases, of=flood)
    new = [*going_on(flood[0], "x", "y"), *going_on(flood[1], "z")]
    # What is no session's of them is a case of its own.
    other = finding("other", change("o1", "ASIAOTHER"))
    first, *held = planned(*flood, *new, other, known=known, resources={ACCOUNT: 60})
    assert [case.findings for case in opened([first])] == [(other.id,)]
    assert {type(one) for one in held} == {Held}
    grown = {case.findings[0]: case for one in held for case in one.cases}
    assert [(one.findings, one.events, one.state) for one in (grown[flood[0].id], grown[flood[1].id])] == [
        ((flood[0].id, new[0].id, new[1].id), (*cases[0].events, "late-x", "late-y"), "held"),
        ((flood[1].id, new[2].id), (*cases[1].events, "late-z"), "held"),
    ]
    assert {one.key for one in grown.values()} <= {one.key for one in cases}
    assert "late-" not in str([one.key for one in grown.values()])
    assert "aws_sqs_queue.y" in grown[flood[0].id].body
    # Once it is kept, there is nothing new; and two people let all of it go.
    after = knowing(*({one.key: one for one in (*cases, *grown.values())}).values(), of=[*flood, *new, other])
    assert planned(*flood, *new, known=after, resources={ACCOUNT: 60}) == ()
    found = [*flood, *new]
    (filed,) = plan(broken(found), found, after, ALL_READ, {ACCOUNT: 60}, NOON, accepted_holds={grown[flood[0].id].key})
    assert filed == Open(replace(grown[flood[0].id], state="open"))


@pytest.mark.parametrize("what", ["critical", "elsewhere"])
def test_a_held_case_whose_session_goes_on_with_what_is_never_held_is_filed(what: str) -> None:
    flood = many(50)
    held, *others = held_cases(flood)
    known = knowing(held, *others, of=flood)
    more = {"critical": {"type_": "aws_iam_role"}, "elsewhere": {"account": OTHER}}[what]
    (new,) = going_on(flood[0], "x", **more)
    (case,) = opened(planned(*flood, new, known=known, resources={ACCOUNT: 60}))
    assert (case.findings, case.events, case.state) == ((flood[0].id, new.id), (*held.events, "late-x"), "open")
    assert new.key.id in case.body


def test_of_an_open_and_a_held_case_of_a_session_the_open_one_is_told() -> None:
    flood = many(50)
    held, *others = held_cases(flood)
    (new,) = going_on(flood[0], "x")
    (more,) = going_on(flood[0], "y")
    (own,) = opened(planned(new))
    known = knowing(held, *others, own, of=[*flood, new])
    told = only(planned(*flood, new, more, known=known, resources={ACCOUNT: 60}))
    assert isinstance(told, Update)
    assert told.case.key == own.key


def test_a_held_case_that_turns_critical_is_filed() -> None:
    flood = many(50)
    cases = held_cases(flood)
    violations = [*broken(flood[1:]), *broken(flood[:1], "critical")]
    actions = planned(*flood, known=knowing(*cases, of=flood), violations=violations, resources={ACCOUNT: 60})
    assert opened(actions) == [replace(case, state="open") for case in cases if case.findings == (flood[0].id,)]


def test_a_held_case_closes_when_its_findings_are_gone() -> None:
    flood = [replace(one, changes=(), unexplained="actor unknown") for one in many(50)]
    cases = held_cases(flood)
    assert planned(known=knowing(*cases, of=flood)) == tuple(
        Close(case, "what was found is no longer so") for case in cases
    )


# --- what a case says ----------------------------------------------------------------------------------------


def test_the_story_tells_what_differs_who_did_it_and_which_tests_said_no() -> None:
    key = Key(ACCOUNT, "eu-west-1", "aws_security_group", "sg-1")
    rule = Key(ACCOUNT, "eu-west-1", "aws_security_group_rule", "sg-1|ingress|tcp|22|22|0.0.0.0/0")
    told = Finding(
        FindingId("F-1"),
        key,
        drifts=(
            Drift(key, "changed", "description", "web", "we\x1b[2Jb"),
            Drift(key, "changed", "ingress", live={"from_port": 22}, part=rule),
            Drift(key, "changed", "ingress", declared={"from_port": 80}, part=rule),
            Drift(key, "missing", declared={}),
            Drift(key, "unmanaged", live={}),
            Drift(key, "unmanaged", live={}, note="unlisted"),
            Drift(key, "unapplied", "name", "web2", "web"),
            Drift(key, "changed", "name", "web", "wob", note="absorbed"),
        ),
        notes=("the state of stack shop went\nfrom serial 4 to 5",),
        changes=(
            JudgedChange(
                change("e1", source_ip=""),
                Verdict("unauthorised", (NamedTest("ticket", "fail", "no\nreference"),)),
            ),
            JudgedChange(change("e2"), Verdict("authorised", (NamedTest("ticket", "pass", "CHG-1"),))),
        ),
        unexplained="actor unknown",
    )
    assert story(told).splitlines() == [
        "aws_security_group sg-1",
        f"  finding F-1, {key}",
        "  description: declared web, live we⟨U+001B⟩[2Jb",
        f"  ingress: added {rule.id}",
        f"  ingress: removed {rule.id}",
        "  declared, and not there",
        "  there, and declared nowhere",
        "  there, and in no configured stack",
        "  name: merged and not applied: configured web2, recorded web",
        "  name: declared web, live wob; an apply wrote it into state",
        "  2026-03-02 12:00:00 UTC sqs:SetQueueAttributes by dana (console, no address): unauthorised",
        "    ticket: fail, no\\nreference",
        "  2026-03-02 12:00:00 UTC sqs:SetQueueAttributes by dana (console, 198.51.100.7): authorised",
        "  actor unknown",
        "  the state of stack shop went\\nfrom serial 4 to 5",
    ]


def test_the_title_of_what_the_trail_tells_of() -> None:
    cases = opened(planned(finding("a", trail="stopped"), finding("b", trail="unreadable")))
    assert [case.title.partition(": ")[2] for case in cases] == [
        "the trail was stopped",
        "part of the trail was not read",
    ]


def test_the_worst_severity() -> None:
    assert (worst([]), worst(["high", "low"]), worst(["medium", "critical", "high"])) == ("low", "high", "critical")


# --- properties ----------------------------------------------------------------------------------------------

SESSIONS = ("ASIAONE", "ASIATWO", "ASIATHREE", "AKIADANA")
NAMES = ("a", "b", "c", "d")
CALLS = st.lists(
    st.tuples(st.sampled_from(SESSIONS), st.sets(st.sampled_from(NAMES), min_size=1), st.booleans()), max_size=8
)
"""Calls as they happen: the session, what it touches, and whether a scan comes before the next call."""


def findings_of(calls: Sequence[tuple[str, set[str], bool]]) -> list[Finding]:
    """What a scan sees after these calls."""
    made = [(change(f"e{n}", key, at=NOON + timedelta(minutes=n)), names) for n, (key, names, _) in enumerate(calls)]
    stories = {name: [one for one, names in made if name in names] for name in NAMES}
    return [finding(name, *changes) for name, changes in stories.items() if changes]


def kept(cases: Mapping[CaseKey, Case], actions: Iterable[Action]) -> dict[CaseKey, Case]:
    """The cases after a plan was carried out."""
    after = dict(cases)
    for action in actions:
        for case in action.cases if isinstance(action, Held) else (action.case,):
            after[case.key] = replace(case, state="closed") if isinstance(action, Close) else case
    return after


@settings(max_examples=200, deadline=None)
@given(calls=CALLS, close=st.sets(st.integers(0, 7)))
def test_a_change_belongs_to_one_case_for_ever(calls: Sequence[tuple[str, set[str], bool]], close: set[int]) -> None:
    cases: dict[CaseKey, Case] = {}
    owner: dict[str, CaseKey] = {}
    for n, (_, _, scanned) in enumerate(calls):
        if not scanned and n < len(calls) - 1:
            continue
        seen = findings_of(calls[: n + 1])
        cases = kept(cases, planned(*seen, known=knowing(*cases.values(), of=seen)))
        owners = [(event, case.key) for case in cases.values() for event in case.events]
        # One case for each event, no event without a case, and none that moved.
        assert sorted(event for event, _ in owners) == sorted(f"e{m}" for m in range(n + 1))
        assert owner.items() <= dict(owners).items()
        owner = dict(owners)
        # A second look at the same estate changes nothing.
        assert planned(*seen, known=knowing(*cases.values(), of=seen)) == ()
        if n in close:
            cases = {key: replace(case, state="closed") for key, case in cases.items()}


@settings(deadline=None)
@given(calls=CALLS)
def test_what_one_session_did_last_is_in_one_case(calls: Sequence[tuple[str, set[str], bool]]) -> None:
    seen = findings_of(calls)
    cases = opened(planned(*seen))
    assert sorted(one for case in cases for one in case.findings) == sorted(one.id for one in seen)
    home = {one: case.key for case in cases for one in case.findings}
    last: dict[str, set[CaseKey]] = {}
    for one in seen:
        last.setdefault(one.changes[-1].change.session, set()).add(home[one.id])
    assert {session: len(keys) for session, keys in last.items()} == dict.fromkeys(last, 1)


@settings(deadline=None)
@given(order=st.permutations(range(6)))
def test_the_order_of_findings_changes_neither_cases_nor_keys(order: Sequence[int]) -> None:
    sessions: Callable[[int], str] = lambda n: SESSIONS[n % 3]  # noqa: E731 a table
    seen = [finding(f"q{n}", change(f"e{n}", sessions(n), at=NOON + timedelta(minutes=n))) for n in range(6)]
    usual = {case.key: set(case.findings) for case in opened(planned(*seen))}
    shuffled = {case.key: set(case.findings) for case in opened(planned(*(seen[n] for n in order)))}
    assert usual == shuffled


@given(
    counts=st.tuples(st.integers(0, 120), st.integers(0, 60)),
    resources=st.tuples(st.integers(0, 300), st.integers(0, 300)),
    critical=st.sets(st.integers(0, 119)),
)
@settings(max_examples=40, deadline=None)
def test_a_flood_holds_exactly_what_it_may(
    counts: tuple[int, int], resources: tuple[int, int], critical: set[int]
) -> None:
    seen = [*many(counts[0]), *many(counts[1], OTHER)]
    violations = [v for n, one in enumerate(seen) for v in broken([one], "critical" if n in critical else "low")]
    by_account = {ACCOUNT: resources[0], OTHER: resources[1]}
    actions = planned(*seen, violations=violations, resources=by_account)
    flooded = {
        account
        for account, count in zip((ACCOUNT, OTHER), counts, strict=True)
        if count >= 50 and 10 * count > 3 * by_account[account]
    }
    held = {case.findings[0] for action in actions if isinstance(action, Held) for case in action.cases}
    filed = {action.case.findings[0] for action in actions if isinstance(action, Open)}
    assert held == {one.id for n, one in enumerate(seen) if one.key.account in flooded and n not in critical}
    assert filed == {one.id for one in seen} - held
