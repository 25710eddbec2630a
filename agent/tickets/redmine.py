"""Redmine over REST: change tickets of a tracker of their own, cases as issues (https://www.redmine.org).

Hides that Redmine takes a wrong key for a stranger's and drops without a word what its workflow does not permit, its
pages, how a case is found again, and how text becomes text in its wiki markup. `docs/tickets.md` says what it needs.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote

import msgspec

from agent.clean import clean
from agent.model import Case, Ticket, Tickets
from agent.tickets import Reply, Table, TicketError
from agent.tickets.http import RefusedError, Site
from agent.tickets.redmine_journal import DESCRIPTION, FIELDS, Issue, Named, Past, Reading
from agent.tickets.text import body, lines, marker

PAGE = 100
"""Issues on a page; the most that Redmine gives."""
MOST = 5000
"""Issues of one search, and tickets of one lookup: each is a request."""
CASE = "driftwarden case"
"""How a case's description begins. After it stand the keys the case is found by, and nothing that others wrote."""
NOBODY = frozenset({403, 404})
"""Answers for a user that is locked, or that our user may not see."""

T = TypeVar("T")


class _Issues(msgspec.Struct):
    issues: list[Issue]
    total_count: int


class _Issue(msgspec.Struct):
    issue: Issue


class _User(msgspec.Struct):
    id: int
    login: str = ""


class _Who(msgspec.Struct):
    user: _User


class _Project(msgspec.Struct):
    project: Named


class _Trackers(msgspec.Struct):
    trackers: list[Named]


class _Status(msgspec.Struct):
    id: int
    name: str
    is_closed: bool


class _Statuses(msgspec.Struct):
    issue_statuses: list[_Status]


class Settings(Table, frozen=True):
    """A Redmine site, version 5 or later."""

    url: str
    key: str
    """API access key of our user."""
    project: str
    """Identifier of the project that cases are filed in."""
    tracker: str = ""
    """Name of the tracker of cases; empty: the project's first."""
    closed: str = "Closed"
    """Status that a case is closed with."""
    changes: str = ""
    """Identifier of the project of change tickets; empty: `project`."""
    change_tracker: str = "Change"
    prefix: str = "RM-"
    """What a reference begins with: issue 12 is `RM-12`."""
    formatting: Literal["textile", "markdown"] = "textile"
    """The site's text formatting; `markdown` for CommonMark as well."""
    approvals: Literal["field", "status"] = "field"
    """Who approves: who enters themselves into the field, or who moves a ticket into a status of `approving`."""
    approving: tuple[str, ...] = ("approved",)
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    """What a ticket says → name or number of the custom field that says so, where it is another than the default."""
    final_notes: bool = False
    """Whether nobody may edit notes and no mail is received: a note without the time of its last edit counts then."""


def open_system(settings: Settings, base: Path) -> "Redmine":  # noqa: ARG001 - the contract's
    """The site of a configuration. Raises `TicketError` for settings that cannot be."""
    return Redmine(settings)


class Redmine:
    """One site, as one of its users."""

    name = "redmine"

    def __init__(self, settings: Settings, *, timeout: float = 20.0) -> None:
        """`timeout` in seconds. Raises `TicketError` for settings that cannot be."""
        unknown = sorted(settings.fields.keys() - FIELDS.keys())
        if unknown:
            known = ", ".join(FIELDS)
            raise TicketError(f"no ticket says '{clean(unknown[0], 40)}'; 'fields' has {known}", permanent=True)
        self._site = Site(settings.url, None, {"X-Redmine-API-Key": settings.key}, timeout)
        self._settings = settings
        self._logins: dict[int, str] = {}
        self._reading: Reading | None = None
        self._ref = re.compile(re.escape(settings.prefix) + r"([1-9][0-9]{0,8})")

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        """See `TicketSystem.lookup`. A ticket comes once for each set of terms since it was first agreed to.

        A ticket that is named and that our user may not read comes without terms, as incomplete.
        """
        try:
            me = self._me()
            reading = self._how_to_read()
            numbers = [int(match[1]) for match in map(self._ref.fullmatch, sorted(refs)) if match]
            numbers += self._candidates(reading, start, end)
            found = [ticket for number in dict.fromkeys(numbers) for ticket in self._tickets(number, reading, me)]
            # A key that is taken away makes a stranger of us, who sees less and is told nothing of it.
            self._me()
        except (TicketError, ValueError) as error:
            return Tickets(unanswered=(f"{self.name}: {error}",))
        return Tickets(tuple(one for one in found if one.ref in refs or _meets(one, start, end)))

    def find(self, case: Case) -> str | None:
        """See `TicketSystem.find`. Only what our own user filed is ours: anybody may write our words into an issue."""
        me = self._me()
        for word in map(_word, (case.key, *case.findings)):
            asked = {"project_id": self._settings.project, "status_id": "open", "author_id": str(me)}
            found = self._listed({**asked, "description": f"~{word}"})
            ours = [one.id for one in found if one.author and one.author.id == me and word in _keys(one.description)]
            # Who may edit our issue may make it look like another case's: what it said at first counts.
            for number in sorted(ours):
                if word in _keys(self._first_description(number)):
                    return f"{self._settings.prefix}{number}"
        return None

    def open(self, case: Case) -> str:
        """See `TicketSystem.open`."""
        me = self._me()
        words = " ".join(map(_word, (case.key, *case.findings)))
        title = clean(case.title, 150)
        # Redmine takes 255 characters.
        subject = f"{title if len(title) < 230 else title[:229] + '…'} ({marker(case.key)})"
        text = self._verbatim(f"{CASE} {words}\n\n{body(case)}")
        issue: dict[str, object] = {"project_id": self._settings.project, "subject": subject, "description": text}
        if self._settings.tracker:
            issue["tracker_id"] = self._tracker(self._settings.tracker)
        filed = self._ask("POST", "issues.json", _Issue, send={"issue": issue}).issue
        if filed.author is None or filed.author.id != me:
            raise TicketError(f"{self._site.url}: filed issue {filed.id} in another name than ours", permanent=True)
        return f"{self._settings.prefix}{filed.id}"

    def update(self, ref: str, note: str) -> None:
        """See `TicketSystem.update`. A note that repeats the last one is its second delivery, and changes nothing."""
        number = self._number(ref)
        self._me()
        said = self._verbatim(lines(note))
        notes = [_unix(one.notes) for one in self._issue(number).journals if one.notes]
        if not notes or notes[-1] != said:
            self._ask("PUT", f"issues/{number}.json", type(None), send={"issue": {"notes": said}})

    def close(self, ref: str, reason: str) -> None:
        """See `TicketSystem.close`."""
        number = self._number(ref)
        self._me()
        statuses = self._ask("GET", "issue_statuses.json", _Statuses).issue_statuses
        closed = {one.id for one in statuses if one.is_closed}
        target = next((one.id for one in statuses if one.name == self._settings.closed and one.is_closed), None)
        if target is None:
            raise TicketError(f"{self._site.url}: has no closed status '{self._settings.closed}'", permanent=True)
        issue = self._issue(number)
        if issue.status.id in closed:
            return
        # Redmine answers 204 to a transition that its workflow does not permit, and keeps the old status.
        permitted = issue.allowed_statuses is None or target in {one.id for one in issue.allowed_statuses}
        if permitted:
            send = {"issue": {"status_id": target, "notes": self._verbatim(lines(reason))}}
            self._ask("PUT", f"issues/{number}.json", type(None), send=send)
            permitted = self._issue(number).status.id in closed
        if not permitted:
            why = f"its workflow does not let our user close {clean(ref)} as '{self._settings.closed}'"
            raise TicketError(f"{self._site.url}: {why}", permanent=True)

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:
        """See `TicketSystem.replies`. A note that was rewritten is nobody's word.

        Where the site does not show whether one was, raises `TicketError` unless the settings say that none can be.
        """
        number = self._number(ref)
        me = self._me()
        found = []
        for one in self._issue(number).journals:
            if not one.notes or one.user is None or one.user.id == me or (since and one.created_on < since):
                continue
            if one.rewritten is None and not self._settings.final_notes:
                why = "does not show whether somebody rewrote a note; see 'final_notes' of the settings"
                raise TicketError(f"{self._site.url}: {why}", permanent=True)
            if not one.rewritten:
                by = self._login(one.user.id) or f"user {one.user.id}"
                found.append(Reply(str(one.id), one.created_on, by, lines(one.notes)))
        return tuple(sorted(found, key=lambda reply: (reply.at, int(reply.id))))

    def _ask(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        params: Mapping[str, str] | None = None,
        send: Mapping[str, object] | None = None,
    ) -> T:
        return self._site.ask(method, path, answer, params=params, send=send)

    def _me(self) -> int:
        """Number of our user. To anything else a wrong key may get the answer that a stranger gets."""
        return self._ask("GET", "users/current.json", _Who).user.id

    def _how_to_read(self) -> Reading:
        """Asked once: these numbers stay."""
        if self._reading is None:
            settings = self._settings
            project = quote(settings.changes or settings.project, safe="")
            statuses = self._ask("GET", "issue_statuses.json", _Statuses).issue_statuses
            self._reading = Reading(
                {**FIELDS, **settings.fields},
                frozenset(settings.fields),
                frozenset(map(str.lower, settings.approving)) if settings.approvals == "status" else frozenset(),
                self._ask("GET", f"projects/{project}.json", _Project).project.id,
                self._tracker(settings.change_tracker),
                {one.id: one.name for one in statuses},
            )
        return self._reading

    def _tracker(self, name: str) -> int:
        for one in self._ask("GET", "trackers.json", _Trackers).trackers:
            if one.name == name:
                return one.id
        raise TicketError(f"{self._site.url}: has no tracker '{clean(name, 60)}'", permanent=True)

    def _candidates(self, reading: Reading, start: datetime, end: datetime) -> list[int]:
        """Numbers of the change tickets touched since the start, or unfinished and planned for the interval."""
        asked = {"project_id": str(reading.project), "subproject_id": "!*", "tracker_id": str(reading.tracker)}
        # Redmine compares days, in the time zone of its user.
        since = f">={start - timedelta(days=1):%Y-%m-%d}"
        touched = self._listed({**asked, "status_id": "*", "updated_on": since})
        found = {one.id for one in touched}
        for one in self._listed({**asked, "status_id": "open"}):
            opens, ends = Past(one, reading).window()
            if (opens is None or opens <= end) and (ends is None or ends >= start):
                found.add(one.id)
        return sorted(found)

    def _tickets(self, number: int, reading: Reading, me: int) -> list[Ticket]:
        """The ticket under a number; none where there is no such issue, or it is no change ticket."""
        ref, url = f"{self._settings.prefix}{number}", f"{self._site.url}issues/{number}"
        try:
            issue = self._issue(number)
        except RefusedError as error:
            if error.status == 404:
                return []
            if error.status == 403:
                return [Ticket(ref, self.name, url=url, incomplete="our user may not read it")]
            raise
        if (issue.project.id, issue.tracker.id) != (reading.project, reading.tracker):
            return []
        past = Past(issue, reading)
        if past.author == str(me):
            return []  # a case of ours, where cases and changes share a tracker
        logins = {user: login for user in sorted(past.people) if (login := self._login(user))}
        return past.tickets(ref, self.name, url, logins)

    def _first_description(self, number: int) -> str:
        issue = self._issue(number)
        told = [one for entry in issue.journals for one in entry.details]
        edits = [one.old_value or "" for one in told if f"{one.property}:{one.name}" == DESCRIPTION]
        return edits[0] if edits else issue.description or ""

    def _listed(self, asked: Mapping[str, str]) -> list[Issue]:
        """Every issue of a search. Raises `TicketError` where a part of them does not come."""
        found: dict[int, Issue] = {}
        total, offset, here = 1, 0, 1
        while here and offset < total:
            params = {**asked, "sort": "id", "limit": str(PAGE), "offset": str(offset)}
            page = self._ask("GET", "issues.json", _Issues, params=params)
            found |= {one.id: one for one in page.issues}
            total, here = page.total_count, len(page.issues)
            offset += here
            if total > MOST:
                raise TicketError(f"{self._site.url}: {total:,} issues match, and we read {MOST:,} at most")
        if len(found) < total:
            raise TicketError(f"{self._site.url}: gave {len(found):,} of {total:,} issues")
        return list(found.values())

    def _issue(self, number: int) -> Issue:
        asked = {"include": "journals,allowed_statuses"}
        return self._ask("GET", f"issues/{number}.json", _Issue, params=asked).issue

    def _login(self, user: int) -> str:
        """A user's login; empty where we are not told. Names are no proof: everybody may change their own."""
        if user not in self._logins:
            try:
                self._logins[user] = self._ask("GET", f"users/{user}.json", _Who).user.login
            except RefusedError as error:
                if error.status not in NOBODY:
                    raise
                self._logins[user] = ""
        return self._logins[user]

    def _number(self, ref: str) -> int:
        match = self._ref.fullmatch(ref)
        if match is None:
            raise TicketError(f"'{clean(ref, 40)}' is no issue of {self._site.url}", permanent=True)
        return int(match[1])

    def _verbatim(self, text: str) -> str:
        """Text that Redmine shows as it stands: no markup, no links, nobody mentioned."""
        if self._settings.formatting == "textile":
            inert = re.sub(r"<(?=/?(?:pre|code|kbd|notextile))", "< ", text, flags=re.IGNORECASE)
            return f"<pre>\n{inert}\n</pre>"
        inert = re.sub(r"~~~|```", lambda run: " ".join(run[0]), text)
        return f"~~~\n{inert}\n~~~"


def _word(text: str) -> str:
    """A key as one word."""
    return quote(text, safe="")


def _keys(description: str | None) -> list[str]:
    """The keys of a case's description, which stand on its first line within the markup."""
    _, _, rest = _unix(description).partition("\n")
    first = rest.partition("\n")[0]
    return first.removeprefix(CASE).split() if first.startswith(f"{CASE} ") else []


def _unix(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n")


def _meets(ticket: Ticket, start: datetime, end: datetime) -> bool:
    planned = (ticket.start is None or ticket.start <= end) and (ticket.end is None or ticket.end >= start)
    return planned or any(start <= event.at <= end for event in ticket.history)
