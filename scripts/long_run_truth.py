"""Compares what the daemon left in its store and in the register with the stories' truth: no more, no less.

Hides how calls, cases and tickets are told apart: a case is the events it answers for, and nothing else names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from long_run_cast import Seen, Truth

from agent.model import Case
from agent.store import Store


class Known(Seen):
    """The daemon's cases, as its store had them at the last look."""

    def __init__(self, store: Store, recorder: Any) -> None:
        self._store, self._recorder = store, recorder
        self._by_key: dict[str, list[str]] = {}
        self._read = 0
        self.cases: dict[str, Case] = {}
        self._of_event: dict[str, str] = {}

    def look(self) -> None:
        """Reads the cases and the records anew."""
        self.cases = {record.case.key: record.case for record in self._store.cases.listed()}
        self._of_event = {event: key for key, case in self.cases.items() for event in case.events}
        self._hear()

    def _hear(self) -> None:
        records = self._recorder.records
        for record in records[self._read :]:
            key = record["userIdentity"].get("accessKeyId", "")
            if not record.get("readOnly") and not record.get("errorCode"):
                self._by_key.setdefault(key, []).append(record["eventID"])
        self._read = len(records)

    def events(self, keys: Sequence[str]) -> list[str]:
        """Ids of the calls of these sessions that changed something."""
        return [event for key in keys for event in self._by_key.get(key, ())]

    def case_of(self, keys: Sequence[str]) -> tuple[str, str] | None:
        """See `Seen.case_of`."""
        found = {self._of_event[event] for event in self.events(keys) if event in self._of_event}
        return next(((key, self.cases[key].state) for key in sorted(found)), None)

    def stage_of(self, case: str) -> str:
        """See `Seen.stage_of`."""
        return self.cases[case].stage or ""

    def all_in(self, keys: Sequence[str]) -> bool:
        """See `Seen.all_in`."""
        self._hear()  # a call made since the last look is one of them, and in no case yet
        return all(event in self._of_event for event in self.events(keys))


def differences(
    truths: Iterable[Truth], known: Known, document: Mapping[str, Any], tickets: Sequence[Path]
) -> Iterator[str]:
    """Every way in which what was found is not what happened; `document` is of a whole scan after everything."""
    truths = list(truths)
    mine = {truth.number: [*known.events(truth.keys), *truth.events] for truth in truths}
    home = {event: truth for truth in truths for event in mine[truth.number]}
    expected = {truth.number for truth in truths if truth.case != "none"}
    for case in known.cases.values():
        owners = {home[event].number: home[event] for event in case.events if event in home}
        if len(owners) != 1:
            names = ", ".join(sorted(one.name for one in owners.values())) or "nobody's"
            yield f"case {case.key} is {names}: {case.title}"
            continue
        (truth,) = owners.values()
        if truth.number not in expected:
            yield f"{truth.name}: {'a second' if truth.case != 'none' else 'a'} case {case.key}: {case.title}"
            continue
        expected.discard(truth.number)
        yield from _case(truth, case, mine[truth.number])
    yield from (f"{truth.name}: no case" for truth in truths if truth.number in expected)
    yield from _changes(home, document)
    yield from _tickets(known.cases.values(), tickets)
    refused = sum(truth.refused for truth in truths)
    if document["coverage"]["trail"]["denied"] != refused:
        yield f"{document['coverage']['trail']['denied']} refused calls, and there were {refused}"


def _case(truth: Truth, case: Case, events: Sequence[str]) -> Iterator[str]:
    if case.state != truth.case:
        marks = ", ".join(case.told) or "none"
        yield f"{truth.name}: its case {case.key} is {case.state} {case.stage or ''}, not {truth.case}; marks: {marks}"
    if set(case.events) != set(events):
        yield f"{truth.name}: its case answers for {len(case.events)} calls, and there were {len(events)}"
    if tuple(case.actors) != tuple(sorted(truth.actors)):
        yield f"{truth.name}: its case names {case.actors}, not {truth.actors}"


def _changes(home: Mapping[str, Truth], document: Mapping[str, Any]) -> Iterator[str]:
    judged: dict[str, Mapping[str, Any]] = {}
    # A finding knows more than the trail: that an exception covers it.
    found = (change for finding in document["findings"] for change in finding["changes"])
    for change in (*document["changes"], *found):
        for event in change["event_ids"]:
            judged[event] = change["verdict"]
    for event, truth in home.items():
        verdict = judged.pop(event, None)
        if verdict is None:
            yield f"{truth.name}: its call {event} was not judged"
        elif verdict["outcome"] != truth.outcome:
            yield f"{truth.name}: a call is {verdict['outcome']}, not {truth.outcome}"
        elif (verdict["ticket"] or "") != truth.ticket:
            yield f"{truth.name}: a call rests on {verdict['ticket']}, not {truth.ticket or 'no ticket'}"
    yield from (f"a change that nobody made: {event}" for event in judged)


def _tickets(cases: Iterable[Case], tickets: Sequence[Path]) -> Iterator[str]:
    text = {path.name: path.read_text(encoding="utf-8") for path in tickets}
    found = Counter[str]()
    for case in cases:
        its = [name for name, said in text.items() if f"case: {case.key}" in said or case.key in said.split("\n", 3)[0]]
        found[case.key] = len(its)
        if len(its) != 1:
            yield f"case {case.key} has {len(its)} tickets: {case.title}"
        elif (case.state == "closed") != ("state: closed" in text[its[0]]):
            yield f"case {case.key} is {case.state}, and its ticket {its[0]} is not"
    if len(text) != sum(found.values()):
        yield f"{len(text)} tickets for {len(found)} cases"
