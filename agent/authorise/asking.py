"""One change's verdict: every open path tried with every ticket that may give it authority, and the nearest told.

Hides how tests combine: all of a path's must pass, what cannot be answered never does, and no evidence is no pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.authorise import change_tests, ticket_tests
from agent.authorise.paths import OF_TICKET
from agent.authorise.question import Question
from agent.authorise.settled import Settled
from agent.authorise.terms import Answer, Terms, Timed, shown
from agent.model import Emergency, Outcome, Test

_TIMED = frozenset({"state", "separation", "review"})
"""Tests whose answer depends on the moment that is asked for."""
_RANK: dict[Outcome, int] = {
    "authorised": 0,
    "authorised-emergency": 1,
    "pending-documentation": 2,
    "regularised": 2,
    "indeterminate": 3,
}
_UNACCOUNTED = 4  # an emergency nobody accounted for: of what is not authorised that says most
_NO_PATH = Test("permitted", "fail", "the policy leaves no path open to such a change")


@dataclass(slots=True)
class _Attempt:
    """A path, tried with one ticket, or with none."""

    path: str
    terms: Terms | None
    emergency: Emergency | None
    tests: list[Answer]
    outcome: Outcome
    rank: tuple[int, int, int, str, tuple[object, ...]]
    """Nearest first: authorised, emergencies, undecided, then by how few tests failed and how many passed."""


class Asking:
    """One change's tests, evaluated once each."""

    __slots__ = ("_answers", "_emergencies", "_extras", "asked", "change")

    def __init__(self, asked: Question, emergencies: Sequence[Emergency]) -> None:
        """`emergencies` that the change was made in."""
        self.asked = asked
        self.change = asked.change
        self._emergencies = emergencies
        # Of the change alone, and of each ticket: tests by name.
        self._answers: dict[Terms | None, dict[str, Answer]] = {}
        self._extras = self._with_evidence()

    def settled(self, now: datetime) -> Settled:
        """The verdict as it is to be told at `now`, of this change and of all that are alike."""
        tried = self._tried()
        best = min(tried, key=_rank) if len(tried) > 1 else tried[0]
        outcome, tests = best.outcome, best.tests
        late = best.emergency is not None and best.emergency.late and outcome not in ("unauthorised", "indeterminate")
        if outcome == "unauthorised":
            # An approval given after the change regularises it, and never makes it authorised.
            regular = self._regular(tried, now)
            if regular is not None:
                (best, tests), outcome, late = regular, "regularised", True
        asked, terms = self.asked, best.terms
        return Settled(
            outcome,
            tests,
            best.path,
            terms.ref if terms else "",
            late,
            asked.risk,
            self._grant(tried) if self._emergencies else "",
            ticket_tests.since(asked, terms, now) if terms else (),
            asked.place.environment,
            asked.begins,
            asked.ends,
        )

    # --- what is tried ---

    def _tried(self) -> list[_Attempt]:
        """Every open path with every ticket, until one authorises; never empty."""
        found, none = self._tickets()
        tried = self._try(found, none)
        if self.asked.refs and not (tried and tried[-1].outcome == "authorised"):
            # A standard change is allowed to whoever it is for, whatever else they refer to.
            standing = [terms for terms in self._covering(standard=True) if terms.ref not in self.asked.refs]
            tried += self._try(standing, None) if standing else []
        if tried:
            return tried
        said = "no standard change covers it"
        if found and "standing" not in self.asked.paths:
            said = f"{found[0].ref} is a standard change, and that path is closed"
        none = none or Test("ticket", "fail", said)
        paths = self.asked.paths
        tried = [
            self._attempt(path, None, None, none) for path in sorted(paths) if path != "emergency" or len(paths) == 1
        ]
        return tried or [self._judged("", None, None, [self.asked.credential.actor, _NO_PATH])]

    def _try(self, found: Sequence[Terms], none: Test | None) -> list[_Attempt]:
        tried: list[_Attempt] = []
        for path in self.asked.order:
            for emergency in self._emergencies if path == "emergency" else (None,):
                for terms in self._choices(path, found, none):
                    tried.append(self._attempt(path, terms, emergency, none))
                    if tried[-1].outcome == "authorised" and not self._emergencies:
                        return tried[-1:]
        return tried

    def _choices(self, path: str, found: Sequence[Terms], none: Test | None) -> Sequence[Terms | None]:
        # A standard change is for its groups, and allowed where that path is open: no other path asks for either.
        fitting = [terms for terms in found if (terms.ticket.kind == "standard") == (path == "standing")]
        if path == "standing":
            return fitting
        if OF_TICKET.isdisjoint(self.asked.paths[path]):
            return (None,)
        return fitting if none is None else [*fitting, None]

    def _attempt(self, path: str, terms: Terms | None, emergency: Emergency | None, none: Test | None) -> _Attempt:
        required = self.asked.paths[path]
        answers = self._answers.get(terms)
        if answers is None:
            credential = self.asked.credential
            answers = self._answers[terms] = {"actor": credential.actor, "pipeline": credential.pipeline}
            if terms is not None:
                self._narrow_to(terms)
        tests: list[Answer] = []
        for name in required:
            test = answers.get(name)
            if test is None:
                if terms is None and name in OF_TICKET:
                    # Without a ticket the questions about it have no answer: only `ticket` itself fails.
                    if none is not None:
                        tests.append(none)
                        none = None
                    continue
                if name == "breakglass":  # what is asked of the emergency differs from one to the next
                    test = change_tests.breakglass(emergency)
                else:
                    test = answers[name] = self._listed(name, terms)
            tests.append(test)
        self._add_unlisted(tests, path, terms, emergency, answers)
        return self._judged(path, terms, emergency, tests)

    def _add_unlisted(
        self,
        tests: list[Answer],
        path: str,
        terms: Terms | None,
        emergency: Emergency | None,
        answers: dict[str, Answer],
    ) -> None:
        """The tests that the path need not list, because there is evidence for them."""
        required = self.asked.paths[path]
        for name in _of_evidence(path, terms) if terms is not None else ():
            if name not in required:
                if name not in answers:
                    answers[name] = self._listed(name, terms)
                tests.append(answers[name])
        for test in self._extras:
            if test.name not in required and (path != "emergency" or test.name == "permitted"):
                # Of a freeze a ticket for an emergency has its own answer.
                frozen = test.name == "freeze" and terms is not None and terms.ticket.kind == "emergency"
                tests.append(self._listed("freeze", terms) if frozen else test)
        if path == "emergency" and "breakglass" not in required:
            tests.append(change_tests.breakglass(emergency))

    def _with_evidence(self) -> tuple[Test, ...]:
        """Answers of the tests of the change alone that no path need list: those for which there is evidence."""
        asked, at = self.asked, self.change.time
        kept, credential = asked.grounds.evidence, asked.credential
        reviews = []
        for merge in credential.merges:
            history = asked.grounds.merges.history(merge)
            epoch = history.epoch(at)
            reviews.append(epoch)
            asked.narrow(*history.steady(epoch))
        who = (credential, asked.place.where, asked.era, *reviews)
        found = kept.get(who)
        if found is None:
            answers = [test(asked, None, at, False) for name, test in change_tests.ASKED.items() if name != "freeze"]
            found = kept[who] = tuple(test for test in answers if test is not None)
        freeze = change_tests.freeze(asked, None, at, False)
        return found if freeze is None else (*found, freeze)

    def _narrow_to(self, terms: Terms) -> None:
        """A ticket's answers hold between two entries of its history, within its window or outside it."""
        asked, history = self.asked, terms.history
        asked.narrow(*history.steady(history.epoch(self.change.time)))
        if asked.moment < terms.begins:
            asked.narrow(-math.inf, terms.begins)
        elif asked.moment <= terms.ends:
            asked.narrow(terms.begins, terms.ends)
        else:
            asked.narrow(terms.ends, math.inf)

    def _listed(self, name: str, terms: Terms | None, at: datetime | None = None) -> Answer:
        """The answer of a test that a path lists; of no moment, at the time of the change."""
        if terms is not None and name in OF_TICKET:
            return ticket_tests.ASKED[name](self.asked, terms, at or self.change.time)
        test = change_tests.ASKED[name](self.asked, terms, at or self.change.time, True)
        assert test is not None  # listed
        return test

    @staticmethod
    def _judged(path: str, terms: Terms | None, emergency: Emergency | None, tests: list[Answer]) -> _Attempt:
        failed = unknown = 0
        for test in tests:
            if test.result == "fail":
                failed += 1
            elif test.result == "unknown":
                unknown += 1
        outcome: Outcome = "unauthorised" if failed else "indeterminate" if unknown else "authorised"
        if emergency is not None and outcome == "authorised":
            outcome = _in_emergency(emergency)
        rank = _RANK.get(outcome, 5)
        if emergency is not None and rank == 5 and not _other_failures(tests):
            rank = _UNACCOUNTED
        passed = len(tests) - failed - unknown
        return _Attempt(
            path, terms, emergency, tests, outcome, (rank, failed, -passed, path, terms.order if terms else ())
        )

    # --- tickets ---

    def _tickets(self) -> tuple[list[Terms], Test | None]:
        """Tickets that may give the change authority, and what to say where there is none, or may be another."""
        lookup, silent, refs = self.asked.grounds.lookup, self.asked.grounds.silent, self.asked.refs
        if not refs:
            # The text of a merge request that no forge told of may name the ticket.
            silent = "; ".join(filter(None, (silent, change_tests.unread(self.asked))))
            found = list(self._covering(standard=False))
            if silent:
                said = f"no reference; tickets that may permit it were not read: {silent}"
                return found, Test("ticket", "unknown", said)
            said = "no reference, and no ticket's scope and window cover the change"
            return found, None if found else Test("ticket", "fail", said)
        named: list[Terms] = []
        doubts, missing = [], []
        for ref in sorted(refs) if len(refs) > 1 else refs:
            under, doubt = lookup.named(ref)
            named += under
            if doubt:
                doubts.append(doubt)
            elif not under:
                missing.append(f"{ref} ({refs[ref]})")
        if missing and silent:
            doubts.append(f"{', '.join(missing)}: not looked up: {silent}")
        if doubts:
            return named, Test("ticket", "unknown", "; ".join(doubts))
        return named, None if named else Test("ticket", "fail", f"{', '.join(missing)}: no such ticket")

    def _covering(self, *, standard: bool) -> Iterator[Terms]:
        """Tickets without a reference whose window covers the change, and whose scope does or may."""
        asked, grounds = self.asked, self.asked.grounds
        if asked.place.names is not None:
            first = asked.targets[0]
            near = grounds.lookup.covering(first, asked.place.names, asked.moment, standard=standard)
            asked.narrow(*grounds.lookup.steady(first, asked.moment, standard=standard))
        else:
            near = grounds.lookup.covering_call(self.change.account, asked.moment, standard=standard)
        for terms in near:
            result = ticket_tests.scope(asked, terms, self.change.time).result
            if result == "pass" or (result == "unknown" and terms.covering.by_call):
                yield terms

    # --- what came later ---

    def _regular(self, tried: Sequence[_Attempt], now: datetime) -> tuple[_Attempt, list[Answer]] | None:
        """The attempt that would pass at the earliest later moment, and its tests, saying what came afterwards."""
        found: list[tuple[datetime, tuple[object, ...], int, tuple[_Attempt, list[Answer]]]] = []
        for one in tried:
            if one.terms is None or one.emergency is not None or not self._only_timed(one):
                continue
            for at in self._moments(one.terms, now):
                later = {name: self._listed(name, one.terms, at) for name in _failing(one.tests)}
                if all(test.result == "pass" for test in later.values()):
                    tests = [_afterwards(test, later.get(test.name), shown(at)) for test in one.tests]
                    found.append((at, one.rank, len(found), (one, tests)))
                    break
        return min(found)[-1] if found else None

    @staticmethod
    def _only_timed(one: _Attempt) -> bool:
        return all(test.result == "pass" or (test.result == "fail" and test.name in _TIMED) for test in one.tests)

    def _moments(self, terms: Terms, now: datetime) -> list[datetime]:
        """When, after the change, something became of the ticket or of the commit's review."""
        histories = [terms.history, *map(self.asked.grounds.merges.history, self.asked.credential.merges)]
        return sorted({at for history in histories for at in history.since(self.change.time, now)})

    def _grant(self, tried: Sequence[_Attempt]) -> str:
        """The emergency that covers the change: none covers what nobody is accountable for, or had no business in."""
        covering = [one for one in tried if one.emergency is not None and not _other_failures(one.tests)]
        nearest = min(covering, key=lambda one: one.rank, default=None)
        return nearest.emergency.id if nearest is not None and nearest.emergency is not None else ""


def _rank(one: _Attempt) -> tuple[int, int, int, str, tuple[object, ...]]:
    return one.rank


def _of_evidence(path: str, terms: Terms) -> Sequence[str]:
    """The tests of a ticket that no path need list: what it holds asks for them."""
    if terms.ticket.plan is None:
        return ("implementer",) if path == "standing" and terms.ticket.groups else ()
    return ("content", "implementer") if path == "standing" and terms.ticket.groups else ("content",)


def _in_emergency(emergency: Emergency) -> Outcome:
    if emergency.state == "awaiting-document":
        return "pending-documentation"
    return "regularised" if emergency.late else "authorised-emergency"


def _failing(tests: Sequence[Answer]) -> list[str]:
    return [test.name for test in tests if test.result == "fail"]


def _other_failures(tests: Sequence[Answer]) -> bool:
    return any(test.result == "fail" and test.name != "breakglass" for test in tests)


def _afterwards(test: Answer, later: Answer | None, when: str) -> Answer:
    if later is None:
        return test
    then = later if isinstance(later, Test) else later.told(when)
    said = f"; afterwards: {then.evidence}"
    if isinstance(test, Test):
        return Test(test.name, test.result, test.evidence + said)
    return Timed(test.name, test.result, test.before, test.after + said)
