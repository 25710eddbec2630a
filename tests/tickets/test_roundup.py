"""What is Roundup's own: whose word counts in its journal, what its pages show, and servers that misbehave."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from misbehaving import Answer, misbehaving
from people import HOUR, START, told
from roundup_server import BOT, BOT_PASSWORD, Tracker

from agent.model import Case, CaseKey, FindingId, Ticket
from agent.tickets import TicketError
from agent.tickets.http import RefusedError
from agent.tickets.roundup import Roundup
from agent.tickets.roundup_journal import LATER


@pytest.fixture
def roundup(tracker: Tracker) -> Roundup:
    return Roundup(tracker.url, BOT, BOT_PASSWORD)


def change(tracker: Tracker, **fields: object) -> str:
    """Number of a change that dana wrote and lee implements."""
    return tracker.create("dana", "change", **{"title": "Raise it", "implementer": "lee", "types": "aws_a"} | fields)


def said(answer: httpx2.Response) -> tuple[int, str]:
    """Status of a refused edit, and why."""
    return answer.status_code, answer.json().get("error", {}).get("msg", "")


def read(roundup: Roundup, number: str) -> list[Ticket]:
    return [
        one for one in roundup.lookup([f"change{number}"], START, START + HOUR).found if one.ref == f"change{number}"
    ]


def test_nobody_approves_for_another(tracker: Tracker, roundup: Roundup) -> None:
    number = change(tracker)
    refusal = (405, "Only an Approver approves, and only in person")
    assert said(tracker.edit("dana", "change", number, approved_by=["sam"])) == refusal
    assert said(tracker.edit("dana", "change", number, approved_by=["dana"])) == refusal
    assert said(tracker.edit("sam", "change", number, approved_by=["kim", "sam"])) == refusal
    moved = said(tracker.edit("dana", "change", number, status="approved"))
    assert moved == (405, "Only an Approver moves a change to 'approved'")
    skipped = said(tracker.edit("dana", "change", number, status="implementing"))
    assert skipped == (405, "A change is approved before it is implemented")
    (ticket,) = read(roundup, number)
    assert [(event.state, event.approved_by) for event in ticket.history] == [("draft", "")]


def test_nobody_approves_by_mail(tracker: Tracker, roundup: Roundup) -> None:
    number = change(tracker)
    tracker.mail("sam", f"[change{number}] Raise it [status=approved;approved_by=+sam]")
    (ticket,) = read(roundup, number)
    assert told(ticket) == ["draft"]
    assert "Changes are not edited by mail: its sender can be forged" in (tracker.home / "mail").read_text()


def test_an_edit_of_the_terms_ends_the_approval_of_the_old_ones(tracker: Tracker, roundup: Roundup) -> None:
    number = change(tracker)
    tracker.edit("sam", "change", number, status="approved", approved_by=["sam"])
    tracker.edit("dana", "change", number, types="aws_a\naws_b")
    tracker.edit("kim", "change", number, status="approved", approved_by=["kim"])
    before, after = read(roundup, number)
    assert [before.scope.types, after.scope.types] == [("aws_a",), ("aws_a", "aws_b")]
    assert [told(before), told(after)] == [
        ["draft", "approved", "+sam", "edited after approval", "-sam"],
        ["edited after approval", "draft", "approved", "+kim"],
    ]


def test_many_changes_come_with_their_journals(tracker: Tracker, roundup: Roundup) -> None:
    numbers = [change(tracker, title=f"number {n}") for n in range(3)]
    found = roundup.lookup([f"change{number}" for number in numbers], START, START + HOUR).found
    titles = {one.ref: (one.title, one.history[0].state) for one in found}
    assert [titles[f"change{number}"] for number in numbers] == [(f"number {n}", "draft") for n in range(3)]


def test_a_finished_change_is_found_by_name_only(tracker: Tracker, roundup: Roundup) -> None:
    number = change(tracker)
    tracker.edit("dana", "change", number, status="rejected")
    assert [one.history[-1].state for one in read(roundup, number)] == ["rejected"]
    assert f"change{number}" not in {one.ref for one in roundup.lookup([], START, START + HOUR).found}


def test_what_a_stranger_files_in_our_words_is_not_ours(tracker: Tracker, roundup: Roundup) -> None:
    case = Case(CaseKey("5742aa00c1"), "x", (FindingId("F-5742aa00c1"),), "low")
    words = f"driftwarden case {case.key} {case.findings[0]}"
    message = tracker.create("lee", "msg", content="hush", summary=words, author="lee")
    tracker.create("lee", "issue", title="hush (DW-5742aa00c1)", messages=[message])
    assert roundup.find(case) is None
    ours = roundup.open(case)
    assert roundup.find(case) == ours


def test_a_note_that_names_another_case_is_not_its_ticket(roundup: Roundup) -> None:
    victim = Case(CaseKey("71c71ed0"), "x", (FindingId("F-71c71ed0"),), "low")
    words = f"driftwarden case {victim.key} {victim.findings[0]}"
    loud = roundup.open(Case(CaseKey("10bdf00d"), words, (FindingId("F-10bdf00d"),), "low", body=words))
    roundup.update(loud, words)
    assert roundup.find(victim) is None


def test_the_page_of_a_hostile_case_runs_nothing(tracker: Tracker, roundup: Roundup) -> None:
    nasty = "<script>alert('dw')</script><img src=x onerror=alert('dw')>"
    ref = roundup.open(Case(CaseKey("c0ffee0123"), nasty, (FindingId("F-1"),), "low", body=nasty))
    page = httpx2.get(f"{tracker.url}{ref}", auth=("dana", "dana")).text
    assert "alert('dw')</script>" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert" in page


def reply(tracker: Tracker, ref: str, who: str, text: str, **more: object) -> str:
    """Number of a message that somebody wrote into an issue."""
    message = tracker.create(who, "msg", content=text, date=".", **{"author": who} | more)
    put(tracker, ref, who, message)
    return message


def put(tracker: Tracker, ref: str, who: str, message: str) -> None:
    """Somebody puts a message into an issue."""
    number = ref.removeprefix("issue")
    with tracker.client(who) as client:
        known = client.get(f"rest/data/issue/{number}").json()["data"]["attributes"]["messages"]
    assert tracker.edit(who, "issue", number, messages=[*(one["id"] for one in known), message]).status_code == 200


def test_nobody_replies_in_anothers_name(tracker: Tracker, roundup: Roundup) -> None:
    ref = roundup.open(Case(CaseKey("5afe0001"), "x", (), "low"))
    reply(tracker, ref, "lee", "accepted", author="sam")
    tracker.mail("sam", f"[{ref}] accepted")
    elsewhere = roundup.open(Case(CaseKey("5afe0002"), "y", (), "low"))
    put(tracker, elsewhere, "lee", reply(tracker, ref, "sam", "accepted"))
    assert [(one.by, one.text) for one in roundup.replies(ref)] == [("lee", "accepted"), ("sam", "accepted")]
    assert roundup.replies(elsewhere) == ()


def test_a_reply_is_not_rewritten(tracker: Tracker, roundup: Roundup) -> None:
    ref = roundup.open(Case(CaseKey("5afe0003"), "x", (), "low"))
    message = reply(tracker, ref, "sam", "rejected")
    refusal = (405, "Messages are not edited: write another one")
    assert [said(tracker.edit(who, "msg", message, content="accepted")) for who in ("lee", "sam")] == [refusal] * 2
    assert [(one.by, one.text) for one in roundup.replies(ref)] == [("sam", "rejected")]


def test_a_tracker_whose_messages_can_be_rewritten_gives_no_replies(tracker: Tracker, roundup: Roundup) -> None:
    ref = roundup.open(Case(CaseKey("5afe0004"), "x", (), "low"))
    reply(tracker, ref, "sam", "accepted")
    lenient = Roundup(tracker.url, BOT, BOT_PASSWORD)
    ask = lenient._site.ask
    journals = {"data": {"1": []}}
    with misbehaving(Answer(body=json.dumps(journals).encode())) as server:
        elsewhere = Roundup(server.url, BOT, BOT_PASSWORD)
        lenient._site.ask = lambda method, path, *rest, **more: (elsewhere._site.ask if "journal/" in path else ask)(
            method, path, *rest, **more
        )
        with pytest.raises(TicketError, match="lets people rewrite each other's messages") as failed:
            lenient.replies(ref)
    assert failed.value.permanent


def test_an_older_tracker_without_the_later_fields_is_read(tracker: Tracker) -> None:
    number = change(tracker)
    asked: list[str] = []

    class Older(Roundup):
        """Asks a tracker that refuses the later fields as Roundup 2.6 refuses what it does not know."""

        def _ask(self, method: str, path: str, *rest: Any, params: Any = None, **more: Any) -> Any:
            for name in LATER if path == "data/change" else ():
                if name in params["@fields"].split(","):
                    asked.append(name)
                    raise RefusedError(f"answered 400: 'Unknown property: {name}'", 400)
            return super()._ask(method, path, *rest, params=params, **more)

    (ticket,) = read(Older(tracker.url, BOT, BOT_PASSWORD), number)
    assert (ticket.scope.types, ticket.scope.environments, ticket.incomplete) == (("aws_a",), (), "")
    assert asked == list(LATER)


def test_the_later_fields_are_read(tracker: Tracker, roundup: Roundup) -> None:
    number = change(tracker, environments="staging", tags="Team=blue", plan=f"sha256:{'0f' * 32}", groups="dba")
    (ticket,) = read(roundup, number)
    assert (ticket.scope.environments, ticket.scope.tags, ticket.groups) == (("staging",), ("Team=blue",), ("dba",))
    assert ticket.plan
    assert ticket.plan.fingerprint == f"sha256:{'0f' * 32}"


def test_notes_at_the_same_time_are_all_kept(tracker: Tracker, roundup: Roundup) -> None:
    ref = roundup.open(Case(CaseKey("0ddba11"), "x", (), "low"))
    failed: list[TicketError] = []

    def note(text: str) -> None:
        try:
            roundup.update(ref, text)
        except TicketError as error:
            failed.append(error)

    threads = [threading.Thread(target=note, args=(f"note {n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with tracker.client("dana") as client:
        messages = client.get(f"rest/data/issue/{ref.removeprefix('issue')}").json()["data"]["attributes"]["messages"]
    assert len(messages) + len(failed) == 4
    assert not any(error.permanent for error in failed)


def test_a_wrong_password_is_permanent_and_stays_unsaid(tracker: Tracker) -> None:
    intruder = Roundup(tracker.url, BOT, "hunter2-wrong")
    with pytest.raises(TicketError, match="does not accept our user and password") as failed:
        intruder.find(Case(CaseKey("k"), "x", (), "low"))
    assert failed.value.permanent
    now = datetime.now(UTC)
    (why,) = intruder.lookup([], now, now).unanswered
    assert why == f"roundup: {tracker.url}: does not accept our user and password"
    assert "hunter2" not in repr(failed.value) + why


def test_another_name_for_the_tracker_is_refused_with_the_reason(tracker: Tracker) -> None:
    elsewhere = Roundup(tracker.url.replace("127.0.0.1", "localhost"), BOT, BOT_PASSWORD)
    with pytest.raises(TicketError, match=r"answered 400: .*not allowed to use Rest Interface") as failed:
        elsewhere.find(Case(CaseKey("k"), "x", (), "low"))
    assert failed.value.permanent


CASE = Case(CaseKey("k"), "x", (FindingId("F-1"),), "low")
FAILURES: dict[str, tuple[Answer, bool, str]] = {
    "forbidden": (Answer(403, body=b"Forbidden."), True, "answered 403: Forbidden."),
    "not there": (Answer(404, body=b"\x1b[31mgone"), True, "answered 404: ⟨U+001B⟩[31mgone"),
    "throttled": (Answer(429, {"Retry-After": "7"}), False, "too many requests; it asks us to wait for 7 s"),
    "throttled for ever": (Answer(429, {"Retry-After": "9" * 30}), False, "it asks us to wait for 3600 s"),
    "throttled, no word": (Answer(429, {"Retry-After": "soon"}), False, "it asks us to wait for 60 s"),
    "broken": (Answer(500, body=b""), False, "answered 500: Internal Server Error"),
    "maintenance": (Answer(503, body=b"back soon"), False, "answered 503: back soon"),
    "elsewhere": (
        Answer(302, {"Location": "http://169.254.169.254/latest"}),
        True,
        "redirects to http://169.254.169.254/latest; configure the address it answers at",
    ),
    "a login page": (
        Answer(body=b"<html>log in</html>"),
        False,
        "answered what we do not understand: JSON is malformed",
    ),
    "another shape": (Answer(body=b'{"data": 7}'), False, "answered what we do not understand: Expected `object`"),
    "a deep answer": (Answer(body=b'{"data":' * 50_000), False, "answered what we do not understand"),
    "an endless answer": (Answer(body=b" " * 16_000_001), False, "answered more than 16,000,000 bytes"),
    "compressed": (
        Answer(headers={"Content-Encoding": "gzip"}),
        False,
        "answered compressed, which we did not ask for",
    ),
    "slow": (Answer(body=b" " * 10, pieces=10, pause=0.1), False, "had not answered in full after 0.3 s"),
    "silent": (Answer(body=b" ", pause=0.6), False, "did not answer: timed out"),
}


@pytest.mark.parametrize(("answer", "permanent", "why"), FAILURES.values(), ids=FAILURES)
def test_a_server_that_misbehaves(answer: Answer, permanent: bool, why: str) -> None:
    with misbehaving(answer) as server:
        roundup = Roundup(server.url, BOT, "secret-word", timeout=0.3 if answer.pause else 20.0)
        with pytest.raises(TicketError) as failed:
            roundup.find(CASE)
        assert (failed.value.permanent, why in str(failed.value)) == (permanent, True), str(failed.value)
        assert len(server.asked) == 1
        now = datetime.now(UTC)
        found = roundup.lookup(["change1"], now, now)
    assert found.found == ()
    assert [line.startswith(f"roundup: {server.url}") for line in found.unanswered] == [True]
    assert "secret-word" not in str(failed.value) + found.unanswered[0]


def test_every_act_fails_alike() -> None:
    with misbehaving(Answer(503)) as server:
        roundup = Roundup(server.url, BOT, BOT_PASSWORD)
        for act in (
            lambda: roundup.find(CASE),
            lambda: roundup.open(CASE),
            lambda: roundup.update("issue1", "x"),
            lambda: roundup.close("issue1", "x"),
        ):
            with pytest.raises(TicketError, match="answered 503") as failed:
                act()
            assert not failed.value.permanent


def test_a_server_that_asked_us_to_wait_is_left_in_peace() -> None:
    with misbehaving(Answer(429, {"Retry-After": "60"})) as server:
        roundup = Roundup(server.url, BOT, BOT_PASSWORD)
        for _ in range(3):
            with pytest.raises(TicketError, match=r"asks us to wait for 60 s|asked us to wait for (59|60) s more"):
                roundup.find(CASE)
        assert len(server.asked) == 1


def test_a_date_to_come_back_at_is_understood() -> None:
    at = datetime.now(UTC) + timedelta(seconds=90)
    throttled = misbehaving(Answer(429, {"Retry-After": f"{at:%a, %d %b %Y %H:%M:%S} GMT"}))
    with throttled as server, pytest.raises(TicketError, match=r"wait for (8\d|90) s"):
        Roundup(server.url, BOT, BOT_PASSWORD).find(CASE)


def test_nobody_at_home_may_pass() -> None:
    with misbehaving(Answer()) as server:
        url = server.url
    with pytest.raises(TicketError, match=r"did not answer: .*refused") as failed:
        Roundup(url, BOT, BOT_PASSWORD).find(CASE)
    assert not failed.value.permanent


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://x/", "'ftp://x/' is not an http:// or https:// address"),
        ("tracker.example.com/tk", "'tracker.example.com/tk' is not an http:// or https:// address"),
        ("https://", "'https://' is not an http:// or https:// address"),
        ("https://bot:pw@x/tk/", "credentials do not belong into the address of x"),
    ],
)
def test_a_bad_address_is_named(url: str, why: str) -> None:
    with pytest.raises(TicketError) as failed:
        Roundup(url, BOT, BOT_PASSWORD)
    assert (str(failed.value), failed.value.permanent) == (why, True)
