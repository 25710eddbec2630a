"""What must hold of every verdict, whatever is made of the table's words: nothing that is no authority authorises."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from verdict_words import Case, at, authority_of, case_of, change_of, estate_of, judged, sets, tickets

from agent.authorise import verdict
from agent.model import Calendar, Freeze, Ticket, TicketEvent

GOOD = ("authorised", "authorised-emergency")


def some(*phrases: str, most: int = 4) -> st.SearchStrategy[str]:
    """A cell with some of these phrases, in this order."""
    chosen = st.sets(st.sampled_from(range(len(phrases))), max_size=most)
    return chosen.map(lambda numbers: "; ".join(phrases[number] for number in sorted(numbers)))


TICKET = some(
    *("CHG-8", "system jira", "standard", "emergency", "blank", "-24h sam approves", "-20h ada approves"),
    *("-20h kim approves for Security", "-19h ddiaz approves", "-18h approved", "-3h sam withdraws", "-2h closed"),
    *("-1h implementing", "0h ada withdraws", "1h sam approves", "2h approved", "window 1h 4h", "window open open"),
    *("implementer nobody", "implementer ddiaz", "requester sam.smith", "for sre", "for dba", "incomplete cut short"),
    *("covers aws_sqs_queue.other", "covers aws_security_group.web aws_sqs_queue.orders", "covers names=shop"),
    *("covers environments=staging", "covers environments=prod*", "covers attributes=visibility_* names=orders"),
    *("plan visibility_timeout_seconds=60", "plan visibility_timeout_seconds=90", "plan lost"),
)
TICKETS = st.lists(TICKET, max_size=3).map(lambda cells: " | ".join(cells) if cells else "none")
CHANGE = st.tuples(
    st.sampled_from(
        [
            *("by dana", "by dana", "by zoe", "by marco", "by pipeline", "by pipeline", "by root", "by codedeploy"),
            *("by dana-in-the-pipelines-role", "by nobody-knows-whom", "by pipeline-of-no-commit"),
        ]
    ),
    st.sampled_from(["names CHG-7", "names CHG-7", "names nothing", "names CHG-8 CHG-7", "names CHG-9"]),
    st.sampled_from(["on queue", "on queue", "on queue+group", "on nobody-knows-what", "on group", "deletes"]),
    st.sampled_from(["", "sets policy={}", "sets nobody-knows-what"]),
).map("; ".join)
GIVEN = some(
    *("risk", "approvals 0", "approvals 2", "account production", "stack staging", "silent jira", "tolerance 90m"),
    *("commit", "commit by=sam", "commit approver= names=CHG-8", "commit checks=failed", "commit merged=sam"),
    *("commit checks=pending", "commit id=4f1c2a9d00", "permitted staging=sre", "permitted production=sre *=dba"),
    *("policy env=staging manual=actor,ticket", "policy env=production manual=actor approvals=0"),
    *("policy risks=high approvals=3 pipeline=+content", "policy types=aws_sqs_* standing=closed"),
    *("freeze -1h 1h", "freeze -9h 0h", "calendar empty", "calendar unread", "emergency awaiting-document"),
    *("emergency overdue", "emergency accepted", "before unauthorised", "trusted codedeploy", "judged 5m"),
    *("path manual=+freeze", "path pipeline=+implementer", "people zoe=dana", "forge-silent"),
    most=6,
)


def cases(given_: st.SearchStrategy[str] = GIVEN) -> st.SearchStrategy[Case]:
    rows = st.tuples(TICKETS, CHANGE, given_)
    return rows.map(lambda row: case_of(dict(zip(("ticket", "change", "given"), row, strict=True))))


UNRELATED = some(
    *("system jira", "standard", "emergency", "implementer marco", "window open open", "for sre", "2h closed"),
    *("plan lost", "incomplete cut short", "covers types=aws_vpc", "covers accounts=999999999999", "covers nothing"),
)
law = settings(max_examples=60, deadline=None)


@given(cases(), st.lists(UNRELATED, min_size=1, max_size=2), st.booleans())
@law
def test_an_unrelated_ticket_changes_nothing(case: Case, cells: list[str], first: bool) -> None:
    other = tuple(
        replace(one, ref=f"CHG-{number + 90}")
        for number, one in enumerate(tickets(" | ".join(f"covers aws_vpc.elsewhere; {cell}" for cell in cells)))
    )
    before = judged(case)
    found = (*other, *case.found) if first else (*case.found, *other)
    assert judged(replace(case, found=found)) == before


@given(cases(), st.data())
@law
def test_taking_an_approval_away_never_authorises(case: Case, data: st.DataObject) -> None:
    merges = case.answered.get("merges", ())
    names = {event.approved_by for one in (*case.found, *merges) for event in one.history}
    gone = data.draw(st.sampled_from(sorted(names) or [""]))
    fewer: dict[str, Any] = {"found": tuple(_without(one, gone) for one in case.found)}
    fewer["answered"] = case.answered | {"merges": tuple(_without(one, gone) for one in merges)}
    assert judged(case).outcome in GOOD or judged(replace(case, **fewer)).outcome not in GOOD


def _without(one: Any, name: str) -> Any:
    return replace(
        one,
        history=tuple(replace(event, approved_by="") if event.approved_by == name else event for event in one.history),
    )


@given(cases(), st.randoms(use_true_random=False))
@law
def test_no_order_of_evidence_matters(case: Case, random: Random) -> None:
    def mixed(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(random.sample(values, len(values)))

    def shuffled(one: Any) -> Any:
        # Of one moment the system's own order counts between a state and the next, between giving and taking.
        return replace(one, history=mixed(one.history))

    other = replace(case, found=mixed([shuffled(one) for one in case.found]), authority=dict(case.authority))
    other.answered = {name: mixed(values) for name, values in case.answered.items()}
    if "calendar" in other.authority:
        given_ = other.authority["calendar"]
        other.authority["calendar"] = Calendar(mixed(given_.freezes), mixed(given_.unread), asked=True)
    other.authority["emergencies"] = mixed(other.authority.get("emergencies", ()))
    assert judged(other) == judged(case)


@given(cases())
@law
def test_silence_never_stands_in_for_a_ticket(case: Case) -> None:
    nobody = replace(case, found=())
    silent = replace(nobody, answered=case.answered | {"unanswered": ("register: down", "jira: down")})
    # What is authorised without any ticket may be so while no system answers.
    assert judged(silent).outcome not in GOOD or judged(nobody).outcome in GOOD


@given(cases())
@law
def test_silence_of_a_forge_never_authorises(case: Case) -> None:
    silent = replace(case, answered=case.answered | {"merges": (), "merges_unread": ("github: down",)})
    assert judged(silent).outcome not in GOOD or judged(case).outcome in GOOD


@given(cases())
@law
def test_a_calendar_that_cannot_be_read_never_authorises(case: Case) -> None:
    calendar = case.authority.get("calendar", Calendar(asked=True))
    unread = Calendar((), (*calendar.unread, "ssm: denied"), asked=True)
    after = judged(replace(case, authority=case.authority | {"calendar": unread}))
    assert after.outcome not in GOOD or judged(case).outcome in GOOD


@given(cases(GIVEN.map("stack staging; {}".format)))
@law
def test_raising_to_production_never_authorises(case: Case) -> None:
    raised = case_of({"ticket": "none", "change": "", "given": "tagged production"})
    assert judged(case).outcome in GOOD or judged(replace(case, live=raised.live)).outcome not in GOOD


HOURS = st.integers(-10, 10)


@given(cases(), HOURS, HOURS)
@law
def test_a_wider_freeze_never_authorises(case: Case, start: int, end: int) -> None:
    before = case.authority.get("calendar", Calendar(asked=True))
    narrow = replace(before, freezes=(*before.freezes, Freeze("new", at(f"{start}h"), at(f"{end}h"))))
    wide = replace(before, freezes=(*before.freezes, Freeze("new", at(f"{min(start, end) - 1}h"), at(f"{end + 2}h"))))
    outcomes = [judged(replace(case, authority=case.authority | {"calendar": one})).outcome for one in (narrow, wide)]
    assert outcomes[0] in GOOD or outcomes[1] not in GOOD


LATER = st.lists(
    st.builds(
        TicketEvent,
        st.integers(1, 18000).map(lambda seconds: at(f"{seconds}s")),
        state=st.sampled_from(["", "approved", "implementing", "closed"]),
        approved_by=st.sampled_from(["", "sam", "ada", "kim"]),
        group=st.sampled_from(["", "security"]),
    ),
    min_size=1,
    max_size=3,
)


@given(cases(), LATER)
@law
def test_what_happens_afterwards_never_authorises_nor_takes_authority_away(
    case: Case, events: list[TicketEvent]
) -> None:
    def after(one: Ticket) -> Ticket:
        return replace(one, history=(*one.history, *events))

    before, later = judged(case), judged(replace(case, found=tuple(map(after, case.found))))
    assert (before.outcome in GOOD) == (later.outcome in GOOD) or not all(one.history for one in case.found)
    assert later.outcome != "authorised" or before.outcome == "authorised"


MOMENTS = st.lists(st.sampled_from(["-30h", "-150m", "-1h", "-30s", "0h", "1s", "90m", "150m"]), min_size=2, max_size=5)
CALLS = st.lists(st.sampled_from(["", "sets visibility_timeout_seconds=90", "sets delay_seconds=1"]), max_size=2)


def frozen(words: str) -> Case:
    return case_of({"ticket": "none", "change": "by zoe; names CHG-7; on queue; ", "given": words})


# CloudTrail tells whole seconds: a call at the very end of a freeze once answered for all that were made during it.
@example(frozen("freeze -9h 0h"), ["0h", "-150m"], [])
@example(frozen("freeze -1h 0h"), ["-1h", "-30s", "0h", "1s"], [])
@given(cases(), MOMENTS, CALLS)
@law
def test_what_was_judged_before_does_not_matter(case: Case, moments: list[str], calls: list[str]) -> None:
    authority, estate = authority_of(case), estate_of(case)
    for moment in moments:
        for call in calls or [""]:
            one = replace(case, time=at(moment), **({"sets": sets(call[5:])} if call else {}))
            # The directory is the same: so is the actor. Answers are kept with the estate and the authority.
            made = change_of(one)
            again = verdict(made, made.targets, authority, estate, case.now)
            assert again == verdict(made, made.targets, authority, estate_of(case), case.now)
