"""A ticket's history, from what its system recorded step by step: one ticket for each set of terms it had; pure.

Hides what an edit does to an approval given before it, and how old values are rebuilt from present ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent.clean import clean
from agent.model import Ticket, TicketEvent
from agent.tickets.terms import Terms

EDITED = "edited after approval"
"""State of terms that are no longer, or not yet again, the approved ones."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing somebody did to a ticket; what they did at once is one step."""

    at: datetime
    state: str | None = None
    """The state it entered; None: it kept the one it had."""
    terms: Terms | None = None
    """All terms as they were afterwards; None: not touched."""
    approved: frozenset[str] = frozenset()
    """Who gave their own approval here. Names that somebody else wrote down are no approval and stay out."""
    withdrawn: frozenset[str] = frozenset()
    """Whose approval ended here, whoever ended it."""
    group: str = ""
    """The approval group the approvers spoke for."""


def tickets(heading: Ticket, steps: Iterable[Step]) -> list[Ticket]:
    """The ticket once for each set of terms it had since somebody first agreed to it, oldest first.

    `heading` says what has no history: reference, title, requester, and with no steps at all the terms. The first step
    is the ticket's creation: the state and the terms it began with. Entering a later state, or an approval, is
    agreement. An edit of the terms then ends every approval, and the state: what was agreed to before says nothing
    about the new terms. Steps may come in any order; those of the same moment keep theirs, but an edit comes last:
    many systems tell time in seconds, and an approval of the same second is not taken for one of the new terms.
    """
    found: list[Ticket] = []
    events: list[TicketEvent] = []
    approvers: set[str] = set()
    terms: Terms | None = None
    state: str | None = None
    agreed = False
    for number, step in enumerate(_in_order(steps)):
        if agreed and step.terms is not None and step.terms != terms:
            withdrawn = [TicketEvent(step.at, withdrawn_by=name) for name in sorted(approvers)]
            found.append(_ticket(heading, terms, [*events, TicketEvent(step.at, EDITED), *withdrawn]))
            events, approvers, agreed, state = [TicketEvent(step.at, EDITED)], set(), False, EDITED
        terms = terms if step.terms is None else step.terms
        if step.state is not None and (step.state != state or not number):
            events.append(TicketEvent(step.at, clean(step.state or "no state")))
            agreed = agreed or number > 0
            state = step.state
        taken = {clean(name) for name in step.withdrawn if name}
        given = {clean(name) for name in step.approved if name} - taken
        events += [TicketEvent(step.at, approved_by=name, group=clean(step.group)) for name in sorted(given)]
        agreed = agreed or bool(given)
        events += [TicketEvent(step.at, withdrawn_by=name) for name in sorted(approvers & taken)]
        approvers = (approvers | given) - taken
    return [*found, _ticket(heading, terms, events)]


def _in_order(steps: Iterable[Step]) -> list[Step]:
    ordered = sorted(steps, key=lambda step: step.at)
    # The first is the creation, whatever else happened in its second.
    return ordered[:1] + sorted(ordered[1:], key=lambda step: (step.at, step.terms is not None))


def _ticket(heading: Ticket, terms: Terms | None, events: Sequence[TicketEvent]) -> Ticket:
    if terms is None:
        return replace(heading, history=tuple(events))
    return replace(
        heading,
        kind=terms.kind or "normal",
        implementer=clean(terms.implementer),
        scope=terms.scope,
        start=terms.start,
        end=terms.end,
        plan=terms.plan,
        groups=terms.groups,
        history=tuple(events),
        incomplete="; ".join(filter(None, (heading.incomplete, terms.problem))),
    )


@dataclass(frozen=True, slots=True)
class Edit:
    """What one entry of a system's change log did to a ticket's fields."""

    at: datetime
    by: str
    before: Mapping[str, str]
    """Field → what it held until then; only the fields that changed."""
    after: Mapping[str, str]
    """Field → what it held from then on, where the system keeps that as well."""


def rewound(present: Mapping[str, str], edits: Sequence[Edit]) -> tuple[list[Mapping[str, str]], str]:
    """What the fields held before the first edit and after each, from what they hold now; and what does not fit.

    Edits come oldest first; fields that are not in `present` are none of our business. Where an entry left another
    value than the next one found, or than there is now, entries are missing: the second of the pair says so.
    """
    values = dict(present)
    found: list[Mapping[str, str]] = [values]
    problem = ""
    for edit in reversed(edits):
        values = dict(values)
        for name in values.keys() & (edit.before.keys() | edit.after.keys()):
            if name in edit.after and edit.after[name] != values[name]:
                problem = f"its change log is not whole: '{clean(name, 40)}' changed with no entry for it"
            values[name] = edit.before.get(name, values[name])
        found.append(values)
    return found[::-1], problem
