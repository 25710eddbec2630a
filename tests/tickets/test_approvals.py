"""What stands of approvals, whatever happens in whatever order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agent.model import Ticket
from agent.tickets.approvals import MERGED, OPEN, Standing, planned
from agent.tickets.history import EDITED, Step, tickets
from agent.tickets.terms import Terms

AT = datetime(2026, 3, 1, tzinfo=UTC)
TERMS = (Terms(implementer="lee"), Terms(implementer="kim"))
PEOPLE = ("dana", "kim", "sam")

Act = tuple[str, str, int]
"""What is done, by whom, and a number that tells it from others."""
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["label", "unlabel", "approve", "approve_in_vain", "refuse", "end", "edit", "turn"]),
        st.sampled_from(PEOPLE),
        st.integers(0, 3),
    ),
    max_size=14,
)


def happened(acts: Sequence[Act]) -> tuple[Standing, list[Ticket]]:
    """What stands in the end, and the ticket."""
    standing = Standing(TERMS[0])
    steps = [Step(AT, OPEN, TERMS[0])]
    for second, (act, who, number) in enumerate(acts, 1):
        at = AT + timedelta(seconds=second)
        match act:
            case "label" | "approve_in_vain":
                steps += getattr(standing, act)(at, who)
            case "approve" | "refuse":
                steps += getattr(standing, act)(at, who, f"{who}{number}")
            case "unlabel":
                steps += standing.unlabel(at)
            case "end":
                steps += standing.end(at, [f"{who}{number}"])
            case "turn":
                steps += standing.turn(at, ["", "closed", MERGED][number % 3])
            case _:
                steps += standing.edit(at, TERMS[number % 2])
    return standing, tickets(Ticket("GH-1", "github"), steps)


def standing_in(ticket: Ticket) -> set[str]:
    """Whose approval stands, by the ticket's history."""
    found: set[str] = set()
    for event in ticket.history:
        found = (found | ({event.approved_by} - {""})) - {event.withdrawn_by}
    return found


@given(ACTS)
def test_the_history_tells_what_stands(acts: list[Act]) -> None:
    standing, found = happened(acts)
    assert standing_in(found[-1]) == {*standing.given.values(), standing.labelled} - {""}
    states = [event.state for event in found[-1].history if event.state]
    assert states[-1] in (standing.state, EDITED)
    assert states[-1] == standing.state or standing.over


@given(ACTS)
def test_no_approval_outlives_the_terms_it_was_given_for(acts: list[Act]) -> None:
    _, found = happened(acts)
    assert [standing_in(ticket) for ticket in found[:-1]] == [set()] * (len(found) - 1)
    assert all(ticket.history[0].state == EDITED for ticket in found[1:])


@given(ACTS, st.data())
def test_an_approval_less_never_makes_an_approver_more(acts: list[Act], data: st.DataObject) -> None:
    given_ = [n for n, (act, _, _) in enumerate(acts) if act in ("label", "approve", "approve_in_vain")]
    if given_:
        less = data.draw(st.sampled_from(given_))
        _, found = happened(acts)
        _, other = happened([*acts[:less], *acts[less + 1 :]])
        gone = {acts[less][1]}
        assert standing_in(other[-1]) - standing_in(found[-1]) <= previous_labels(acts, less) - gone


def previous_labels(acts: Sequence[Act], less: int) -> set[str]:
    """Who set the label before: their approval ends when it is set again, and stands where it is not."""
    return {who for act, who, _ in acts[:less] if act == "label"}


def test_a_merge_stays_one_when_it_is_closed_as_well() -> None:
    standing = Standing(TERMS[0])
    assert [standing.turn(AT, MERGED)[0].state, standing.turn(AT, "closed")[0].state] == [MERGED, MERGED]
    assert standing.turn(AT, "")[0].state == OPEN


def test_what_an_open_issue_must_say_to_be_read() -> None:
    day = timedelta(days=1)
    assert not planned(Terms(), AT, AT + day)
    assert planned(TERMS[0], AT, AT + day)
    assert planned(Terms(problem="odd", end=AT - day), AT, AT + day)
    assert planned(Terms(start=AT + day, end=AT + 2 * day), AT, AT + day)
    assert not planned(Terms(start=AT + 2 * day), AT, AT + day)
    assert not planned(Terms(end=AT - day), AT, AT + day)
