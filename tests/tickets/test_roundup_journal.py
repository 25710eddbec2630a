"""The journal read backwards: whose approval counts, and for which terms."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
import pytest
from people import told

from agent.model import Ticket, TicketEvent, TicketScope
from agent.tickets.roundup_journal import Change, Entry, Name, User, tickets
from agent.tickets.terms import LISTS

T0 = datetime(2026, 11, 22, 10, tzinfo=UTC)
EDITED = "edited after approval"
ADD: Literal["+"] = "+"
TAKE: Literal["-"] = "-"


def entry(
    minutes: int, by: str, action: str = "set", **before: str | list[tuple[Literal["+", "-"], list[str]]] | None
) -> Entry:
    """What somebody did so many minutes after `T0`."""
    return Entry(f"{T0 + timedelta(minutes=minutes):%Y-%m-%d.%H:%M:%S}", by, action, before)


def change(status: str | None = "approved", types: str | None = "aws_a") -> Change:
    return Change(
        id="7",
        title="Raise\x1b it",
        creator=User("dana"),
        status=Name("2", status) if status else None,
        kind=Name("1", "standard"),
        implementer=User("lee"),
        approved_by=[],
        window_start="2026-11-22.10:00:00",
        window_end=None,
        addresses=" module.a.* \n\n aws_b.c\r\n",
        resources=None,
        types=types,
        accounts=None,
    )


CREATED = entry(0, "dana", "create")


def read(now: Change, *journal: Entry) -> list[Ticket]:
    return tickets(now, [CREATED, *journal], "roundup", "https://x/change7")


def test_the_ticket_as_it_stands() -> None:
    assert read(change("draft")) == [
        Ticket(
            "change7",
            "roundup",
            title="Raise⟨U+001B⟩ it",
            url="https://x/change7",
            kind="standard",
            requester="dana",
            implementer="lee",
            scope=TicketScope(("module.a.*", "aws_b.c"), types=("aws_a",)),
            start=T0,
            history=(TicketEvent(T0, "draft"),),
        )
    ]


def test_states_come_with_their_times() -> None:
    (ticket,) = read(change("closed"), entry(5, "sam", status="draft"), entry(9, "lee", status="approved"))
    assert ticket.history == (
        TicketEvent(T0, "draft"),
        TicketEvent(T0 + timedelta(minutes=5), "approved"),
        TicketEvent(T0 + timedelta(minutes=9), "closed"),
    )


@pytest.mark.parametrize(
    ("by", "moves", "expected"),
    [
        ("sam", [(ADD, ["sam"])], ["approved", "+sam"]),
        ("dana", [(ADD, ["sam"])], ["approved"]),
        ("sam", [(ADD, ["kim", "sam"])], ["approved", "+sam"]),
        ("sam", [(TAKE, ["sam"])], ["approved"]),
        ("sam", None, ["approved"]),
        ("sam", "sam", ["approved"]),
    ],
)
def test_only_ones_own_name_is_an_approval(
    by: str, moves: str | list[tuple[Literal["+", "-"], list[str]]] | None, expected: list[str]
) -> None:
    assert [told(one) for one in read(change(), entry(5, by, approved_by=moves))] == [expected]


def test_an_approval_ends_when_anybody_takes_it_back() -> None:
    given = entry(5, "sam", approved_by=[(ADD, ["sam"])])
    taken = entry(6, "root", approved_by=[(TAKE, ["sam", "kim"])])
    again = entry(7, "sam", approved_by=[(ADD, ["sam"])])
    assert [told(one) for one in read(change(), given, taken, again)] == [["approved", "+sam", "-sam", "+sam"]]


@pytest.mark.parametrize(
    "before",
    [
        {"types": "aws_z"},
        {"kind": "normal"},
        {"implementer": None},
        {"window_end": "2026-11-22.11:00:00"},
        {"accounts": "1"},
        {"environments": "staging"},
        {"plan": f"sha256:{'0f' * 32}"},
    ],
    ids=lambda before: next(iter(before)),
)
def test_each_term_is_part_of_what_was_approved(before: dict[str, str | None]) -> None:
    given = entry(5, "sam", approved_by=[(ADD, ["sam"])])
    old, new = read(change(), given, entry(6, "dana", **before))
    assert [told(old), told(new)] == [["approved", "+sam", EDITED, "-sam"], [EDITED]]
    assert old.history[-1].at == new.history[0].at == T0 + timedelta(minutes=6)
    assert old != new


def test_an_edit_before_anybody_agreed_changes_nothing() -> None:
    (ticket,) = read(change("draft"), entry(5, "dana", types="aws_z"), entry(6, "dana", types="aws_y"))
    assert (told(ticket), ticket.scope.types) == (["draft"], ("aws_a",))


def test_an_edit_of_the_title_keeps_the_approval() -> None:
    (ticket,) = read(change(), entry(5, "sam", approved_by=[(ADD, ["sam"])]), entry(6, "dana", title="x", messages=[]))
    assert told(ticket) == ["approved", "+sam"]


def test_who_edits_and_approves_at_once_approves_the_new_terms() -> None:
    given = entry(5, "sam", approved_by=[(ADD, ["sam"])])
    both = entry(6, "kim", types="aws_z", status="draft", approved_by=[(ADD, ["kim"])])
    old, new = read(change(), given, both)
    assert [told(old), told(new)] == [["draft", "+sam", EDITED, "-sam"], [EDITED, "approved", "+kim"]]


def test_every_edit_after_an_approval_is_another_ticket() -> None:
    journal = []
    for minute in (5, 15, 25):
        journal.append(entry(minute, "sam", approved_by=[(ADD, ["sam"])]))
        journal.append(entry(minute + 1, "dana", types=f"aws_{minute}", approved_by=[(TAKE, ["sam"])]))
    found = read(change(), *journal)
    assert [one.scope.types for one in found] == [("aws_5",), ("aws_15",), ("aws_25",), ("aws_a",)]
    assert [told(one) for one in found[:2]] == [["approved", "+sam", EDITED, "-sam"], [EDITED, "+sam", EDITED, "-sam"]]


def test_a_retired_ticket_says_so() -> None:
    (ticket,) = read(change(), entry(5, "root", "retired"), entry(6, "root", "restored"), entry(7, "root", "link"))
    assert told(ticket) == ["approved", "retired", "approved"]


@pytest.mark.parametrize("journal", [[], [entry(5, "sam", approved_by=[(ADD, ["sam"])])]], ids=["none", "its start"])
def test_a_tracker_that_forgot_its_journal_says_so(journal: list[Entry]) -> None:
    (ticket,) = tickets(change(), journal, "roundup", "")
    assert ticket.incomplete == "its journal does not go back to its creation"
    assert (ticket.scope.types, len(ticket.history)) == (("aws_a",), 2 * len(journal))


def test_every_field_that_a_tracker_may_have_is_read() -> None:
    said = {name: f" {name}=1\n{name}=2" for name in LISTS}
    now = msgspec.structs.replace(change(), **said, plan=f"sha256:{'0f' * 32}", groups="dba\nweb")
    (ticket,) = read(now)
    assert ticket.scope == TicketScope(*((f"{name}=1", f"{name}=2") for name in LISTS))
    assert (ticket.plan and ticket.plan.fingerprint, ticket.groups) == (f"sha256:{'0f' * 32}", ("dba", "web"))
    assert ticket.incomplete == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"tags": "Team=a\nred"}, "an item of 'tags' is Name=value"),
        ({"plan": "latest"}, "'plan' is a fingerprint such as sha256:9f2c… with 64 digits, not 'latest'"),
    ],
)
def test_terms_that_cannot_be_understood_are_not_relied_on(said: dict[str, str], why: str) -> None:
    (ticket,) = read(msgspec.structs.replace(change(), **said))
    assert ticket.incomplete == why


def test_a_property_that_is_hidden_from_us_is_not_taken_for_empty() -> None:
    with pytest.raises(ValueError, match="change7: its environments may not be seen by our user"):
        tickets(change(), [CREATED], "roundup", "", ["environments"])


def test_a_time_in_another_form_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not match format"):
        tickets(change(), [Entry("yesterday", "dana", "create", {})], "roundup", "")
