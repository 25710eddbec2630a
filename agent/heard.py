"""What people said since the last scan: replies in the tickets of cases, and signed files left in a folder.

Hides how a reply becomes a declaration, and that whoever wrote something that does not count is told so once, in the
ticket they wrote it in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.clean import clean
from agent.config import Config
from agent.declare import (
    Documented,
    Ground,
    Refused,
    Reviewed,
    Source,
    Speaker,
    document,
    id_of,
    nonce,
    pick_up,
    reply,
    review,
    writer,
)
from agent.declare.speakers import stranger
from agent.forms import Form, Judgement, Problems, parse_document, parse_review
from agent.model import Case
from agent.people import folded
from agent.store import Store
from agent.tickets import Reply, TicketError, TicketSystem

OFFLINE = "offline"
"""Folder beside the configuration that signed files are left in."""
ANSWERED = "answered"
"""Under which the store keeps, for each ticket, the replies whose writers were told that they do not count."""
BEHIND = timedelta(minutes=15)
"""How far a ticket system's clock may be behind ours: replies are asked for from that long before the case on."""
MOST_ANSWERS = 20
"""In one ticket: whoever may write in it could else make us write without end."""
MOST_SHOWN = 20
"""Of one ticket, and of the folder: what does not count or could not be read; the rest is counted."""


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A reply that does not count."""

    reply: Reply
    why: str
    known: bool = True
    """Whether the identity map knows who wrote it: they come before strangers, who may be many."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of it."""

    taken: int = 0
    """Declarations that were read; those known before count again."""
    unread: tuple[str, ...] = ()
    """Why something could not be read: somebody may have documented in time."""
    refused: tuple[str, ...] = ()
    """What does not count, and why."""


def listen(config: Config, ground: Ground, system: TicketSystem | None, now: datetime) -> Heard:
    """Takes what people said. Replies are read in `system`, which holds the cases' tickets. Raises StoreError."""
    picked = pick_up(config.path(OFFLINE), ground, now)
    taken = sum(one.state == "taken" for one in picked)
    files = {
        state: [f"{one.file}: {clean(one.why)}" for one in picked if one.state == state]
        for state in ("refused", "unread")
    }
    refused = _bounded(files["refused"], "signed files that do not count")
    unread = _bounded(files["unread"], "signed files that could not be read")
    for case, former in _places(ground.store) if system is not None else ():
        assert system is not None  # for the type checker; the loop has no cases otherwise
        try:
            replies = system.replies(case.ticket, case.opened_at - BEHIND if case.opened_at else None)
        except TicketError as error:
            if not (former and error.permanent):  # it was deleted, or is of a system that was asked before this one
                unread.append(f"replies in {clean(case.ticket)} were not read: {error}")
            continue
        found = list(_taken(ground, case, replies, now))
        wrong = sorted((one for one in found if one is not None), key=lambda one: not one.known)
        taken += len(found) - len(wrong)
        ticket = clean(case.ticket)
        shown = [f"{ticket}, reply of {clean(one.reply.by)}: {one.why}" for one in wrong]
        refused += _bounded(shown, f"replies in {ticket} that do not count")
        _answer(ground, system, case, wrong, now)
    return Heard(taken, tuple(unread), tuple(refused))


def _places(store: Store) -> Iterator[tuple[Case, bool]]:
    """Each open case with each ticket that people may answer in, and whether that is one it had before: whoever closed
    it by hand may have said there why."""
    cases = [case for case in store.cases.open() if case.ticket and case.state == "open"]
    filed = store.outbox.tickets(case.key for case in cases)
    for case in cases:
        yield from ((replace(case, ticket=ref), True) for ref in filed.get(case.key, ()) if ref != case.ticket)
        yield case, False


def _bounded(lines: Sequence[str], what: str) -> list[str]:
    more = len(lines) - MOST_SHOWN
    return [*lines[:MOST_SHOWN], *([f"and {more:,} more {what}"] if more > 0 else ())]


def _taken(ground: Ground, case: Case, replies: Iterable[Reply], now: datetime) -> Iterator[_Wrong | None]:
    """Takes the forms and reviews among the replies to a case; gives for each, None or what is wrong with it."""
    before: set[tuple[str, ...]] = set()
    last = ""
    for one in replies:
        form, judged = parse_document(one.text), parse_review(one.text)
        if judged is not None and form is not None and _is_quoted(form, one.text):
            form = None  # whoever reviews quotes what they review
        if isinstance(form, Form):
            words, known = _words(form), _is_known(ground, case, one, now)
            if form.quoted and words in before:
                form = None  # somebody quotes a form to comment on it
            elif form.quoted and last and folded(one.by) != folded(last):
                why = (
                    f"the form is quoted, and the one before it is {clean(last)}'s: write your own without quote marks"
                )
                form = None
                yield _Wrong(one, why, known)
            elif known:
                last = one.by
            before.add(words)
        for said in (form, judged):
            if said is not None:
                yield _declared(ground, case, one, said, now)


def _is_quoted(form: Form | Problems, text: str) -> bool:
    """Whether a form stands in quoted text; a mail client may have broken its lines, and with them the form."""
    if isinstance(form, Form) and form.quoted:
        return True
    own = (line for line in text.splitlines() if not line.lstrip().startswith((">", "&gt;")))
    return parse_document("\n".join(own)) is None


def _speaker(ground: Ground, case: Case, one: Reply, now: datetime) -> Speaker:
    """Raises Refused where the writer's name is several people's."""
    return writer(one.by, ground.directory, min(one.at, now), now, f"{case.ticket} {one.id}")


def _is_known(ground: Ground, case: Case, one: Reply, now: datetime) -> bool:
    try:
        return stranger(_speaker(ground, case, one, now).person, ground.directory, now) is None
    except Refused:
        return False


def _declared(
    ground: Ground, case: Case, one: Reply, said: Form | Judgement | Problems, now: datetime
) -> _Wrong | None:
    """Takes it; what is wrong where it does not count."""
    known = _is_known(ground, case, one, now)
    if isinstance(said, Problems):
        return _Wrong(one, "; ".join(map(str, said.found)), known)
    source = reply(case.ticket, one.id, one.text)
    try:
        speaker = _speaker(ground, case, one, now)
        # What counted before they left counts on. All else is refused before the case is looked up, which takes long.
        if not known and ground.store.declarations.get(id_of(source.statement)) is None:
            raise Refused(stranger(speaker.person, ground.directory, now) or "")
        _declare(ground, case, speaker, said, source)
    except Refused as error:
        return _Wrong(one, str(error), known)
    return None


def _declare(ground: Ground, case: Case, speaker: Speaker, said: Form | Judgement, source: Source) -> None:
    """Raises Refused."""
    at, about = speaker.said_at, said.case or case.key
    if isinstance(said, Form):
        form = Documented(
            at=at,
            estate=ground.estate,
            nonce=nonce(),
            case=about,
            why=said.why,
            incident=said.incident,
            done=said.done,
            told=said.told,
            way_back=said.way_back,
            outage=said.outage,
        )
        document(ground, speaker, form, source)
    else:
        judged = Reviewed(
            at=at,
            estate=ground.estate,
            nonce=nonce(),
            case=about,
            accepted=said.accepted,
            reason=said.reason,
            post_implementation=said.post_implementation,
        )
        review(ground, speaker, judged, source)


def _answer(ground: Ground, system: TicketSystem, case: Case, wrong: Iterable[_Wrong], now: datetime) -> None:
    """Tells whoever wrote something that does not count, once; a system that does not take it is asked again.

    After `MOST_ANSWERS` in a ticket one more says that there are no more.
    """
    name = f"{ANSWERED} {case.ticket}"
    kept = ground.store.settings.last(name)
    told: list[str] = json.loads(kept.body) if kept else []
    for one in wrong:
        if one.reply.id in told:
            continue
        if len(told) > MOST_ANSWERS:
            break
        note = f"{clean(one.reply.by)}, what you wrote does not count: {clean(one.why, 2000)}"
        if len(told) == MOST_ANSWERS:
            note += f" This ticket had {MOST_ANSWERS} such answers: no more are given in it."
        try:
            system.update(case.ticket, note)
        except TicketError:
            continue
        told.append(one.reply.id)
        event = {"ticket": case.ticket, "reply": one.reply.id, "by": one.reply.by, "why": one.why}
        ground.store.settings.keep(name, json.dumps(told), now, [("reply.refused", event)])


def _words(form: Form) -> tuple[str, ...]:
    """What two forms are told apart by: not by where a mail client breaks and marks the lines it quotes."""
    said = (form.why, form.incident, form.done, form.told, form.way_back)
    return tuple(" ".join(re.sub(r"[\s>]+", " ", text).split()) for text in said)
