"""What counts of what people declare: who may say what, when, and about what.

Hides every rule of it. A declaration is kept, with its event in the ledger, or refused with the reason; whoever brings
it (command line, ticket, file, later the socket) decides nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from agent.clean import clean
from agent.config import AuthorityConfig, duration
from agent.declare.matter import Matter, changes_of, find
from agent.declare.speakers import Refused, Speaker, is_same, may, names_of, roles_of, stranger
from agent.declare.statements import Accepted, Documented, Opened, Reviewed, id_of
from agent.emergency import said_at
from agent.model import Acceptance, Case, CaseKey, Declaration, Directory, Document, Opening, Review
from agent.people import folded
from agent.store import Store
from agent.store.ledger import PRUNED, RESTORED
from agent.tables import RoleName

PEOPLE_NEEDED = 2
"""How many different people must accept."""

_NEEDS: dict[str, RoleName] = {"hold": "approver", "authority": "admin", "restore": "admin", "prune": "admin"}
_ONCE = ("restore", "prune")
"""What is done once for each time that it is accepted."""
COUNTS = timedelta(days=1)
"""How long one person's word for a restore or a prune waits for another's, and for the deed."""
Declared = TypeVar("Declared", Opening, Document, Review, Acceptance)

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Ground:
    """What declarations are judged by."""

    store: Store
    estate: str
    authority: AuthorityConfig
    """As it is in force (`loosening.in_force`)."""
    directory: Directory
    signers: Path | None = None
    """The `allowed_signers` file in force; None: nobody's signature counts."""

    def may(self, speaker: Speaker, role: RoleName) -> None:
        """Raises Refused where the speaker does not have the role."""
        if why := may(speaker, role, self.directory, self.authority.roles):
            raise Refused(why)


@dataclass(frozen=True, slots=True)
class Source:
    """What a declaration was made in."""

    statement: bytes
    """As it was signed or written: it gives the declaration its id, and is kept."""
    offline: bool = False
    """It came as a signed file."""
    note: str = ""
    """What the ledger is to say besides."""


def reply(ref: str, number: str, text: str) -> Source:
    """A reply in a ticket, by the ticket's reference and the reply's id: the same words twice are two replies."""
    return Source(f"{ref} {number}\n{text}".encode("utf-8", "surrogatepass"))


def open_window(ground: Ground, speaker: Speaker, said: Opened, source: Source) -> Opening:
    """Declares a break-glass window from `speaker.said_at` on. Raises Refused."""
    its_id = id_of(source.statement)
    if kept := _kept(ground, its_id, speaker, Opening):
        return kept
    ground.may(speaker, "documenter")  # who opens must be able to document
    _filled(incident=said.incident)
    for person in said.actors:
        if why := stranger(person, ground.directory, speaker.said_at):
            raise Refused(f"actors: {why}")
    longest = ground.authority.breakglass.longest
    if said.until <= speaker.said_at or (not source.offline and said.until <= speaker.received_at):
        raise Refused(f"the window ended {_at(said.until)}, before it began {_at(speaker.said_at)}")
    if said.until - speaker.said_at > duration(longest):
        lasts = _hours(said.until - speaker.said_at)
        raise Refused(
            f"the window lasts {lasts}, and [authority.breakglass] longest is {longest}; open another one later"
        )
    opening = Opening(
        its_id,
        speaker.proof,
        said.incident.strip(),
        said.until,
        said.reason.strip(),
        said.actors,
        said.roles,
        said.accounts,
        said.environments,
        source.offline,
    )
    _keep(ground, [("breakglass.opened", opening)], source)
    return opening


def document(ground: Ground, speaker: Speaker, said: Documented, source: Source) -> Document:
    """The account of an emergency. Raises Refused, Unheard for a case nobody knows yet."""
    its_id = id_of(source.statement)
    if kept := _kept(ground, its_id, speaker, Document):
        return kept
    matter = find(ground.store, said.case)
    if not matter.emergency:
        raise Refused(
            f"case {matter.key} is not break-glass: it is reviewed (`driftwarden cases review`), not documented"
        )
    _still_open(matter)
    expected = not matter.acting() and speaker.person in matter.actors()
    acted = expected or matter.acted(speaker.person, ground.directory)
    if not acted:
        ground.may(speaker, "documenter")
    elif why := stranger(speaker.person, ground.directory, speaker.received_at):
        raise Refused(why)
    _filled(why=said.why, incident=said.incident, done=said.done, told=said.told)
    if matter.accepted:
        raise Refused(f"case {matter.key} was accepted {_by(matter.review)}: its document stands")
    if matter.times and speaker.said_at < matter.times[0]:
        raise Refused(f"it is dated {_at(speaker.said_at)}, before the first call at {_at(matter.times[0])}")
    account = Document(
        its_id,
        matter.key,
        speaker.proof,
        said.why.strip(),
        said.incident.strip(),
        said.done.strip(),
        said.told.strip(),
        said.way_back,
        said.outage.strip(),
        source.offline,
        () if acted else matter.actors(),
    )
    _keep(ground, [("breakglass.documented", account)], source)
    return account


def review(ground: Ground, speaker: Speaker, said: Reviewed, source: Source) -> Review:
    """Somebody else's judgement of a case. Raises Refused, Unheard for a case nobody knows yet."""
    its_id = id_of(source.statement)
    if kept := _kept(ground, its_id, speaker, Review):
        return kept
    shown = _events(find(ground.store, said.case))
    with ground.store.exclusive("line"):  # a scan that is being kept brings calls that nobody was shown yet
        matter = find(ground.store, said.case)
        if not _events(matter) <= shown:
            raise Refused(f"more calls came into case {matter.key} meanwhile: look at it, and review it then")
        _reviewable(ground, matter, speaker, said)
        judged = Review(its_id, matter.key, speaker.proof, said.accepted, said.reason.strip(), said.post_implementation)
        _keep(ground, [("breakglass.reviewed" if matter.emergency else "case.reviewed", judged)], source)
    return judged


def _events(matter: Matter) -> set[str]:
    return set(matter.case.events) if matter.case else set()


def _reviewable(ground: Ground, matter: Matter, speaker: Speaker, said: Reviewed) -> None:
    _still_open(matter)
    ground.may(speaker, "reviewer")
    _somebody_else(ground, matter, speaker)
    if matter.emergency:
        _documented(matter)
    if said.post_implementation:
        if not matter.emergency:
            raise Refused(f"case {matter.key} is not break-glass: it has one review, and none after the work")
        if not matter.accepted:
            raise Refused(f"case {matter.key} is not accepted yet: the review after the work comes after that")
    elif matter.accepted:
        raise Refused(f"case {matter.key} was accepted {_by(matter.review)} already")
    elif matter.emergency and matter.rejected:
        raise Refused(f"the document of case {matter.key} was rejected {_by(matter.review)}: a new one is needed first")
    if not said.accepted or not matter.emergency:
        _filled(reason=said.reason)


def accept(ground: Ground, speaker: Speaker, said: Accepted, source: Source) -> tuple[Acceptance, ...]:
    """One person's word for what needs two, for all that is named or for nothing. Raises Refused.

    `ground.authority` must be the one in force: a loosened one would appoint its own admins.
    """
    if not said.what:
        raise Refused("nothing is named that could be accepted")
    store, given = ground.store, list[Acceptance]()
    there = {one.id: one for one in store.declarations.listed()}
    held = {case.key: case for case in store.cases.open() if case.state == "held"}
    before = acceptances(store, speaker.received_at)
    whats = dict.fromkeys(said.what)
    for role in {needs_two(what) for what in whats}:
        ground.may(speaker, role)
    mine = _names(speaker, ground.directory)
    for what in whats:
        its_id = id_of(source.statement, what)
        kept = _same(there.get(its_id), speaker, Acceptance)
        if kept is None:
            _not_the_same(speaker, mine, before.get(what, ()))
            kind, _, name = what.partition(" ")
            if kind == "hold":
                _another(ground, speaker, mine, name, held.get(CaseKey(name)))
        given.append(kept or Acceptance(its_id, what, speaker.proof, said.reason.strip()))
    _keep(ground, [(f"{one.what.partition(' ')[0]}.accepted", one) for one in given], source)
    return tuple(given)


def needs_two(what: str) -> RoleName:
    """The role that two different people must have to accept something. Raises Refused for what nobody can accept."""
    kind, _, name = what.partition(" ")
    fits = {
        "hold": bool(name),
        "authority": bool(_SHA256.fullmatch(name)),
        "restore": bool(_SHA256.fullmatch(name)),
        "prune": _is_day(name),
    }
    if not fits.get(kind, False):
        known = "`hold CASE`, `authority SHA256`, `restore SHA256` or `prune DATE`"
        raise Refused(f"'{clean(what, 100)}' is nothing that can be accepted; {known} is")
    return _NEEDS[kind]


def acceptances(store: Store, now: datetime | None = None) -> Mapping[str, tuple[Acceptance, ...]]:
    """What was accepted → by whom, once for each person, their first word since it last had to be accepted.

    That is for a hold since it is held this time, for an authority since the one before came into force, for a restore
    or a prune since it was last done, and not longer than `COUNTS` before `now` (None: whenever).
    """
    used = _used(store)
    held = {f"hold {case.key}": case.opened_at for case in store.cases.open() if case.state == "held"}
    in_force = store.settings.last("authority")
    found: dict[str, dict[str, Acceptance]] = defaultdict(dict)
    for one in store.declarations.listed():
        if not isinstance(one, Acceptance):
            continue
        kind = one.what.partition(" ")[0]
        if kind == "hold" and one.what not in held:
            continue
        if one.id in used or (now is not None and kind in _ONCE and abs(now - one.by.received_at) > COUNTS):
            continue
        since = held.get(one.what) if kind == "hold" else in_force.at if kind == "authority" and in_force else None
        if since is None or one.by.received_at >= since:
            found[one.what].setdefault(folded(one.by.person), one)
    return {what: tuple(by_person.values()) for what, by_person in found.items()}


def accepted(store: Store, what: str, now: datetime | None = None) -> tuple[Acceptance, ...]:
    """Who accepted something: see `acceptances`."""
    return acceptances(store, now).get(what, ())


def agreed(ground: Ground, what: str, now: datetime) -> tuple[str, ...]:
    """Who accepted something that is about to be done, and could still accept it: their role is looked at again."""
    role = needs_two(what)
    there = [one.by.person for one in accepted(ground.store, what, now)]
    return tuple(
        person
        for person in there
        if stranger(person, ground.directory, now) is None
        and role in roles_of(person, ground.directory, ground.authority.roles, now)
    )


def _used(store: Store) -> frozenset[str]:
    """Ids of acceptances that a restore or a prune used up: each is agreed to once.

    The ledger's order says it, which no clock moves. One without an event counts as used.
    """
    every = {one.id: one.what for one in store.declarations.listed() if isinstance(one, Acceptance)}
    waiting = {its_id: what for its_id, what in every.items() if what.partition(" ")[0] in _ONCE}
    if not waiting:
        return frozenset()
    fresh = set[str]()
    for event in store.ledger.of("restore.accepted", "prune.accepted", RESTORED, PRUNED):
        body = event.body
        if "declaration" in body:
            fresh.add(body["declaration"])
            continue
        done = f"restore {body['backup']}" if event.kind == RESTORED else f"prune {body['before']}"
        fresh -= {its_id for its_id, what in waiting.items() if what == done}
    return frozenset(waiting.keys() - fresh)


def released(store: Store) -> tuple[str, ...]:
    """Keys of the held cases that two people let go."""
    said = acceptances(store)
    enough = (what.partition(" ") for what, by in said.items() if len(by) >= PEOPLE_NEEDED)
    return tuple(sorted(name for kind, _, name in enough if kind == "hold"))


def _names(speaker: Speaker, directory: Directory) -> set[str]:
    """What a speaker is called, folded: whoever edits the identity map may have moved their user to another person."""
    names = {folded(name) for name in names_of(speaker.person, directory)}
    return names | {folded(speaker.principal)} - {""}


def _another(ground: Ground, speaker: Speaker, mine: set[str], name: str, case: Case | None) -> None:
    if case is None:
        raise Refused(f"case {clean(name, 60)} is not held; `driftwarden cases list` shows those that are")
    acted = any(folded(name) in mine for name in case.actors)
    if not case.actors:  # a case that an earlier version held
        acted = any(is_same(one.actor, speaker.person, ground.directory) for one in changes_of(ground.store, case))
    if acted:
        raise Refused(f"{clean(speaker.person)} acted in case {case.key}: somebody else accepts it")


def _not_the_same(speaker: Speaker, mine: set[str], before: Iterable[Acceptance]) -> None:
    for one in before:
        if folded(one.by.person) in mine or folded(one.by.principal) in mine:
            said = f"accepted '{clean(one.what, 100)}' {_at(one.by.received_at)}"
            raise Refused(f"{clean(speaker.person)} {said}: it takes another")


def _somebody_else(ground: Ground, matter: Matter, speaker: Speaker) -> None:
    if matter.acted(speaker.person, ground.directory):
        raise Refused(f"{clean(speaker.person)} acted in case {matter.key}: somebody else reviews it")
    if matter.case and matter.case.events and not matter.acting():
        raise Refused(
            f"who acted in case {matter.key} cannot be told any more: nobody can be shown to be somebody else"
        )
    wrote = matter.document
    if wrote is None:
        return
    names = _names(speaker, ground.directory)
    if folded(wrote.by.person) in names or folded(wrote.by.principal) in names:
        raise Refused(f"{clean(speaker.person)} wrote the document of case {matter.key}: somebody else reviews it")
    if speaker.said_at < wrote.by.said_at:
        raise Refused(f"the review is dated {_at(speaker.said_at)}, before the document, {_at(wrote.by.said_at)}")


def _documented(matter: Matter) -> None:
    if matter.document is None:
        raise Refused(f"case {matter.key} is not documented yet: there is nothing to review")
    if matter.uncovered:
        said = f"{_at(matter.times[-1])}, after the document of {_at(said_at(matter.document))}"
        raise Refused(f"a call was made {said}: it must be documented anew first")
    if not matter.seen:
        raise Refused(f"no scan has seen the calls of {matter.key} yet: there is nothing to review")


def _still_open(matter: Matter) -> None:
    if matter.case is not None and matter.case.state == "closed":
        raise Refused(f"case {matter.key} is closed")
    if matter.case is not None and matter.case.state == "held":
        raise Refused(f"case {matter.key} is held: two people accept it first (`driftwarden cases accept`)")


def _filled(**fields: str) -> None:
    """Each says something: a dash, a dot or spaces do not."""
    empty = [name for name, text in fields.items() if not any(map(str.isalnum, text))]
    if empty:
        raise Refused(f"{' and '.join(empty)} must be filled in")


def _kept(ground: Ground, its_id: str, speaker: Speaker, kind: type[Declared]) -> Declared | None:
    """What was kept of the same statement before: it is one declaration however often it comes."""
    return _same(ground.store.declarations.get(its_id), speaker, kind)


def _same(there: Declaration | None, speaker: Speaker, kind: type[Declared]) -> Declared | None:
    if there is None:
        return None
    if not isinstance(there, kind) or there.by.person != speaker.person:
        raise Refused(f"{clean(there.by.person)} declared this, word for word, before")
    return there


def _keep(ground: Ground, declared: Sequence[tuple[str, Declaration]], source: Source) -> None:
    ground.store.declarations.add(declared, source.statement.decode("utf-8", "surrogatepass"), source.note)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _by(review: Review | None) -> str:
    return f"by {clean(review.by.person)} {_at(review.by.received_at)}" if review else ""


def _at(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""


def _hours(length: timedelta) -> str:
    minutes = int(length.total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60} min"
