"""What stands of the approvals of a forge's issue or request, as one thing after the other happens to it; pure.

Hides how the approval label, reviews and edits of the terms play together, and which state they make.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from agent.tickets.history import Step
from agent.tickets.terms import Terms

OPEN, APPROVED, REFUSED, CLOSED, MERGED = "open", "approved", "changes requested", "closed", "merged"
"""States. Forges know open, closed and merged; the two others come of the approval label and of reviews."""


def planned(terms: Terms, start: datetime, end: datetime) -> bool:
    """Whether an open issue that nobody named may permit a change of the interval, by what its text asks for.

    What its text was meant to ask for and cannot be read may be anything.
    """
    if terms == Terms():
        return False
    return bool(terms.problem) or not ((terms.start and terms.start > end) or (terms.end and terms.end < start))


@dataclass(slots=True)
class Standing:
    """What stands after all that was told; each method takes one thing that happened, and gives its steps."""

    terms: Terms
    labelled: str = ""
    """Who set the approval label that is on."""
    given: dict[str, str] = field(default_factory=dict)
    """Id of each review whose approval stands → who gave it."""
    refused: dict[str, str] = field(default_factory=dict)
    """Id of each review whose request for changes stands → who made it."""
    over: str = ""
    """Closed or merged."""

    @property
    def state(self) -> str:
        """The state it is in."""
        if self.over:
            return self.over
        if self.refused:
            return REFUSED
        return APPROVED if self.labelled or self.given else OPEN

    def edit(self, at: datetime, terms: Terms) -> list[Step]:
        """Its text was edited: no step where the terms stayed the same, else the end of every approval.

        The label's too: it must be set again.
        """
        if terms == self.terms:
            return []
        self.terms, self.labelled = terms, ""
        self.given.clear()
        return [Step(at, self.state, terms)]

    def label(self, at: datetime, who: str) -> list[Step]:
        """The approval label was set: that is an approval, in the name of whoever sets it.

        Where it is on already, it went away unseen: a label that is deleted leaves no trace.
        """
        before, self.labelled = self.labelled, who
        ended = frozenset({before} - {*self.given.values(), who, ""})
        return [Step(at, self.state, approved=frozenset({who}), withdrawn=ended)]

    def unlabel(self, at: datetime) -> list[Step]:
        """The approval label was taken off."""
        gone, self.labelled = self.labelled, ""
        return [Step(at, self.state, withdrawn=frozenset({gone} - {*self.given.values(), ""}))]

    def approve(self, at: datetime, who: str, review: str) -> list[Step]:
        """Somebody approved; that ends what they asked for before."""
        self.refused = {other: one for other, one in self.refused.items() if one != who}
        self.given[review] = who
        return [Step(at, self.state, approved=frozenset({who}))]

    def approve_in_vain(self, at: datetime, who: str) -> list[Step]:
        """Somebody approved what is not there any more: shown, and never counted."""
        self.refused = {other: one for other, one in self.refused.items() if one != who}
        standing = {*self.given.values(), self.labelled}
        ended = Step(at, self.state, withdrawn=frozenset({who} - standing))
        return [Step(at, approved=frozenset({who})), ended] if who not in standing else [ended]

    def refuse(self, at: datetime, who: str, review: str) -> list[Step]:
        """Somebody asked for changes: that ends their approvals."""
        ended = self._ended([other for other, one in self.given.items() if one == who])
        self.refused[review] = who
        return [Step(at, self.state, withdrawn=ended)]

    def end(self, at: datetime, reviews: Collection[str]) -> list[Step]:
        """These reviews were dismissed or taken back."""
        ended = self._ended(reviews)
        for review in reviews:
            self.refused.pop(review, "")
        return [Step(at, self.state, withdrawn=ended)]

    def _ended(self, reviews: Collection[str]) -> frozenset[str]:
        """Who approves no more once these reviews say nothing."""
        gone = {self.given.pop(review, "") for review in reviews}
        return frozenset(gone - {*self.given.values(), self.labelled, ""})

    def turn(self, at: datetime, over: str) -> list[Step]:
        """It was closed or merged; empty: opened again. What was merged stays so when it is closed as well."""
        self.over = MERGED if over and self.over == MERGED else over
        return [Step(at, self.state)]
