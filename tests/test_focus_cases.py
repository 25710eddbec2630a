"""Cases while a scan looks at part of them: what is elsewhere joins, holds open and is not told of twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from test_plan import ACCOUNT, NOON, broken, change, finding, knowing, opened, planned
from test_plan_breakglass import DAY, GRANT, HOUR, KEY, Estate, call, document, review, session_of, update

from agent.compare import Hidden
from agent.focus import Focus
from agent.model import Action, Case, Close, Finding, Held, JudgedChange, Outcome, Risk, Update, Verdict
from agent.plan import EmergencyPlan, Known, plan


def only_about(*findings: Finding) -> Hidden:
    """Nothing but these was looked at."""
    return Hidden((), Focus(frozenset(one.key for one in findings)))


def remembering(case: Case, *of: Finding) -> Known:
    """A store that knows the case, and these findings as they were."""
    return replace(knowing(case, of=of), findings={one.id: one for one in of})


def judged(*findings: Finding, outcome: Outcome = "unauthorised") -> list[JudgedChange]:
    """Today's verdict on every change of some findings."""
    return [JudgedChange(item.change, Verdict(outcome)) for one in findings for item in one.changes]


def looked(
    known: Known,
    *findings: Finding,
    changes: Sequence[JudgedChange] = (),
    unread: Hidden | None = None,
) -> Sequence[Action]:
    """The plan of a look at these findings, an hour later."""
    hidden = unread or only_about(*findings)
    return plan(broken(findings), findings, known, hidden, {ACCOUNT: 1000}, NOON + HOUR, changes=changes)


def test_what_shares_a_call_with_a_finding_elsewhere_joins_its_case() -> None:
    """The call was pending when its case was opened, and is not of the session that the case is about."""
    shared = change("e2", "ASIATWO")
    (case,) = opened(planned(finding("a", change("e1"))))
    before = finding("a", change("e1"), shared)
    fresh = finding("b", shared, change("e5", "ASIAFIVE", at=NOON + timedelta(minutes=5)))
    known = remembering(case, before)
    (action,) = looked(known, fresh, changes=judged(before, fresh))
    assert isinstance(action, Update)
    assert action.case.findings == (before.id, fresh.id)
    # Were it authorised by now, it would tie nothing together.
    (other,) = opened(
        looked(known, fresh, changes=[*judged(fresh), *judged(finding("a", shared), outcome="authorised")])
    )
    assert other.findings == (fresh.id,)


def test_a_case_closes_only_when_all_its_findings_are_seen_to_be_over() -> None:
    """What no call explains and is so no longer: seen, or only not looked at."""
    one = finding("a", unexplained="actor unknown", outcome="indeterminate")
    since = NOON - 2 * DAY
    (case,) = opened(planned(one, known=knowing(of=[one], since=since)))
    known = remembering(case, one)
    assert looked(known) == ()
    (action,) = looked(known, unread=only_about(one))
    assert isinstance(action, Close)


def test_a_case_whose_changes_had_authority_stays_open_while_part_of_it_is_not_looked_at() -> None:
    mine, other = finding("a", change("e1")), finding("b", change("e2"))
    (case,) = opened(planned(mine, other))
    known = remembering(case, mine, other)
    late = judged(mine, other, outcome="authorised")
    quiet = replace(mine, verdict=Verdict("authorised"), changes=tuple(late[:1]))

    def told(unread: Hidden) -> Sequence[Action]:
        return plan([], [quiet], known, unread, {}, NOON + HOUR, changes=late)

    assert told(only_about(mine)) == ()
    (action,) = told(only_about(mine, other))
    assert isinstance(action, Close)


# --- emergencies ---------------------------------------------------------------------------------------------


def look(estate: Estate, now: datetime, about: Iterable[str] = ()) -> Sequence[Action]:
    """A scan that looks at these queues alone; nothing of it is kept."""
    emergencies = estate.emergencies(now)
    every = estate.findings(emergencies, now)
    names = set(about)
    found = [one for one in every if one.key.id in names]
    keys = frozenset(one.key for one in found)
    known = Known(
        tuple(estate.cases.values()), {}, dict(estate.seen), {one.id: one for one in every if one.id in estate.seen}
    )
    return plan(
        broken(found),
        found,
        known,
        Hidden((), Focus(keys)),
        {ACCOUNT: 1000},
        now,
        emergency=EmergencyPlan(
            emergencies, estate.remind, ("nils", "eve"), after_work=dict(estate.reviews(True)), whole=estate.whole
        ),
        reviews=dict(estate.reviews(False)),
        changes=[item for one in every for item in one.changes],
    )


def test_calls_of_an_emergency_looked_at_one_by_one_are_one_case() -> None:
    estate = session_of(1)
    (case,) = opened(look(estate, NOON + HOUR, ["q0"]))
    assert (case.key, case.grant, case.findings) == (KEY, GRANT, case.findings[:1])
    estate.scan(NOON + HOUR)
    estate.make("q1", call("e1", NOON + timedelta(minutes=1)))
    told = update(look(estate, NOON + 2 * HOUR, ["q1"]))
    assert (told.case.key, told.case.events) == (case.key, ("e0", "e1"))
    assert told.case.deadline == NOON + timedelta(minutes=1) + DAY


def test_a_look_elsewhere_says_nothing_of_an_emergency_but_what_time_brings() -> None:
    estate = session_of(2)
    estate.scan(NOON + HOUR)
    assert look(estate, NOON + 2 * HOUR) == ()
    assert "Reminder" in update(look(estate, NOON + 13 * HOUR)).note
    assert "overdue" in update(look(estate, NOON + 25 * HOUR)).case.told


def test_an_emergency_whose_calls_may_be_in_a_finding_elsewhere_waits_for_who_looks_there() -> None:
    estate = session_of(1)
    seen = estate.calls["q0"][0]
    estate.calls["q0"] = [replace(seen, targets=(finding("q0").key,))]
    assert look(estate, NOON + HOUR) == ()
    # One whose calls have no known target is answered for at once.
    estate.calls["q0"] = [replace(seen, targets=())]
    (case,) = opened(look(estate, NOON + HOUR))
    assert case.key == KEY


def test_a_call_of_an_emergency_in_a_finding_elsewhere_belongs_to_the_case_of_that() -> None:
    estate = Estate()
    estate.make("a", call("e1", role="", who="marco", session="ASIATWO"))
    (case,) = opened(estate.scan(NOON + HOUR))
    estate.make("a", replace(call("e2", NOON + HOUR), targets=(finding("a").key,)))
    told = update(look(estate, NOON + 2 * HOUR))
    assert (told.case.key, told.case.grant) == (case.key, GRANT)
    assert told.case.key == update(estate.scan(NOON + 2 * HOUR)).case.key


def test_how_far_the_way_back_has_come_only_a_look_at_all_of_it_tells() -> None:
    estate = session_of(2, risk=Risk("high", 9, ()))
    estate.scan(NOON + HOUR)
    estate.said += [document(NOON + 2 * HOUR), review(NOON + 3 * HOUR)]
    estate.differs["q0"] = False
    assert update(estate.scan(NOON + 4 * HOUR)).case.stage == "way-back"
    estate.differs["q1"] = False
    assert look(estate, NOON + 5 * HOUR, ["q1"]) == ()
    (case,) = estate.cases.values()
    assert update(estate.scan(NOON + 5 * HOUR)).case.stage == "post-implementation"
    for about in ([], ["q0"], ["q1"]):
        assert look(estate, NOON + 6 * HOUR, about) == ()
    estate.said.append(replace(review(NOON + 7 * HOUR, "nils", name="r2"), post_implementation=True))
    assert not any(isinstance(one, Close) for one in look(estate, NOON + 8 * HOUR, ["q0"]))
    assert any(isinstance(one, Close) for one in estate.scan(NOON + 8 * HOUR))
    assert case.key == KEY


def test_what_was_found_lately_and_is_over_makes_no_flood() -> None:
    """Of forty-nine cases opened this hour the findings are gone: one more finding is believed."""
    old = [finding(f"old{n}", change(f"o{n}", f"ASIA{n}")) for n in range(49)]
    cases = opened(planned(*old))
    fresh = finding("new", change("n1", "ASIANEW"))

    def told(known: Known) -> Sequence[Action]:
        return plan(broken([fresh]), [fresh], known, only_about(fresh), {ACCOUNT: 60}, NOON + HOUR)

    assert len(opened(told(Known(tuple(cases))))) == 1
    (held,) = told(knowing(*cases, of=old))
    assert isinstance(held, Held)
    # Two people let all of them go: those were meant.
    keys = {one.id: one.key for one in old}
    meant = plan(
        *(broken([fresh]), [fresh], Known(tuple(cases), {}, keys), only_about(fresh), {ACCOUNT: 60}, NOON + HOUR),
        accepted_holds=[case.key for case in cases],
    )
    assert len(opened(meant)) == 1


def test_what_a_wrong_clock_opened_or_held_makes_no_flood_and_hides_none() -> None:
    """Opened a month from now: else until then nothing would be believed, and nothing held be told of."""
    ahead = NOON + 30 * DAY
    old = [finding(f"old{n}", change(f"o{n}", f"ASIA{n}")) for n in range(50)]
    cases = [replace(one, opened_at=ahead) for one in opened(planned(*old))]
    fresh = [finding(f"new{n}", change(f"n{n}", f"ASIANEW{n}")) for n in range(50)]

    def told(known: Known, new: Sequence[Finding]) -> Sequence[Action]:
        return plan(broken(new), new, known, only_about(*new), {ACCOUNT: 60}, NOON + HOUR)

    assert len(opened(told(knowing(*cases, of=old, since=ahead), fresh[:1]))) == 1
    held = [replace(one, state="held") for one in cases]
    (alarm,) = told(knowing(*held, of=old, since=ahead), fresh)
    assert isinstance(alarm, Held)
    assert len(alarm.cases) == 50
