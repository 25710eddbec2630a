"""Verdicts on one resource that is changed again and again: kept as pieces that they share, told as they were."""

import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy import text as sql
from story import HOUR, NOW, change, finding, scan, seen
from test_upkeep_of_both import CONFIG, PEOPLE, agreed, tamper

from agent.document import finding as documented
from agent.model import Candidate, Finding, FindingId, JudgedChange
from agent.store import ScanCommit, Store, StoreError, findings, ledger, schema
from agent.store.codec import decode, digest, encode
from agent.store.pieces import DOCUMENTS, FEW, VERDICTS, Joined, Kind, is_cut
from agent.upkeep import prune, prune_evidence, verify

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
QUEUE = FindingId("F-q")


def calls(count: int, first: int = 0, name: str = "q") -> tuple[JudgedChange, ...]:
    """Calls a minute apart, told as fully as CloudTrail's are."""
    verdict = finding().verdict
    request = {"queueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q", "attributes": {"DelaySeconds": "5"}}
    return tuple(
        JudgedChange(
            replace(
                change(name, str(UUID(int=random.Random(f"{name}{n}").getrandbits(128)))),
                time=NOW + n * MINUTE,
                session="ASIAEXAMPLE",
                source_ip="198.51.100.7",
                user_agent=f"aws-cli/2.31.0 {n}",
                request=request,
            ),
            verdict,
        )
        for n in range(first, first + count)
    )


def hot(changes: tuple[JudgedChange, ...], name: str = "q") -> Finding:
    """The newest call explains the drift best, and the others stand behind it, newest first."""
    behind = [Candidate(one.change, 0.3, "may have set it") for one in changes[-4:][::-1]]
    return replace(finding(name), changes=changes, candidates=(replace(behind[0], score=0.9), *behind[1:]))


def size(connection: Connection) -> int:
    """Bytes of all verdicts."""
    parts = "(SELECT sum(length(body)) FROM verdicts), (SELECT coalesce(sum(length(body) + 64), 0) FROM pieces)"
    return sum(connection.exec_driver_sql(f"SELECT {parts}").one())


def test_a_verdict_costs_the_same_however_many_calls_were_there_before(store: Store) -> None:
    """Three hundred looks (half of it on PostgreSQL), one more call each; the last forty are in the look-back."""
    many = 300 if store.database.file else 150
    every = calls(many)
    sizes, told = [], []
    row = {"started_at": NOW, "finished_at": NOW, "config_sha256": "", "ruleset_sha256": ""}
    with store.database.write() as connection:  # one for all: what commits cost is not asked here
        connection.execute(schema.scans.insert(), [{"run_id": f"r{number}", **row} for number in range(1, many + 1)])
        for number in range(1, many + 1):
            told.append(hot(every[max(0, number - 40) : number]))
            at = NOW + number * MINUTE
            ledger.append(connection, findings.record(connection, f"r{number}", at, seen(told[-1])), at)
            if number in (33, many // 3, many * 2 // 3, many):
                sizes.append(size(connection))
    warm, first, second, third = sizes
    early, late = (first - warm) / (many // 3 - 33), (third - second) / (many // 3)
    assert late < 1.5 * early
    assert late < len(encode(told[-1])) / 12
    found = store.findings.judgements(QUEUE)
    assert [one.finding for one in found] == told
    assert [(at, one) for at, one in store.findings.judged(NOW + (many - 5) * MINUTE)] == [
        (NOW + number * MINUTE, told[number - 1]) for number in range(many - 5, many + 1)
    ]
    # What several tell is held once.
    assert len({id(item) for one in found[-100:] for item in one.finding.changes}) < 200
    said = [event.body["body_sha256"] for event in store.ledger.of("verdict.reached")]
    assert said[::10] == [digest(encode(one)) for one in told[::10]]
    assert verify(store).faults == ()


def shown(changes: Sequence[JudgedChange]) -> bytes:
    """A document of a look, as far as it tells of calls: twice."""
    told = [{"event_ids": list(one.change.event_ids), "actor": one.change.actor.arn} for one in changes]
    return json.dumps({"schema": "driftwarden/scan/1", "changes": told, "findings": [{"changes": told}]}).encode()


def look(store: Store, run: str, at: datetime, document: bytes) -> None:
    store.scans.begin(run, at, "", "", kind="trail")
    assert store.scans.commit(ScanCommit(run, at, "violations", document, kind="trail"))


def test_a_look_s_document_is_kept_in_pieces_too(store: Store) -> None:
    """Unlike verdicts they are no evidence: what is old goes, and what a later one tells as well stays."""
    every = calls(160)
    told = [shown(every[first : first + 150]) for first in range(8)]
    for number, document in enumerate(told):
        look(store, f"r{number}", NOW - (40 - 10 * (number // 4)) * DAY, document)
    scan(store, "whole", NOW)
    assert [store.scans.document(f"r{number}") for number in range(8)] == told
    parts = "(SELECT sum(length(body)) FROM document_pieces), (SELECT sum(length(document)) FROM scans)"
    with store.database.read() as connection:
        kept = sum(connection.exec_driver_sql(f"SELECT {parts}").one())
    assert kept < 3 * len(zlib.compress(told[0]))
    assert verify(store).faults == ()
    before = rows(store, "SELECT id FROM document_pieces")
    assert prune(CONFIG, store, NOW).documents == 4
    left = rows(store, "SELECT id FROM document_pieces")
    assert set(left) < set(before)
    assert [store.scans.document(f"r{number}") for number in range(8)] == [None] * 4 + told[4:]
    assert verify(store).faults == ()
    tamper(store, f"DELETE FROM document_pieces WHERE id = {left[0]}")
    assert any("the document of scan r4 is not what was written down" in one for one in verify(store).faults)
    with pytest.raises(StoreError, match="a piece of it was changed or is gone; see `driftwarden db verify`"):
        store.scans.document("r4")


def test_documents_are_cut_before_their_calls() -> None:
    text = json.dumps(documented(hot(calls(40))))
    assert (text.count(DOCUMENTS.call), len(DOCUMENTS.cut(text)) > 2) == (41, True)  # and the one that explains it


def test_few_calls_are_kept_as_they_are(store: Store) -> None:
    quiet = replace(finding(), changes=calls(FEW))
    scan(store, "r1", seen=seen(quiet))
    assert rows(store, "SELECT body FROM verdicts") == [encode(quiet)]
    assert rows(store, "SELECT id FROM pieces") == []


def rows(store: Store, query: str) -> list[object]:
    with store.database.read() as connection:
        return list(connection.execute(sql(query)).scalars())


MARKS = ('{"$":"pieces","of":[1],"sha256":"00"}', '{"$":"Change",', '"', "\\", '\\"$\\":', "é\u0000\ud800", "{", "$")


@pytest.mark.parametrize("few", [0, 99], ids=["cut", "whole"])
def test_what_looks_like_a_mark_is_told_as_it_was(store: Store, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, addresses, requests: whatever an attacker writes stands in a string, where a quote is no quote."""
    monkeypatch.setattr(Kind.put, "__defaults__", (few,))
    told = []
    for number, mark in enumerate(MARKS):
        request = {mark: [mark, {"$": "pieces", "of": [1], "sha256": ""}], "$": mark}
        item = replace(calls(1)[0].change, user_agent=mark, request=request, event_ids=(mark,))
        told.append(replace(finding(mark), id=FindingId(f"F-{number}"), address=mark))
        told[-1] = replace(told[-1], changes=(JudgedChange(item, finding().verdict),), notes=(mark,))
    scan(store, "r1", seen=seen(*told))
    assert [one for _, one in store.findings.judged(NOW)] == told
    assert [is_cut(str(body)) for body in rows(store, "SELECT body FROM verdicts")] == [few == 0] * len(MARKS)
    assert verify(store).faults == ()


marks = st.sampled_from(MARKS) | st.text(st.characters(), max_size=4)


@settings(max_examples=60)
@given(st.lists(st.tuples(marks, marks), max_size=12), marks, st.integers(0, 12))
def test_pieces_joined_are_the_text(told: list[tuple[str, str]], mark: str, few: int) -> None:
    first = calls(1)[0]
    items = tuple(
        replace(first, change=replace(first.change, event_ids=(event,), request={agent: [agent], "$": event}))
        for event, agent in told
    )
    text = encode(replace(finding(mark), changes=items, notes=(mark,)))
    found = VERDICTS.cut(text, few)
    assert "".join(found) == text
    assert (len(found) == 1) == (len(items) <= few)
    assert not is_cut(text)


def test_pieces_are_the_same_wherever_the_list_begins() -> None:
    every = calls(400)
    whole = set(VERDICTS.cut(encode(hot(every[:-1]))))
    for other in (every[1:], every[:200] + every[201:]):
        new = [piece for piece in VERDICTS.cut(encode(hot(other))) if piece not in whole]
        assert sum(map(len, new)) < len(encode(hot(other))) / 4, len(new)


def test_no_piece_is_longer_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever chose what is never a boundary would gain nothing."""
    one = calls(1)
    text = encode(replace(finding(), changes=one * 2000))
    found = VERDICTS.cut(text)
    assert ("".join(found), len(found) > 4) == (text, True)
    assert max(map(len, found)) < 300_000


def test_what_was_told_before_is_left_out_of_the_news(store: Store) -> None:
    every = calls(400)
    told = [hot(every[first : first + 200]) for first in range(0, 200, 40)]
    for number, one in enumerate(told):
        scan(store, f"r{number}", NOW + number * HOUR, seen=seen(one))
    joined = Joined(store.database, VERDICTS)
    new = [decode(Finding, joined.news(str(body))) for body in rows(store, "SELECT body FROM verdicts ORDER BY id")]
    assert new[0] == told[0]
    for before, one, its in zip(told[:-1], told[1:], new[1:], strict=True):
        assert set(map(event, its.changes)) <= set(map(event, one.changes))
        assert set(map(event, its.changes)) >= set(map(event, one.changes)) - set(map(event, before.changes))
        assert len(its.changes) < 150
        assert replace(its, changes=(), candidates=()) == replace(one, changes=(), candidates=())


def event(item: JudgedChange) -> str:
    return item.change.event_ids[0]


# --- what is wrong, and what goes ------------------------------------------------------------------------------


def told_hot(store: Store, name: str = "q", at: datetime = NOW) -> list[Finding]:
    """Two verdicts, the second on a call more."""
    told = [hot(calls(number, name=name), name) for number in (70, 71)]
    for number, one in enumerate(told):
        scan(store, f"{name}{number}", at + number * HOUR, seen=seen(one, inputs=number))
    return told


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE pieces SET body = (SELECT body FROM pieces WHERE id = {b}) WHERE id = {a}", {0, 1}),
        ("UPDATE pieces SET body = {raw} WHERE id = {a}", {0, 1}),
        ("DELETE FROM pieces WHERE id = {a}", {0, 1}),
        ("UPDATE pieces SET id = -1 WHERE id = {a}; UPDATE pieces SET id = {a} WHERE id = {b}", {0, 1}),
        ("DELETE FROM pieces WHERE id = (SELECT max(id) FROM pieces)", {1}),
        ("UPDATE verdicts SET body = replace(body, ',{b},', ',{a},')", {0, 1}),
        ("UPDATE verdicts SET body = replace(body, '\"of\":[', '\"of\":[9999,') WHERE run_id = 'q0'", {0}),
        ("UPDATE verdicts SET body = replace(body, '\"of\":[', '\"of\":[\"x\",') WHERE run_id = 'q0'", {0}),
        ("INSERT INTO pieces (id, sha256, body) SELECT 999, sha256, body FROM pieces WHERE id = {a}", set()),
    ],
    ids=["changed", "no piece", "gone", "another place", "the last gone", "named twice", "more", "none", "loose"],
)
def test_a_piece_that_was_changed_is_told(store: Store, change: str, broken: set[int]) -> None:
    told_hot(store)
    one, other = (json.loads(str(body))["of"] for body in rows(store, "SELECT body FROM verdicts"))
    a, b = [number for number in one if number in other][:2]
    tamper(store, *change.format(a=a, b=b, raw=raw(store)).split("; "))
    faults = verify(store).faults
    if not broken:
        assert faults == ("piece 999 is of no verdict",)
        return
    said = [f"the verdict on F-q of scan q{n} is not what was written down" for n in sorted(broken)]
    assert [one.partition(": ")[2] for one in faults if "of no verdict" not in one] == said
    with pytest.raises(ValueError, match="a stored text is not what was written down"):
        store.findings.judgements(QUEUE)


def raw(store: Store) -> str:
    """Bytes that were never packed, as the engine spells them."""
    return "X'626164'" if store.database.file else "'\\x626164'::bytea"


def test_pieces_take_no_change(store: Store) -> None:
    told_hot(store)
    for statement in ("UPDATE pieces SET sha256 = ''", "DELETE FROM pieces"):
        with pytest.raises(StoreError, match="append-only"), store.database.write() as connection:
            connection.execute(sql(statement))


def test_pieces_go_with_the_last_verdict_that_names_them(store: Store) -> None:
    """Two findings of years ago, one of them still open: what only the other told goes with it."""
    old = datetime(2018, 11, 1, tzinfo=UTC)
    told_hot(store, name="gone", at=old)
    scan(store, "over", old + 9 * HOUR, closed=(FindingId("F-gone"),))
    stay = told_hot(store, name="stay", at=old)
    agreed(store, "prune 2019-06-01", "dana", "kim")
    before = len(rows(store, "SELECT id FROM pieces"))
    done = prune_evidence(CONFIG, store, PEOPLE, date(2019, 6, 1), NOW)
    left = len(rows(store, "SELECT id FROM pieces"))
    assert (done.rows["verdicts"], done.rows["pieces"]) == (2, before - left)
    assert before > left > 5
    assert [one.finding for one in store.findings.judgements(FindingId("F-stay"))] == stay
    assert verify(store).faults == ()
    again = told_hot(store, name="gone", at=NOW)
    assert [one.finding for one in store.findings.judgements(FindingId("F-gone"))] == again
    assert verify(store).faults == ()
