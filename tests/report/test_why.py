"""`agent.report.why`: a verdict by any name it goes by, with all that a reviewer judges it by."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from line import NOON, RULES, SPECS, passes, queue, ticket
from trail_records import ACCOUNT, END, in_role, record, trail_of

from agent.cli import main
from agent.document import document
from agent.model import (
    Authority,
    EmergencyRole,
    Finding,
    Open,
    PolicyException,
    TicketEvent,
    Tickets,
    Tolerated,
)
from agent.plan import Known
from agent.report import why as module
from agent.report.content import ReportError
from agent.report.why import as_json, why
from agent.report.why_text import why_lines
from agent.risk_file import load_weights
from agent.scan import BreakGlass, Permissive, Scan
from agent.store import ScanCommit, Seen, Store, connect

Json = dict[str, Any]
CALL = record(userAgent="aws-cli/2.31.0 app/CHG-7")
EVENT = CALL["eventID"]
DRIFTED = {"declared": [queue()], "seen": [queue(visibility_timeout_seconds=60)], "records": [CALL]}
CLOSED = (*ticket().history, TicketEvent(NOON - timedelta(hours=1), state="closed"))
HOSTILE = "\x1b[2J\u202e<script>\n# x"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with connect(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


def kept(
    store: Store,
    run: str,
    found: Scan,
    *,
    records: Sequence[Mapping[str, Any]] = (CALL,),
    tickets: Tickets | None = None,
    at: datetime = END,
    closed: Sequence[Finding] = (),
) -> Json:
    """Keeps a scan as a run does; its document as the reader of the JSON gets it."""
    told = document(
        found,
        run_id=run,
        started_at=at,
        config_sha256="0" * 64,
        ruleset_sha256="f" * 64,
        trail=trail_of(*records, specs=SPECS),
        resources={queue().key: queue()},
        cases=store.cases.open(),
    )
    inputs = {"authority": Authority(tickets=tickets or Tickets()), "at": found.at}
    body = json.dumps(told)
    store.scans.begin(run, at, "0" * 64, "f" * 64)
    commit = ScanCommit(
        run,
        at,
        found.status,
        body.encode(),
        seen=tuple(Seen(one, inputs) for one in found.findings),
        closed=tuple(one.id for one in closed),
        actions=found.actions,
    )
    assert store.scans.commit(commit)
    made: Json = json.loads(body)
    return made


def wrong_ticket(store: Store, run: str = "r1", **fields: Any) -> tuple[Json, Scan]:
    """A scan that sees a call under a ticket that was closed by then."""
    terms = ticket(history=CLOSED, title="Raise the timeout", url="https://tickets.acme.example/CHG-7")
    made = replace(terms, **fields)
    found = passes(**DRIFTED, tickets=[made], authority=Authority(weights=load_weights()))
    return kept(store, run, found, tickets=Tickets((made,))), found


def told(store: Store, document: Json, name: str, width: int = 110) -> str:
    return "\n".join(why_lines(why(document, store, name), RULES, width))


def test_a_finding_as_a_reviewer_reads_it(store: Store) -> None:
    found, scan = wrong_ticket(store)
    (finding,) = found["findings"]
    text = told(store, found, finding["id"])
    for expected in (
        "aws_sqs_queue.orders: Unauthorised: ",
        "visibility_timeout_seconds changed  (main.tf:3)",
        "declared  30",
        "2026-03-02 12:00:00 UTC  sqs:SetQueueAttributes by dana",
        f"event {EVENT}",
        "nearest path: manual",
        "Approved at the time",
        "CHG-7 was closed at 2026-03-02 12:00:00 UTC",
        "2026-03-02 11:00:00 UTC  became closed",
        " risk, score ",
        "CHG-7 · Raise the timeout · register",
        "https://tickets.acme.example/CHG-7",
        "requester lena, implementer dana",
        "approved by sam",
        "The way back, as text; nothing of it is ever executed",
        "  visibility_timeout_seconds = 60",
        "Verdicts so far",
        "scan r1",
        f"{finding['case']} · open",
        "As scan r1 saw it.",
    ):
        assert expected in text
    assert [one for one in scan.actions if isinstance(one, Open)]


def test_tests_stand_one_a_line_and_in_columns(store: Store) -> None:
    found, _ = wrong_ticket(store)
    lines = told(store, found, "aws_sqs_queue.orders", 200).splitlines()
    start = lines.index("Verdict") + 2
    tests = found["findings"][0]["verdict"]["tests"]
    rows = lines[start : start + len(tests)]
    assert [row.split()[0] for row in rows] == [test["result"] for test in tests]
    assert len({row.index(test["evidence"]) for row, test in zip(rows, tests, strict=True)}) == 1


@pytest.mark.parametrize("name", ["id", "address", "key", "marker", "ticket", "authority", "event"])
def test_every_name_leads_to_the_verdict(store: Store, name: str) -> None:
    found, _ = wrong_ticket(store)
    (finding,), (case,) = found["findings"], found["cases"]
    case["ticket"] = "OPS-1"
    names = {"id": finding["id"], "address": finding["address"], "key": case["key"], "event": EVENT}
    names |= {"marker": f"DW-{case['key'][:12]}", "ticket": "OPS-1", "authority": "CHG-7"}
    (reason,) = why(found, store, names[name]).reasons
    assert reason.finding == finding
    assert reason.change == (finding["changes"][0] if name == "event" else None)
    assert (reason.case or {})["key"] == case["key"]
    assert (reason.ticket or {})["ref"] == "CHG-7"


@pytest.mark.parametrize(
    "name", ["", "F-000000000000", "DW-", "DW-ffffffffffff", "no-such", "BG-000000000000", "*", HOSTILE]
)
def test_what_nobody_is_called_is_an_error_that_helps(store: Store, name: str) -> None:
    found, _ = wrong_ticket(store)
    with pytest.raises(ReportError, match="`driftwarden findings` lists the findings") as error:
        why(found, store, name)
    assert "\x1b" not in str(error.value)


def test_a_change_with_authority_that_is_no_finding_is_told_by_its_event_and_its_ticket(store: Store) -> None:
    quiet = DRIFTED | {
        "seen": [queue(visibility_timeout_seconds=60)],
        "declared": [queue(visibility_timeout_seconds=60)],
    }
    found = kept(store, "r1", passes(**quiet, tickets=[ticket()]))
    assert found["findings"] == []
    for name in (EVENT, "CHG-7"):
        (reason,) = why(found, store, name).reasons
        assert (reason.finding, (reason.verdict or {})["outcome"]) == (None, "authorised")
        assert "sqs:SetQueueAttributes on aws_sqs_queue.orders: Authorised" in told(store, found, name)


def test_every_verdict_it_ever_had_is_told_oldest_first(store: Store) -> None:
    first = kept(store, "r1", passes(**DRIFTED))
    (before,) = first["findings"]
    late = passes(**DRIFTED, tickets=[ticket()], authority=Authority(history={EVENT: "unauthorised"}))
    second = kept(store, "r2", late, at=END + timedelta(hours=1), tickets=Tickets((ticket(),)))
    (reason,) = why(second, store, before["id"]).reasons
    assert [(one.run, one.outcome, one.late) for one in reason.history] == [
        ("r1", "unauthorised", False),
        ("r2", "authorised", True),
    ]
    assert reason.history[0].failed == ("ticket",)
    lines = told(store, second, before["id"], 160).splitlines()
    rows = lines[lines.index("Verdicts so far") + 1 :][:2]
    assert "Unauthorised: ticket failed" in rows[0]
    assert "Authorised, late" in rows[1]


def test_a_finding_that_is_over_is_told_as_it_was_last_seen(store: Store) -> None:
    first, scan = wrong_ticket(store)
    (finding,) = first["findings"]
    known = Known(store.cases.open(), {finding["id"]: NOON})
    clean = passes(declared=[queue()], seen=[queue()], known=known)
    last = kept(store, "r2", clean, at=END + timedelta(days=1), closed=scan.findings, records=())
    assert last["findings"] == []
    for name in (finding["id"], "aws_sqs_queue.orders", EVENT, first["cases"][0]["key"], "CHG-7"):
        (reason,) = why(last, store, name).reasons
        assert (reason.finding or {})["id"] == finding["id"]
        assert reason.over.startswith("last seen 2026-03-02T20:00:00Z, over since 2026-03-03T20:00:00Z")
    text = told(store, last, finding["id"])
    assert "not in this scan: last seen" in text
    assert "rule is broken" not in text


def test_the_emergency_and_the_exception_that_cover_it_are_told(store: Store) -> None:
    call = record(at="11:00:00", userIdentity=in_role("break-glass", "dana", "ASIABREAK"))
    asked = BreakGlass(roles=(EmergencyRole("break-glass", f"arn:aws:iam::{ACCOUNT}:role/break-glass"),))
    found = kept(store, "r1", passes(**(DRIFTED | {"records": [call]}), breakglass=asked), records=[call])
    (emergency,) = found["emergencies"]
    (reason,) = why(found, store, emergency["id"]).reasons
    assert reason.emergency == emergency
    text = told(store, found, emergency["id"])
    assert "To be documented; document due by 2026-03-03 11:00:00 UTC" in text
    assert "not documented yet" in text

    dates = {"until": END + timedelta(days=9), "since": NOON - timedelta(days=9), "approved": "signed by sam"}
    one = PolicyException("legacy", HOSTILE, "priya", "sam", keys=("*",), source="exceptions/x.yaml:1", **dates)
    one = replace(one, attributes=("*",))
    may = Permissive(Tolerated((one,)))
    excepted = kept(store, "r2", passes(**DRIFTED, permissive=may), at=END + timedelta(hours=1))
    (reason,) = why(excepted, store, "aws_sqs_queue.orders").reasons
    assert (reason.covered_by or {})["owner"] == "priya"
    assert "exception legacy (exceptions/x.yaml:1)" in told(store, excepted, "aws_sqs_queue.orders")


def test_a_ticket_under_which_nothing_was_done_is_told(store: Store) -> None:
    closed = (*ticket().history, TicketEvent(NOON + timedelta(hours=1), state="closed"))
    found = kept(store, "r1", passes(declared=[queue()], seen=[queue()], tickets=[ticket(history=closed)]), records=())
    text = told(store, found, "CHG-7")
    assert text.startswith("CHG-7: no change under it is known")
    assert "not performed  aws_sqs_queue.orders" in text


def test_as_json(store: Store) -> None:
    found, _ = wrong_ticket(store)
    (one,) = json.loads(json.dumps(as_json(why(found, store, "CHG-7"))))
    assert one["finding"] == found["findings"][0]
    assert [entry["what"] for entry in one["ticket"]["history"]] == [
        "became draft",
        "approved by sam",
        "became approved",
        "became closed",
    ]
    assert [(entry["run"], entry["outcome"]) for entry in one["history"]] == [("r1", "unauthorised")]
    assert (one["not_in_scan"], one["emergency"], one["covered_by"]) == (None, None, None)


def test_many_answers_are_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [record(at=f"11:{n:02}:00", userAgent="aws-cli/2.31.0 app/CHG-7") for n in range(5)]
    quiet = {"declared": [queue(visibility_timeout_seconds=60)], "seen": [queue(visibility_timeout_seconds=60)]}
    found = kept(store, "r1", passes(**quiet, records=calls, tickets=[ticket()]), records=calls)
    monkeypatch.setattr(module, "MOST", 2)
    answers = why(found, store, "CHG-7")
    assert (len(answers.reasons), answers.more) == (2, 3)
    assert "3 more are not told" in "\n".join(why_lines(answers, RULES, 80))


@pytest.mark.parametrize("width", [40, 80])
def test_hostile_text_moves_no_cursor_and_fits(store: Store, width: int) -> None:
    found, _ = wrong_ticket(store, title=HOSTILE, requester=HOSTILE, url="javascript:alert(1)")
    found["findings"][0] |= {"notes": [HOSTILE], "way_back": [HOSTILE]}
    found["cases"][0]["title"] = HOSTILE
    lines = why_lines(why(found, store, "CHG-7"), RULES, width)
    assert all(character.isprintable() for line in lines for character in line)
    assert "javascript" not in "".join(lines)


def test_a_history_of_another_version_does_not_hide_the_verdict(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = wrong_ticket(store)

    def unreadable(*_: object) -> object:
        raise ValueError("there is no Wizard")

    monkeypatch.setattr("agent.store.findings.decode", unreadable)
    text = told(store, found, found["findings"][0]["id"])
    assert "its history was written by another version: there is no Wizard" in text
    assert "Approved at the time" in text


def test_the_command(store: Store, tmp_path: Path) -> None:
    found, _ = wrong_ticket(store)
    config = tmp_path / "driftwarden.toml"
    config.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/store.db"\n')
    done = CliRunner().invoke(main, ["why", "CHG-7", "-c", str(config)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("aws_sqs_queue.orders: Unauthorised")
    given = CliRunner().invoke(main, ["why", "CHG-7", "-c", str(config), "--output", "json"])
    assert json.loads(given.stdout)[0]["finding"]["id"] == found["findings"][0]["id"]
    nobody = CliRunner().invoke(main, ["why", "no-such", "-c", str(config)])
    assert (nobody.exit_code, nobody.stdout) == (2, "")
    assert "have nothing called 'no-such'" in nobody.stderr
    shown = [
        CliRunner().invoke(main, ["findings", *words, "-c", str(config)])
        for words in (["show", EVENT], ["show", found["findings"][0]["id"]], [found["findings"][0]["id"]], [], ["list"])
    ]
    assert [one.exit_code for one in shown] == [2, 0, 0, 0, 0]
    assert shown[1].stdout == shown[2].stdout
    assert shown[3].stdout == shown[4].stdout
    assert "the way back, as text" in shown[1].stdout
