"""One contract for every ticket system: each test runs over the register, a real Roundup, and a fake of each other one.

`make redmine-contract` runs it over a real Redmine as well.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from people import HOUR, MORE, SCOPE, START, People, RegisterPeople, told

from agent.filing import LEASE, drain
from agent.model import Case, CaseKey, Close, FindingId, Open, Ticket, Update
from agent.store import ScanCommit, Store, connect
from agent.tickets import TicketError, TicketSystem


def named(people: People, ref: str, start: datetime = START) -> list[Ticket]:
    """The tickets under a reference, of all that a lookup gives."""
    return [ticket for ticket in people.system.lookup([ref], start, start + HOUR).found if ticket.ref == ref]


def test_a_ticket_comes_as_its_system_records_it(people: People) -> None:
    ref = people.approved()
    (ticket,) = named(people, ref)
    assert (ref, people.system.name, "Raise it", "standard") == (ticket.ref, ticket.system, ticket.title, ticket.kind)
    assert (ticket.requester, ticket.implementer) == ("dana", "lee")
    assert ticket.scope == SCOPE
    assert (ticket.start, ticket.end) == (START, START + HOUR)
    assert told(ticket) in (["draft", "approved", "+sam"], ["open", "approved", "+sam"])
    assert ticket.incomplete == ""
    assert all(abs(datetime.now(UTC) - event.at) < 2 * HOUR for event in ticket.history)
    assert sorted(event.at for event in ticket.history) == [event.at for event in ticket.history]


def test_a_withdrawn_approval_is_named(people: People) -> None:
    ref = people.approved()
    people.withdraw(ref)
    (ticket,) = named(people, ref)
    words = told(ticket)
    assert words[1:3] == ["approved", "+sam"]
    assert [word for word in words if word[0] in "+-"] == ["+sam", "-sam"]


@pytest.mark.parametrize(
    ("start", "end"), [(START, START + HOUR), (None, START + HOUR), (START, None), (None, None)], ids=str
)
def test_a_ticket_nobody_named_is_found_by_its_window(
    people: People, start: datetime | None, end: datetime | None
) -> None:
    ref = people.approved(start, end)
    found = people.system.lookup([], START + HOUR / 2, START + 2 * HOUR)
    assert [ref] == [ticket.ref for ticket in found.found if ticket.ref == ref]
    assert found.unanswered == ()


def test_a_ticket_nobody_named_is_found_by_its_history(people: People) -> None:
    ref = people.approved()
    now = datetime.now(UTC)
    found = people.system.lookup([], now - HOUR, now + HOUR).found
    assert ref in {ticket.ref for ticket in found}


def test_a_ticket_of_another_time_is_found_only_by_name(people: People) -> None:
    ref = people.approved()
    later = START + timedelta(days=9)
    assert ref not in {ticket.ref for ticket in people.system.lookup([], later, later + HOUR).found}
    assert len(named(people, ref, later)) == 1


NOTHING = ["change999999", "CHG-NONE", "RM-999999", "OPS-999999", "CHG0999999", "GH-999999", "acme/changes#999999"]
NOTHING += [
    "acme/changes!999999",
    "change1;drop",
    "change1,2",
    "RM-1,2",
    "../../etc/passwd",
    "issue1/../2",
    "",
    "变更1",
]
"""Well-formed references of every system to nothing, and what is none."""


def test_references_to_nothing_find_nothing(people: People) -> None:
    later = START + timedelta(days=9)
    refs = NOTHING
    found = people.system.lookup(refs, later, later + HOUR)
    assert {ticket.ref for ticket in found.found}.isdisjoint(refs)
    assert found.unanswered == ()


def test_an_edit_of_the_terms_ends_the_approval_of_the_old_ones(people: People) -> None:
    ref = people.approved()
    people.edit(ref)
    found = named(people, ref)
    edited = [ticket for ticket in found if MORE in ticket.scope.types]
    assert edited
    for ticket in edited:
        # Where a system keeps no old text, what was approved before is not known, and says so.
        assert ticket.incomplete or ("+sam" not in told(ticket) and "approved" not in told(ticket))
    assert "+sam" in {word for ticket in found for word in told(ticket)}
    before = [ticket for ticket in found if "+sam" in told(ticket)]
    assert [told(ticket)[-1] for ticket in before] == ["-sam"] * len(before)


def test_a_ticket_that_was_deleted_gives_no_authority(people: People) -> None:
    ref = people.approved()
    people.delete(ref)
    now = datetime.now(UTC)
    found = people.system.lookup([ref], now - HOUR, now + HOUR)
    assert found.unanswered == ()
    # A tracker that keeps what was deleted says that it was.
    left = [told(ticket) for ticket in found.found if ticket.ref == ref]
    assert all(words[-1] != "approved" and not words[-1].startswith("+") for words in left)


def test_a_case_is_found_by_its_key_and_by_each_finding(people: People, case: Case) -> None:
    assert people.system.find(case) is None
    ref = people.system.open(case)
    assert ref == people.system.find(case)
    for finding in case.findings:
        rekeyed = replace(case, key=CaseKey(uuid.uuid4().hex[:16]), findings=(FindingId("F-000000000000"), finding))
        assert ref == people.system.find(rekeyed)
    other = replace(case, key=CaseKey(case.key[:-1]), findings=(FindingId(case.findings[0][:-1]),))
    assert people.system.find(other) is None


def test_a_case_reads_as_it_was_written(people: People, case: Case) -> None:
    title, body, *_ = people.read(people.system.open(case))
    assert case.title in title
    assert case.body in body


def test_a_case_gives_no_authority(people: People, case: Case) -> None:
    ref = people.system.open(case)
    now = datetime.now(UTC)
    found = people.system.lookup([ref, case.key], now - HOUR, now + HOUR)
    assert ref not in {ticket.ref for ticket in found.found}
    assert found.unanswered == ()


def test_notes_are_added_in_order_and_once(people: People, case: Case) -> None:
    ref = people.system.open(case)
    for note in ("one\n  more", "one\n  more", "two", "one\n  more"):
        people.system.update(ref, note)
    assert [text.strip() for text in people.read(ref)[-3:]] == ["one\n  more", "two", "one\n  more"]
    assert len(people.read(ref)) == 5


def test_a_closed_case_is_closed_once_and_its_return_is_a_new_ticket(people: People, case: Case) -> None:
    first = people.system.open(case)
    people.system.close(first, "what was found is no longer so")
    people.system.close(first, "and again")
    assert people.read(first)[-1].strip() == "what was found is no longer so"
    assert people.system.find(case) is None
    second = people.system.open(case)
    assert first != second
    assert second == people.system.find(case)


def test_a_note_on_a_closed_case_does_not_reopen_it(people: People, case: Case) -> None:
    ref = people.system.open(case)
    people.system.close(ref, "gone")
    people.system.update(ref, "seen once more")
    assert people.system.find(case) is None
    assert people.read(ref)[-1].strip() == "seen once more"


def test_a_ticket_that_is_not_there_cannot_be_written_to(people: People) -> None:
    for ref in (*NOTHING, "issue999999", "DW-000000000000", "../../../etc/passwd", "change1"):
        for act in (people.system.update, people.system.close):
            with pytest.raises(TicketError) as failed:
                act(ref, "note")
            assert failed.value.permanent, ref


def test_a_reply_is_read_with_who_wrote_it(people: People, case: Case) -> None:
    ref = people.system.open(case)
    people.system.update(ref, "our own note")
    people.reply(ref, "lee", "Reason: the queue was full\n  INC-7")
    people.system.update(ref, "another of ours")
    people.reply(ref, "sam", "accept")
    found = people.system.replies(ref)
    if isinstance(people, RegisterPeople):
        assert found == ()  # a file does not know who wrote into it
        return
    assert [(one.by, one.text.strip()) for one in found] == [
        ("lee", "Reason: the queue was full\n  INC-7"),
        ("sam", "accept"),
    ]
    now = datetime.now(UTC)
    assert all(abs(now - one.at) < HOUR for one in found)
    assert len({one.id for one in found}) == 2
    assert people.system.replies(ref, now + HOUR) == ()
    assert people.system.replies(ref, now - HOUR) == found
    people.system.close(ref, "done")
    assert people.system.replies(ref) == found


def test_a_hostile_reply_is_inert(people: People, case: Case) -> None:
    ref = people.system.open(case)
    people.reply(ref, "lee", "\x1b[2J\u202eyes\r\nReason: x")
    texts = [one.text for one in people.system.replies(ref)]
    assert texts == ([] if isinstance(people, RegisterPeople) else ["⟨U+001B⟩[2J⟨U+202E⟩yes\nReason: x"])


def test_a_ticket_that_is_not_there_has_no_replies(people: People) -> None:
    for ref in NOTHING:
        if isinstance(people, RegisterPeople):
            assert people.system.replies(ref) == ()
            continue
        with pytest.raises(TicketError) as failed:
            people.system.replies(ref)
        assert failed.value.permanent, ref


HOSTILE = (
    "\x1b[2J<script>alert(1)</script> \u202egpj.exe\u200b [status=resolved] "
    "@channel @dana issue1 #1 {{7*7}} ${env:HOME} \ud800 \x00 %s"
)


def test_hostile_text_is_inert_and_still_there(people: People, case: Case) -> None:
    nasty = replace(
        case, title=f"{HOSTILE}\nSubject: x", body=f"- &a *a\n---\n{HOSTILE}\r\n\t: !!python/object:os.system\n"
    )
    ref = people.system.open(nasty)
    people.system.update(ref, HOSTILE)
    people.system.close(ref, HOSTILE)
    assert people.system.find(nasty) is None
    title, *texts = people.read(ref)
    assert len(texts) == 3
    for text in (title, *texts):
        assert "<script>alert(1)</script> ⟨U+202E⟩gpj.exe⟨U+200B⟩ [status=resolved]" in text
        assert "⟨U+001B⟩[2J" in text
        assert not {"\x1b", "\u202e", "\u200b", "\x00", "\ud800"} & set(text)
    assert not title.rstrip().endswith("]")


def test_a_long_case_is_cut_and_says_so(people: People, case: Case) -> None:
    ref = people.system.open(replace(case, title="t" * 5000, body="\n".join(["x" * 5000] * 1000)))
    title, body = people.read(ref)
    assert len(title) < 2200
    assert len(body) < 61_000
    # Some systems take less than we would write.
    assert (found := re.search(r"\((\d+) more lines: see the report\)", body))
    assert int(found[1]) >= 971
    assert "… (3000 more characters)" in body


class Killed(BaseException):
    """What `kill -9` is to the code that runs."""


class DiesAfter:
    """A ticket system whose user is killed when the system has done one thing, and before anyone wrote that down."""

    def __init__(self, system: TicketSystem, act: str) -> None:
        self.name = system.name
        self.lookup, self.find = system.lookup, system.find
        self.open, self.update, self.close = system.open, system.update, system.close
        setattr(self, act, self._dying(getattr(system, act)))

    @staticmethod
    def _dying(act: Callable[..., object]) -> Callable[..., object]:
        def dies(*args: object) -> object:
            act(*args)
            raise Killed

        return dies


def planned(store: Store, *actions: Open | Update | Close) -> None:
    """A scan that decided this."""
    run, now = uuid.uuid4().hex, datetime.now(UTC)
    store.scans.begin(run, now, "c", "r")
    store.scans.commit(ScanCommit(run, now, "violations", b"{}", actions=actions))


@pytest.mark.parametrize("act", ["open", "update", "close"])
def test_a_kill_between_their_commit_and_our_record_repeats_nothing(
    people: People, case: Case, tmp_path: Path, act: str
) -> None:
    system = people.system
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        for action in (Open(case), Update(case, "once more"), Close(case, "put back")):
            planned(store, action)
        now = datetime.now(UTC)
        with pytest.raises(Killed):
            drain(store.outbox, DiesAfter(system, act), "first", lambda: now)
        assert drain(store.outbox, system, "second", lambda: now).sent == 0
        later = now + LEASE + timedelta(seconds=1)
        left = {"open": 3, "update": 2, "close": 1}[act]
        assert drain(store.outbox, system, "second", lambda: later).sent == left
        assert store.outbox.unsent() == ()
        (ref,) = [record.case.ticket for record in store.cases.listed()]
    assert people.count(case) == 1
    assert [note.strip() for note in people.read(ref)[2:]] == ["once more", "put back"]
    assert system.find(case) is None


def test_a_lost_database_adopts_the_open_ticket(people: People, case: Case, tmp_path: Path) -> None:
    refs = []
    for number in range(2):
        with connect(f"sqlite:///{tmp_path}/{number}.db") as store:
            planned(store, Open(case))
            assert drain(store.outbox, people.system, "only", lambda: datetime.now(UTC)).sent == 1
            refs += [record.case.ticket for record in store.cases.listed()]
    assert refs == [people.system.find(case)] * 2
    assert people.count(case) == 1
