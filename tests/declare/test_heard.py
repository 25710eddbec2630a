"""What people wrote in tickets and left in files: what of it counts, and who is told once that theirs does not."""

import textwrap
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from night import CASE, GRANT, HOUR, MINUTE, NOW, call, ground, opened, seen

from agent.config import Config
from agent.declare import Ground, find, rules, write
from agent.heard import Heard, listen
from agent.model import Document, Review, Update
from agent.store import ScanCommit, Store
from agent.tickets import Reply, TicketError

LATER = NOW + 4 * HOUR
FORM = """\
driftwarden document
why: Checkout was down.
incident: INC-7
done: Opened port 443.
told: kim, by phone
way-back: revert
"""


@dataclass
class System:
    """A ticket system that holds replies and keeps what it is told."""

    written: list[Reply] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    asked: list[tuple[str, datetime | None]] = field(default_factory=list)
    silent: bool = False
    takes_nothing: bool = False
    gone: str = ""
    """A ticket that was deleted."""
    name: str = "fake"

    def reply(self, text: str, by: str = "dana.k", at: datetime = NOW + HOUR) -> None:
        self.written.append(Reply(str(len(self.written) + 1), at, by, text))

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:
        self.asked.append((ref, since))
        if self.silent:
            raise TicketError("no answer within 10 s")
        if ref == self.gone:
            raise TicketError("no such issue", permanent=True)
        return tuple(self.written)

    def update(self, ref: str, note: str) -> None:
        if self.takes_nothing:
            raise TicketError("read-only for now")
        self.told.append((ref, note))


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def held(store: Store) -> Ground:
    """What is judged by, and an open case of dana's that has a ticket."""
    seen(store, call(), ticket="SEC-1", opened_at=NOW, actors=("dana",))
    return ground(store)


def heard(judged_by: Ground, system: System | None, base: Path, now: datetime = LATER) -> Heard:
    config = msgspec.structs.replace(Config(), base=str(base))
    said: Any = system
    return listen(config, judged_by, said, now)


def test_a_form_in_the_ticket_documents_and_a_review_in_it_reviews(
    held: Ground, system: System, tmp_path: Path
) -> None:
    system.reply("On my way.")
    system.reply(FORM)
    system.reply("driftwarden review: accept\nreason: I saw the calls.", "kim", NOW + 2 * HOUR)
    assert heard(held, system, tmp_path) == Heard(2)
    assert system.asked == [("SEC-1", NOW - 15 * MINUTE)]
    document, review = held.store.declarations.listed()
    assert isinstance(document, Document)
    assert isinstance(review, Review)
    assert (document.case, document.by.person, document.by.how, document.by.said_at) == (
        CASE,
        "dana",
        "ticket",
        NOW + HOUR,
    )
    assert (document.by.principal, document.by.evidence) == ("dana.k", "SEC-1 2")
    assert (review.by.person, review.accepted, review.reason) == ("kim", True, "I saw the calls.")
    # Read again in every scan: the same declarations, and nobody is bothered.
    assert heard(held, system, tmp_path, LATER + HOUR) == Heard(2)
    assert len(held.store.declarations.listed()) == 2
    assert system.told == []


def test_what_is_wrong_with_a_form_is_answered_once(held: Ground, system: System, tmp_path: Path) -> None:
    system.reply(FORM.replace("INC-7", "").replace("revert", "later"))
    found = heard(held, system, tmp_path)
    assert (found.taken, len(found.refused)) == (0, 1)
    assert found.refused[0].startswith("SEC-1, reply of dana.k: line 3: 'incident' is empty.")
    ((ref, note),) = system.told
    assert ref == "SEC-1"
    assert note.startswith("dana.k, what you wrote does not count: line 3: 'incident' is empty.")
    assert "'way-back' must be revert or codify" in note
    assert heard(held, system, tmp_path, LATER + HOUR).refused == found.refused
    assert len(system.told) == 1
    (event,) = [one for one in held.store.ledger.events() if one.kind == "reply.refused"]
    assert event.body["ticket"] == "SEC-1"
    assert (event.body["reply"], event.body["by"]) == ("1", "dana.k")
    # A second mistake is another reply.
    system.reply(FORM.replace("kim, by phone", ""))
    heard(held, system, tmp_path, LATER + 2 * HOUR)
    assert len(system.told) == 2


def test_an_answer_that_was_not_taken_is_given_in_the_next_scan(held: Ground, system: System, tmp_path: Path) -> None:
    system.reply("driftwarden document\nwhy: x")
    system.takes_nothing = True
    heard(held, system, tmp_path)
    assert system.told == []
    system.takes_nothing = False
    heard(held, system, tmp_path)
    assert len(system.told) == 1


def test_somebodys_form_quoted_to_comment_on_it_is_no_document(held: Ground, system: System, tmp_path: Path) -> None:
    system.reply(FORM)
    quoted = "".join(f"> {line}\n" for line in FORM.splitlines())
    system.reply(f"Which port was it before?\n\n{quoted}", "kim", NOW + 2 * HOUR)
    assert heard(held, system, tmp_path) == Heard(1)
    (document,) = held.store.declarations.listed()
    assert document.by.person == "dana"
    # Filled in within the quote it is a form of their own.
    system.reply(quoted.replace("Opened port 443", "Opened ports 443 and 80"), at=NOW + 3 * HOUR)
    assert heard(held, system, tmp_path) == Heard(2)


def test_a_system_that_is_silent_is_told(held: Ground, system: System, tmp_path: Path) -> None:
    seen(held.store, call("e2"), ticket="SEC-2", opened_at=NOW, key="bbbbbb0123456789", grant="BG-bbbbbbbbbbbb")
    system.silent = True
    found = heard(held, system, tmp_path)
    assert found.taken == 0
    assert found.unread == tuple(f"replies in SEC-{n} were not read: no answer within 10 s" for n in (1, 2))


def test_whoever_closed_the_ticket_by_hand_is_heard_in_it(held: Ground, system: System, tmp_path: Path) -> None:
    """Its news stand in another since; of one that was deleted nothing is awaited."""
    store = held.store
    (case,) = store.cases.open()
    for ref in ("SEC-1", "SEC-9"):
        actions = (Update(case, f"news for {ref}"),)
        store.scans.begin(f"filed in {ref}", NOW, "c", "r")
        store.scans.commit(ScanCommit(f"filed in {ref}", NOW, "violations", b"{}", actions=actions))
        filed = store.outbox.claim_some("filer", NOW, HOUR, 9)
        assert store.outbox.sent_all([(one, ref) for one in filed], NOW) == len(filed) > 0
    system.reply(FORM)
    assert heard(held, system, tmp_path).unread == ()
    assert [ref for ref, _ in system.asked] == ["SEC-1", "SEC-9"]
    assert store.declarations.listed()[0].by.evidence == "SEC-1 1"
    system.gone = "SEC-1"
    assert heard(held, system, tmp_path).unread == ()
    system.gone = "SEC-9"
    assert heard(held, system, tmp_path).unread == ("replies in SEC-9 were not read: no such issue",)
    system.gone, system.silent = "", True
    assert len(heard(held, system, tmp_path).unread) == 2


def test_only_open_cases_with_a_ticket_are_asked_for(store: Store, system: System, tmp_path: Path) -> None:
    seen(store, call(), opened_at=NOW)
    seen(store, call("e2"), held=True, ticket="SEC-2", key="bbbbbb0123456789")
    assert heard(ground(store), system, tmp_path) == Heard()
    assert system.asked == []
    assert heard(ground(store), None, tmp_path) == Heard()


def test_without_a_system_files_are_taken_all_the_same(held: Ground, tmp_path: Path, keys: Path) -> None:
    judged_by = Ground(held.store, held.estate, held.authority, held.directory, keys / "allowed_signers")
    write(tmp_path / "offline", opened(), keys / "dana")
    (tmp_path / "offline" / "x.driftwarden.json").write_text("{}")
    found = heard(judged_by, None, tmp_path)
    assert found.taken == 1
    (why,) = found.refused
    assert "x.driftwarden.json: is no signed statement" in why


@pytest.mark.parametrize(
    ("by", "text", "why"),
    [
        ("stranger", FORM, "stranger is not in the identity map"),
        ("twin.a", FORM, "'twin.a' is other and twin in the identity map: cannot tell who says it"),
        ("ops", FORM, "ops is a shared credential"),
        ("gone", FORM, "gone is not valid on 2026-11-27 in the identity map"),
        ("dana.k", "driftwarden review: accept", f"dana acted in case {CASE}: somebody else reviews it"),
        ("DANA.K", "driftwarden review: accept", f"dana acted in case {CASE}: somebody else reviews it"),
        ("stranger", "driftwarden review: accept", "stranger is not in the identity map"),
        ("kim", "driftwarden review: reject", "to reject needs a reason"),
        ("kim", "driftwarden review 999999: accept", "no case '999999'"),
        ("kim", "driftwarden post-implementation review: accept", "is not accepted yet: the review after the work"),
    ],
)
def test_what_does_not_count_is_said_with_the_reason(
    held: Ground, system: System, tmp_path: Path, by: str, text: str, why: str
) -> None:
    if "review" in text:
        system.reply(FORM, at=NOW + MINUTE)
    before = len(system.written)
    system.reply(text, by)
    found = heard(held, system, tmp_path)
    assert found.taken == before
    (said,) = found.refused
    assert why in said
    ((_, note),) = system.told
    assert note.startswith(f"{by}, what you wrote does not count: ")
    assert why in note
    assert len(held.store.declarations.listed()) == before


def test_a_reply_may_name_another_case_and_hold_both(held: Ground, system: System, tmp_path: Path) -> None:
    other = "bbbbbb0123456789"
    seen(held.store, call("e2", "erik"), opened_at=NOW, key=other, grant="BG-bbbbbbbbbbbb", actors=("erik",))
    system.reply(FORM.replace("document", f"document DW-{other[:8]}"), "erik")
    assert heard(held, system, tmp_path) == Heard(1)
    document = find(held.store, other).document
    assert document is not None
    assert document.by.person == "erik"
    # Whoever documents cannot accept in the same breath: one of the two counts.
    system.reply(f"{FORM}\ndriftwarden review: accept\n", at=NOW + 2 * HOUR)
    found = heard(held, system, tmp_path)
    assert found.taken == 2
    assert len(found.refused) == 1
    assert find(held.store, GRANT).review is None


def test_a_clock_that_is_ahead_dates_nothing_in_the_future(held: Ground, system: System, tmp_path: Path) -> None:
    system.reply(FORM, at=LATER + timedelta(days=3))
    heard(held, system, tmp_path)
    (document,) = held.store.declarations.listed()
    assert document.by.said_at == LATER


def test_what_strangers_write_is_cleaned_before_it_is_shown(held: Ground, system: System, tmp_path: Path) -> None:
    system.reply(FORM.replace("revert", "\u202e"), "mal\u202elory")
    found = heard(held, system, tmp_path)
    for said in (found.refused[0], system.told[0][1]):
        assert "\u202e" not in said
        assert "mal⟨U+202E⟩lory" in said


def rewrapped(form: str) -> str:
    """A form as a mail client quotes it."""
    return "".join(f"> {line}\n" for long in form.splitlines() for line in textwrap.wrap(long, 30))


def test_whoever_reviews_below_a_rewrapped_quote_documents_nothing(
    held: Ground, system: System, tmp_path: Path
) -> None:
    form = FORM.replace("Opened port 443.", "Opened port 443 on the group of the load balancers, then waited.")
    system.reply(form)
    system.reply(f"Which port was it before?\n\n{rewrapped(form)}", "kim", NOW + 2 * HOUR)
    system.reply(f"driftwarden review: accept\nreason: I saw the calls.\n\n{rewrapped(form)}", "kim", NOW + 3 * HOUR)
    # A quote that the client broke is no broken form of theirs.
    broken = rewrapped(form).replace("way-back:", "way")
    system.reply(f"driftwarden post-implementation review: accept\n\n{broken}", "kim", NOW + 3 * HOUR)
    assert heard(held, system, tmp_path) == Heard(3)
    document, *reviews = held.store.declarations.listed()
    assert isinstance(document, Document)
    assert document.by.person == "dana"
    assert [(type(one), one.by.person) for one in reviews] == [(Review, "kim")] * 2


def test_a_quoted_form_is_only_its_writers(held: Ground, system: System, tmp_path: Path) -> None:
    system.reply(FORM, "stranger")  # takes nobody's word
    system.reply(rewrapped(FORM.replace("443", "80")))
    changed = FORM.replace("443", "80 and more")
    system.reply(rewrapped(changed), "kim", NOW + 2 * HOUR)
    system.reply(rewrapped(changed), "DANA.K", NOW + 3 * HOUR)
    found = heard(held, system, tmp_path)
    assert {one.by.person for one in held.store.declarations.listed()} == {"dana"}
    assert found.refused[0] == (
        "SEC-1, reply of kim: the form is quoted, and the one before it is dana.k's: write your own without quote marks"
    )
    assert "stranger is not in the identity map" in found.refused[1]


def test_many_strangers_are_answered_so_often_and_ask_nothing_of_the_store(
    held: Ground, system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(store: Store, name: str) -> Any:
        raise AssertionError(name)

    for _ in range(50):
        system.reply("driftwarden review: accept", "mallory")
    system.reply(FORM.replace("INC-7", ""))
    monkeypatch.setattr(rules, "find", found)
    for _ in range(2):
        said = heard(held, system, tmp_path)
        assert said.taken == 0
        assert said.refused[0].startswith("SEC-1, reply of dana.k: line 3")
        assert len(said.refused) == 21
        assert said.refused[-1] == "and 31 more replies in SEC-1 that do not count"
        assert len(system.told) == 21
    assert system.told[0][1].startswith("dana.k, ")
    assert [note for _, note in system.told if "no more are given" in note] == [system.told[-1][1]]


def test_what_counted_counts_on_when_its_writer_has_left(held: Ground, system: System, tmp_path: Path) -> None:
    system.reply(FORM)
    assert heard(held, system, tmp_path) == Heard(1)
    people = tuple(one if one.id != "dana" else replace(one, valid_until=LATER) for one in held.directory.people)
    left = replace(held, directory=replace(held.directory, people=people))
    assert heard(left, system, tmp_path, LATER + HOUR) == Heard(1)


def test_files_that_were_not_read_are_told(held: Ground, tmp_path: Path) -> None:
    (tmp_path / "offline").touch()
    found = heard(held, None, tmp_path)
    assert found == Heard(0, (f"{tmp_path / 'offline'}: cannot be listed: Not a directory",))
