"""Windows told at once, emergencies that no case is about, the review after the work, and others' drift."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_plan import ALL_READ, NOON, broken, finding, opened, planned
from test_plan_breakglass import (
    DAY,
    GRANT,
    HOUR,
    KEY,
    OUTCOMES,
    WEEK,
    Estate,
    call,
    document,
    proof,
    review,
    session_of,
    update,
)

from agent.compare import Hidden
from agent.emergency import case_key, grant_of
from agent.model import (
    Action,
    Candidate,
    Change,
    Close,
    Finding,
    Gap,
    JudgedChange,
    Open,
    Opening,
    Outcome,
    Review,
    Risk,
    Scope,
    Update,
    Verdict,
)
from agent.model import (
    Test as NamedTest,
)
from agent.plan import EmergencyPlan, Known, plan, story, window_case

WINDOW = grant_of("o1")
ITS_CASE = case_key(WINDOW)
HIGH = Risk("high", 9, ("environment production +3",), 2)


def window(at: datetime = NOON, *, received: datetime | None = None, name: str = "o1", **fields: object) -> Opening:
    """Two hours of dana's, heard of at once unless it came as a file."""
    by = replace(proof("dana", at), received_at=received or at)
    return Opening(name, by, "INC-7", at + 2 * HOUR, offline=received is not None, **fields)


def mine(event: str, at: datetime = NOON + HOUR, *, session: str = "ASIATWO") -> Change:
    """A call of dana's in her own name."""
    return call(event, at, role="", session=session)


def only_close(actions: Sequence[Action]) -> Close:
    (found,) = actions
    assert isinstance(found, Close)
    return found


# --- windows -------------------------------------------------------------------------------------------------


def test_a_window_is_a_case_at_once_and_every_approver_is_told() -> None:
    estate = Estate(said=[window(reason="db down", roles=("*Admin",), accounts=("111122223333",))])
    (case,) = opened(estate.scan(NOON + timedelta(minutes=1)))
    assert (case.key, case.grant, case.stage, case.severity) == (ITS_CASE, WINDOW, "open", "medium")
    assert (case.findings, case.events, case.actors, case.deadline) == ((), (), (), None)
    assert case.title == "break-glass window declared by dana for INC-7, until 2026-03-02 14:00:00 UTC"
    assert case.body == (
        "Break-glass: a window was declared. Nobody has to approve it; what is done in it is documented and reviewed.\n"
        "\n"
        "For nils, eve: so that you know.\n"
        "Declared by dana at 2026-03-02 12:00:00 UTC.\n"
        "Incident: INC-7\n"
        "Reason: db down\n"
        "It ends 2026-03-02 14:00:00 UTC.\n"
        "It covers changes by dana;\n"
        "roles: *Admin; accounts: 111122223333; environments: any.\n"
        "\n"
        "The calls made in it are told here. Whoever made them documents them: then this case shows a form.\n"
        f"The key of this case is {ITS_CASE}."
    )
    assert estate.scan(NOON + HOUR) == ()


def test_nobody_and_nothing_is_named_where_none_is() -> None:
    body = window_case(window(received=NOON + DAY), NOON, ()).body
    assert "For " not in body
    assert "12:00:00 UTC, offline; received 2026-03-03 12:00:00 UTC." in body
    assert "Reason: none given" in body
    assert "roles: any; accounts: any; environments: any." in body


def test_its_calls_join_the_case_of_a_window() -> None:
    estate = Estate(said=[window()])
    estate.scan(NOON)
    estate.make("a", mine("e1"))
    told = update(estate.scan(NOON + 90 * timedelta(minutes=1)))
    assert (told.case.key, told.case.stage, told.case.events) == (ITS_CASE, "awaiting-document", ("e1",))
    assert told.case.deadline == NOON + HOUR + DAY
    assert told.note.startswith("This is break-glass: emergency access was used.\n\ndana: window declared by dana")
    assert "For nils, eve" not in told.note
    assert told.note.count("To be documented by") == 1
    assert f"driftwarden document {ITS_CASE}" in told.note
    assert "aws_sqs_queue.a" in told.note
    assert told.case.body.startswith("Break-glass: emergency access was used.")
    assert "For nils, eve" not in told.case.body
    assert estate.scan(NOON + 2 * HOUR) == ()
    estate.make("b", mine("e2", NOON + 110 * timedelta(minutes=1), session="ASIATHREE"))
    told = update(estate.scan(NOON + 2 * HOUR))
    assert (told.case.key, told.case.events) == (ITS_CASE, ("e1", "e2"))
    assert len(estate.cases) == 1
    estate.said += [document(NOON + 3 * HOUR, case=ITS_CASE), review(NOON + 4 * HOUR, case=ITS_CASE)]
    estate.differs |= {"a": False, "b": False}
    only_close(estate.scan(NOON + 5 * HOUR))


def test_calls_without_a_finding_are_documented_too() -> None:
    estate = Estate(said=[window()])
    estate.scan(NOON)
    estate.loose = [mine(f"e{n}", NOON + n * timedelta(seconds=1)) for n in range(302)]
    changes = [JudgedChange(one, Verdict("pending-documentation", grant=WINDOW)) for one in estate.loose]
    told = update(estate.scan(NOON + HOUR, changes=changes))
    assert (told.case.stage, told.case.events, told.case.emergencies[0].id) == ("awaiting-document", (), WINDOW)
    assert told.case.body.count("sqs:SetQueueAttributes by dana (console, 198.51.100.7): pending-documentation") == 300
    assert told.case.body.endswith("More calls are in the report.")
    assert estate.scan(NOON + HOUR, changes=changes) == ()


def test_a_window_in_which_nothing_was_called_closes_once_late_events_would_be_there() -> None:
    estate = Estate(said=[window()])
    estate.scan(NOON)
    assert estate.scan(NOON + 4 * HOUR) == ()
    estate.whole = False
    assert estate.scan(NOON + 5 * HOUR) == ()
    estate.whole = True
    closed = only_close(estate.scan(NOON + 5 * HOUR))
    assert closed.reason == (
        "the window ended 2026-03-02 14:00:00 UTC, and no call that it covers was seen by 2026-03-02 17:00:00 UTC"
    )
    assert estate.scan(NOON + 6 * HOUR) == ()
    # A later one opens it again.
    estate.make("a", mine("e1"))
    (case,) = opened(estate.scan(NOON + 7 * HOUR))
    assert (case.key, case.stage, case.events) == (ITS_CASE, "awaiting-document", ("e1",))
    assert "For nils, eve: a break-glass window was declared." in case.body


def test_a_window_is_not_called_unused_while_the_trail_is_not_whole() -> None:
    estate = Estate(said=[window()], whole=False)
    estate.scan(NOON)
    assert estate.scan(NOON + 26 * HOUR) == ()
    assert only_close(estate.scan(NOON + 26 * HOUR + timedelta(seconds=1))).reason.endswith(
        "; part of the trail was not read"
    )


def test_the_case_of_a_window_that_nobody_declared_any_more_stays() -> None:
    estate = Estate(said=[window()])
    estate.scan(NOON)
    estate.said.clear()
    assert estate.scan(NOON + WEEK) == ()


def test_a_window_that_arrives_late_is_told_and_one_of_long_ago_is_not() -> None:
    estate = Estate(said=[window(received=NOON + DAY)])
    (case,) = opened(estate.scan(NOON + DAY))
    assert "offline; received" in case.body
    only_close(estate.scan(NOON + DAY + HOUR))
    assert opened(Estate(said=[window()]).scan(NOON + WEEK + 2 * HOUR))
    assert Estate(said=[window()]).scan(NOON + WEEK + 3 * HOUR) == ()


# --- an emergency always has a case --------------------------------------------------------------------------


def test_calls_in_a_case_that_closed_before_the_window_arrived_open_it_again() -> None:
    estate = Estate()
    estate.make("a", mine("e1"))
    estate.make("a", call("e0", who="marco", role="", session="ASIATHREE"))
    (case,) = opened(estate.scan(NOON + 2 * HOUR))
    estate.said.append(review(NOON + 3 * HOUR, "nils", case=case.key))
    estate.differs["a"] = False
    only_close(estate.scan(NOON + 4 * HOUR))
    estate.said.append(window(received=NOON + 5 * HOUR))
    (again,) = opened(estate.scan(NOON + 6 * HOUR))
    assert (again.key, again.grant, again.stage) == (case.key, WINDOW, "awaiting-document")
    assert set(again.events) == {"e0", "e1"}
    assert again.actors == ("dana", "marco")
    assert "For nils, eve: a break-glass window was declared." in again.body
    assert estate.scan(NOON + 7 * HOUR) == ()
    assert update(estate.scan(NOON + 30 * HOUR)).case.stage == "overdue"
    # What marco did is in it, and was reviewed before: with the news all of it is reviewed again.
    estate.said += [
        document(NOON + 31 * HOUR, case=case.key),
        review(NOON + 32 * HOUR, "nils", case=case.key, name="r2"),
    ]
    only_close(estate.scan(NOON + 33 * HOUR))
    assert estate.scan(NOON + 34 * HOUR) == ()


def test_an_emergency_whose_calls_no_finding_shows_has_a_case() -> None:
    estate = Estate(loose=[call("e1"), call("e2", NOON + HOUR)])
    changes = [JudgedChange(one, Verdict("authorised", grant=GRANT)) for one in estate.loose]
    (case,) = opened(estate.scan(NOON + 2 * HOUR, changes=changes))
    assert (case.key, case.stage, case.events, case.findings) == (KEY, "awaiting-document", ("e1", "e2"), ())
    assert case.title.startswith("Calls that no finding shows: break-glass by dana, emergency role")
    assert case.body.count("sqs:SetQueueAttributes by dana (console, 198.51.100.7): authorised") == 2
    assert case.severity == "medium"
    assert estate.scan(NOON + 3 * HOUR, changes=changes) == ()
    estate.said += [document(NOON + 3 * HOUR), review(NOON + 4 * HOUR)]
    only_close(estate.scan(NOON + 5 * HOUR, changes=changes))
    assert estate.scan(NOON + 6 * HOUR, changes=changes) == ()


def test_what_is_pending_or_only_observed_opens_nothing_yet() -> None:
    estate = Estate(loose=[call("e1")])
    waiting = [JudgedChange(one, Verdict("pending")) for one in estate.loose]
    assert estate.scan(NOON + HOUR, changes=waiting) == ()
    quiet = session_of(1)
    assert quiet.scan(NOON + HOUR, observed=lambda _: True) == ()
    # A window that somebody declared is told whatever it touched.
    quiet.calls["q0"] = [mine("e0")]
    quiet.said.append(window())
    (case,) = opened(quiet.scan(NOON + HOUR, observed=lambda _: True))
    assert (case.grant, case.events) == (WINDOW, ("e0",))


def test_what_a_held_case_brings_waits_for_that_case() -> None:
    estate = Estate()
    estate.make("a", call("e1", role="", who="marco", session="ASIATWO"))
    (case,) = opened(estate.scan(NOON + HOUR))
    estate.cases[case.key] = replace(case, state="held")
    estate.make("a", call("e2", NOON + HOUR))
    assert estate.scan(NOON + 2 * HOUR) == (Open(case),)


def test_a_second_window_over_calls_of_the_case_of_a_first_is_told_in_it() -> None:
    estate = Estate()
    estate.make("a", mine("e1", NOON))
    estate.scan(NOON)
    estate.said.append(window(NOON - HOUR, received=NOON + HOUR))
    (case,) = {update(estate.scan(NOON + HOUR)).case.key}
    estate.make("a", mine("e2", NOON + 2 * HOUR))
    estate.scan(NOON + 2 * HOUR)
    estate.said.append(window(NOON + 90 * timedelta(minutes=1), received=NOON + 3 * HOUR, name="o2"))
    told = update(estate.scan(NOON + 3 * HOUR))
    assert (told.case.key, {one.id for one in told.case.emergencies}) == (case, {WINDOW, grant_of("o2")})
    assert told.note.startswith(
        "Calls in this case are of another emergency too.\n\nFor nils, eve: a break-glass window was declared.\ndana: "
    )
    assert estate.scan(NOON + 3 * HOUR) == ()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from("abc")),
        st.tuples(st.just("loose"), st.just("")),
        st.tuples(st.just("back"), st.sampled_from("abc")),
        st.tuples(st.just("window"), st.sampled_from(["online", "offline"])),
        st.tuples(st.sampled_from(["document", "accept", "wait"]), st.just("")),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_every_window_is_told_and_no_emergency_is_open_without_a_case(steps: Sequence[tuple[str, str]]) -> None:
    """Whatever comes first: calls, the window, its file, the end of the case that held the calls."""
    estate, now = Estate(), NOON
    for n, (what, more) in enumerate(steps):
        now += HOUR
        match what:
            case "call":
                estate.make(more, mine(f"e{n}", now, session=f"ASIA{n % 2}"))
            case "loose":
                estate.loose.append(mine(f"e{n}", now, session=f"ASIA{n % 2}"))
            case "back":
                estate.differs |= {more: False} if more in estate.differs else {}
            case "window":
                at = now - 3 * HOUR if more == "offline" else now
                estate.said.append(window(at, received=now if more == "offline" else None, name=f"o{n}"))
            case "document" | "accept":
                for key in list(estate.cases):
                    said = document if what == "document" else review
                    estate.said.append(said(now, "dana" if what == "document" else "marco", case=key, name=f"{n}{key}"))
            case _:
                now += DAY
        now += timedelta(minutes=1)
        of = {event: one for one in estate.emergencies(now) for event in one.events}
        judged = [
            JudgedChange(one, Verdict(OUTCOMES[of[event].state], grant=of[event].id))
            for one in estate.loose
            for event in one.event_ids
            if event in of
        ]
        for _ in range(3):
            estate.scan(now, changes=judged)
        assert estate.scan(now, changes=judged) == ()
        after = estate.cases.values()
        home = {grant for case in after for grant in (case.grant, *(one.id for one in case.emergencies))}
        assert {grant_of(one.id) for one in estate.said if isinstance(one, Opening)} <= home
        for one in estate.emergencies(now):
            about = [case for case in after if one.id in (case.grant, *(each.id for each in case.emergencies))]
            assert one.state == "accepted" or any(case.state == "open" for case in about)


# --- the review after the work -------------------------------------------------------------------------------


def high_risk() -> Estate:
    """An emergency of high risk, documented, accepted, and put back."""
    estate = session_of(1, risk=HIGH)
    (case,) = opened(estate.scan(NOON + HOUR))
    assert "A change in it is of high risk: it takes a review after the work" in case.body
    assert case.told == ("high-risk",)
    estate.said += [document(NOON + 2 * HOUR), review(NOON + 3 * HOUR)]
    assert update(estate.scan(NOON + 4 * HOUR)).case.stage == "way-back"
    return estate


def after(at: datetime, who: str = "nils", *, yes: bool = True, name: str = "p1") -> Review:
    return replace(review(at, who, yes=yes, name=name), post_implementation=True)


def test_after_high_risk_there_is_a_review_after_the_work() -> None:
    estate = high_risk()
    estate.differs["q0"] = False
    told = update(estate.scan(NOON + 5 * HOUR))
    assert told.case.stage == "post-implementation"
    assert told.note == (
        "Accepted by marco: looked at it\n\n"
        "It is under control again. One of its changes was of high risk:\n"
        "somebody who did not act reviews it after the work. Answer with\n\n"
        "  driftwarden post-implementation review: accept or reject\n"
        "  reason: …\n\n"
        f"or run: driftwarden breakglass review {KEY} --post-implementation"
    )
    # It stays so once the calls have left the trail, and is reminded of.
    estate.calls.clear()
    assert estate.scan(NOON + 6 * HOUR) == ()
    told = update(estate.scan(NOON + 5 * HOUR + WEEK))
    assert told.note == "Reminder: a review after the work is waited for for 7 days."
    assert estate.scan(NOON + 6 * HOUR + WEEK) == ()
    estate.said.append(after(NOON + 6 * HOUR + WEEK))
    closed = only_close(estate.scan(NOON + 7 * HOUR + WEEK))
    assert closed.reason == (
        "Accepted by marco: looked at it; After the work: Accepted by nils: looked at it; "
        "nothing differs any more (to do was: revert)"
    )


def test_it_may_be_given_while_the_way_back_is_waited_for() -> None:
    estate = high_risk()
    estate.said.append(after(NOON + 5 * HOUR))
    told = update(estate.scan(NOON + 6 * HOUR))
    assert (told.case.stage, told.note) == ("way-back", "After the work: Accepted by nils: looked at it")
    assert estate.scan(NOON + 6 * HOUR) == ()
    estate.differs["q0"] = False
    only_close(estate.scan(NOON + 7 * HOUR))


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (
            after(NOON + 5 * HOUR, "Dana"),
            "The review after the work by Dana does not count: who acted cannot review.",
        ),
        (
            after(NOON + 2 * HOUR),
            "The review after the work by nils does not count: the document was not accepted before it.",
        ),
        (after(NOON + 5 * HOUR, yes=False), "After the work: Rejected by nils: looked at it"),
    ],
)
def test_one_that_does_not_count_or_rejects_lets_nothing_close(said: Review, note: str) -> None:
    estate = high_risk()
    estate.said.append(said)
    assert update(estate.scan(NOON + 6 * HOUR)).note == note
    estate.differs["q0"] = False
    assert update(estate.scan(NOON + 7 * HOUR)).case.stage == "post-implementation"
    assert estate.scan(NOON + 8 * HOUR) == ()
    estate.said.append(after(NOON + 8 * HOUR, name="p2"))
    only_close(estate.scan(NOON + 9 * HOUR))


def test_a_change_after_it_asks_for_everything_anew() -> None:
    estate = high_risk()
    estate.said.append(after(NOON + 5 * HOUR))
    estate.scan(NOON + 6 * HOUR)
    estate.make("q0", call("e9", NOON + 7 * HOUR))
    assert update(estate.scan(NOON + 8 * HOUR)).case.stage == "awaiting-document"
    estate.differs["q0"] = False
    estate.said += [document(NOON + 9 * HOUR, name="d2"), review(NOON + 10 * HOUR, name="r2")]
    assert update(estate.scan(NOON + 11 * HOUR)).case.stage == "post-implementation"


def test_a_case_that_is_opened_again_was_of_high_risk_before() -> None:
    estate = high_risk()
    estate.said.append(after(NOON + 5 * HOUR))
    estate.differs["q0"] = False
    only_close(estate.scan(NOON + 6 * HOUR))
    estate.calls.clear()
    estate.risk = None
    estate.make("q1", call("e9", NOON + 7 * HOUR))
    (case,) = opened(estate.scan(NOON + 8 * HOUR))
    assert (case.key, "high-risk" in case.told) == (KEY, True)


def test_that_the_risk_is_high_may_come_to_light_later() -> None:
    estate = session_of(1)
    estate.scan(NOON + HOUR)
    estate.risk = HIGH
    told = update(estate.scan(NOON + 2 * HOUR))
    assert told.note.startswith("A change in it is of high risk: it takes a review after the work")
    assert estate.scan(NOON + 3 * HOUR) == ()
    low = session_of(1, risk=replace(HIGH, level="medium"))
    low.scan(NOON + HOUR)
    low.said += [document(NOON + 2 * HOUR), review(NOON + 3 * HOUR)]
    low.differs["q0"] = False
    only_close(low.scan(NOON + 4 * HOUR))


# --- what is not its doing -----------------------------------------------------------------------------------


def judged(story: Finding, outcome: Outcome, *changes: JudgedChange, **fields: object) -> Finding:
    return replace(story, changes=(*story.changes, *changes), verdict=Verdict(outcome), **fields)


@pytest.mark.parametrize(
    ("outcome", "cause", "other", "unexplained", "closes"),
    [
        # Nothing explains it, and it is covered.
        ("baselined", "", "", "actor unknown", True),
        ("excepted", "", "", "", True),
        # Somebody with authority made it.
        ("authorised-emergency", "his", "authorised", "", True),
        ("regularised", "his", "authorised", "", True),
        # Nothing explains it: it may be the emergency's.
        ("authorised-emergency", "", "", "", False),
        ("authorised-emergency", "his", "authorised", "actor unknown", False),
        ("indeterminate", "", "", "actor unknown", False),
        # Somebody without made it, or something besides.
        ("unauthorised", "his", "unauthorised", "", False),
        ("authorised-emergency", "his", "regularised", "", False),
        # The emergency made it, alone or with others; or it may have.
        ("excepted", "e0", "", "", False),
        ("excepted", "together", "authorised", "", False),
        ("baselined", "perhaps", "", "actor unknown", False),
    ],
)
def test_what_it_did_not_do_and_may_differ_holds_it_open_no_longer(
    outcome: Outcome, cause: str, other: str, unexplained: str, closes: bool
) -> None:
    estate = session_of(1)
    estate.scan(NOON + HOUR)
    estate.said += [document(NOON + 2 * HOUR), review(NOON + 3 * HOUR)]
    emergencies = estate.emergencies(NOON + 4 * HOUR)
    (found,) = estate.findings(emergencies, NOON + 4 * HOUR)
    own, his = found.changes[0].change, mine("his")
    causes = {
        "": (),
        "e0": (Candidate(own, 0.9, "set it"),),
        "his": (Candidate(his, 0.9, "set it"), Candidate(own, 0.2, "set it to something else")),
        "together": (Candidate(his, 0.9, "set it", ((*own.event_ids,),)),),
        "perhaps": (Candidate(own, 0.4, "touched it"),),
    }
    others = (JudgedChange(his, Verdict(other)),) if other else ()
    found = judged(found, outcome, *others, candidates=causes[cause], unexplained=unexplained)
    known = Known(tuple(estate.cases.values()), {}, {found.id: found.key})

    def actions(unread: Hidden = ALL_READ) -> tuple[Action, ...]:
        return plan([], [found], known, unread, {}, NOON + 4 * HOUR, emergency=EmergencyPlan(emergencies))

    closed = [one for one in actions() if isinstance(one, Close)]
    assert bool(closed) is closes
    for one in closed:
        assert one.reason.endswith(
            "what it did differs no more, and aws_sqs_queue.q0 for other reasons (to do was: revert)"
        )
    hidden = actions(Hidden([Gap(Scope(type="aws_sqs_queue"), "AccessDenied")]))
    assert not any(isinstance(one, Close) for one in hidden)


def test_a_finding_of_its_calls_in_another_case_holds_it_open() -> None:
    """The window was known ahead; the calls were in a case with somebody else's, which is answered for by itself."""
    estate = Estate()
    estate.make("a", mine("e1"))
    estate.make("a", call("e2", NOON + HOUR, who="marco", role="", session="ASIATHREE"))
    (case,) = opened(estate.scan(NOON + 2 * HOUR))
    estate.said.append(window(received=NOON + 3 * HOUR))
    own = window_case(window(), NOON + 2 * HOUR, ())
    estate.cases[own.key] = own
    told = [one for one in estate.scan(NOON + 4 * HOUR) if isinstance(one, Update)]
    assert [one.case.stage for one in told if one.case.key == own.key] == ["awaiting-document"]
    estate.said += [document(NOON + 4 * HOUR, case=own.key), review(NOON + 5 * HOUR, "nils", case=own.key)]
    assert not any(isinstance(one, Close) for one in estate.scan(NOON + 6 * HOUR))
    estate.differs["a"] = False
    closed = [one.case.key for one in estate.scan(NOON + 7 * HOUR) if isinstance(one, Close)]
    assert closed == [own.key]
    assert estate.cases[case.key].state == "open"


# --- what a case says ----------------------------------------------------------------------------------------


def test_tests_that_say_the_same_again_are_not_repeated() -> None:
    tests = (NamedTest("actor", "pass", "dana"), NamedTest("ticket", "fail", "no reference"))
    other = (tests[0], NamedTest("ticket", "fail", "CHG-1: no such ticket"))
    verdicts = [
        Verdict("unauthorised", tests),
        Verdict("unauthorised", tests),
        Verdict("unauthorised", other),
        Verdict("authorised", tests),
        Verdict("unauthorised", tests),
    ]
    changes = tuple(JudgedChange(call(f"e{n}"), one) for n, one in enumerate(verdicts))
    said = story(replace(finding("a"), changes=changes)).splitlines()
    assert [line.split(": ", 1)[-1] if "by dana" in line else line for line in said[3:]] == [
        "unauthorised",
        "    actor: pass, dana",
        "    ticket: fail, no reference",
        "unauthorised",
        "unauthorised",
        "    ticket: fail, CHG-1: no such ticket",
        "authorised",
        "unauthorised",
        "    actor: pass, dana",
        "    ticket: fail, no reference",
    ]
    (case,) = opened(planned(replace(finding("a", call("e1")), changes=changes[:2]), violations=broken([finding("a")])))
    assert case.body.count("ticket: fail") == 1
