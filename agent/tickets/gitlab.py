"""GitLab: issues and merge requests as change tickets, issues as cases, approvals and pipelines of commits.

Hides how projects are addressed, which requests a ticket's history takes, and how a case is found again.
`docs/tickets.md` says what a project needs.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Meta

from agent.clean import clean
from agent.model import Case, Merge, Ticket, Tickets
from agent.tickets import Reply, Table, TicketError
from agent.tickets.approvals import planned
from agent.tickets.gitlab_merges import Approvals, Pipeline, Request, merge
from agent.tickets.gitlab_notes import Item, LabelEvent, Note, Record, StateEvent, User, history, name
from agent.tickets.http import RefusedError, Site
from agent.tickets.markdown import block, description, farewell, keys, title
from agent.tickets.terms import Terms, terms_of
from agent.tickets.text import lines

PAGE = 50
MOST_PAGES = 120
"""Of one list: 6,000 issues, events or notes."""
BATCH = 50
"""Named tickets of one request."""
DAY = timedelta(days=1)
ISSUES, REQUESTS = "issues", "merge_requests"
SIGNS = {"#": ISSUES, "!": REQUESTS}

_PROJECT = r"[A-Za-z0-9_][\w.-]{0,254}(?:/[A-Za-z0-9_][\w.-]{0,254}){1,20}"
_NUMBERED = re.compile(rf"({_PROJECT})([#!])([1-9][0-9]{{0,8}})", re.ASCII)
_SHORT = re.compile(r"([A-Za-z][A-Za-z0-9]*)-([1-9][0-9]{0,8})")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

T = TypeVar("T")


class Settings(Table, frozen=True):
    """Issues and merge requests of a GitLab project."""

    token: str
    project: Annotated[str, Meta(pattern=r"^[\w.-]+(/[\w.-]+)+$")]
    """Path of the project that holds the change tickets and gets the cases: `group/name`."""
    url: str = "https://gitlab.com"
    approved_label: str = "approved"
    """Label whose setting is an approval by whoever sets it; empty: only approvals of merge requests count."""
    label: str = ""
    """Only issues and merge requests with this label are looked through for those that nobody named; empty: all."""
    case_label: Annotated[str, Meta(min_length=1)] = "driftwarden"
    """Label of our cases."""
    prefix: str = "GL"
    """`GL-12` names issue 12 of the project: session names take neither `/` nor `#`."""
    request_prefix: str = "GLMR"
    """`GLMR-12` names merge request 12 of the project."""
    projects: tuple[Annotated[str, Meta(pattern=r"^[\w.-]+(/[\w.-]+)+$")], ...] = ()
    """Whose merge requests may be tickets too, and whose commits may be asked about; empty: whichever is named."""
    dismiss_stale: bool = True
    """Whether an approval ends with the next commit of its merge request."""


def references_of(settings: Settings) -> tuple[str, ...]:
    """How tickets are named where `/` and `#` may stand: by our own projects alone, for much else looks like it."""
    places = (settings.project, *settings.projects)
    return tuple(rf"(?<![\w./-]){re.escape(place)}[#!][1-9]\d{{0,8}}(?![\w-])" for place in places)


def open_system(settings: Settings, base: Path) -> "GitLab":  # noqa: ARG001 - the contract's
    """The project of a configuration. Raises `TicketError` for an address that is none."""
    return GitLab(settings)


Place = tuple[str, str, int]
"""Project, `ISSUES` or `REQUESTS`, number there."""


class _LongError(TicketError):
    """A list goes on for longer than we read."""


class GitLab:
    """One project, as one of its users."""

    name = "gitlab"

    def __init__(self, settings: Settings, *, timeout: float = 20.0) -> None:
        """`timeout` in seconds. Raises `TicketError` for a bad address."""
        headers = {"PRIVATE-TOKEN": settings.token, "User-Agent": "driftwarden"}
        self._site = Site(f"{settings.url.rstrip('/')}/api/v4", None, headers, timeout)
        self._settings = settings
        self._own = ""
        self._cases: dict[int, frozenset[str]] = {}
        """Open cases of ours by number, as of `_cases_at`."""
        self._cases_at: datetime | None = None

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        """See `TicketSystem.lookup`. References look like `group/name#12`, `group/name!12`, `GL-12` or `GLMR-12`.

        One request for fifty tickets to list. GitLab tells histories one by one: three requests for an issue that was
        approved, two for one that never was, none where it has kept quiet as well; four for a merge request.
        """
        found: list[Ticket] = []
        try:
            spelled = self._named(refs)
            items = dict(self._asked_for(spelled))
            for place, item in self._around(start, end):
                items.setdefault(place, item)
            for place, item in sorted(items.items(), key=lambda one: one[0]):
                if not keys(item.description or ""):  # a case gives no authority
                    quiet = place not in spelled and item.updated_at < start
                    found += self._tickets(place, item, spelled.get(place, [_ref(place)]), quiet=quiet)
        except TicketError as error:
            return Tickets(unanswered=(f"{self.name}: {error}",))
        return Tickets(tuple(found))

    def find(self, case: Case) -> str | None:
        """See `TicketSystem.find`. Only what our own user filed is ours: anybody may write our words into an issue.

        After the first time, only what has changed since is listed.
        """
        asked = {"labels": self._settings.case_label}
        since = _stamp(self._cases_at - timedelta(seconds=1)) if self._cases_at else ""
        asked |= {"updated_after": since} if since else {"state": "opened"}
        newest, self._cases = self._cases_at, self._cases if since else {}
        for item in self._listed(self._settings.project, ISSUES, asked):
            newest = max(newest or item.updated_at, item.updated_at)
            if item.state == "opened" and name(item.author) == self._me():
                self._cases[item.iid] = keys(item.description or "")
            else:
                self._cases.pop(item.iid, None)
        self._cases_at = newest
        for key in (case.key, *case.findings):
            numbers = [number for number, words in self._cases.items() if key in words]
            if numbers:
                return f"{self._settings.project}#{min(numbers)}"
        return None

    def open(self, case: Case) -> str:
        """See `TicketSystem.open`."""
        label = self._settings.case_label
        send = {"title": title(case), "description": description(case), "labels": label}
        filed = self._site.ask("POST", self._path(self._settings.project, ISSUES), Item, send=send)
        ref = f"{self._settings.project}#{filed.iid}"
        if label not in filed.labels:
            # GitLab drops labels without a word where the token may not set them: it would be filed again and again.
            raise TicketError(f"{ref} is filed without its label: our token may not set labels", permanent=True)
        self._cases[filed.iid] = keys(filed.description or "")
        return ref

    def update(self, ref: str, note: str) -> None:
        """See `TicketSystem.update`. A note that repeats our last one is its second delivery, and changes nothing."""
        self._say(self._case(ref), block(lines(note)))

    def close(self, ref: str, reason: str) -> None:
        """See `TicketSystem.close`."""
        path = self._case(ref)
        if self._site.ask("GET", path, Item).state == "opened":
            self._say(path, farewell(lines(reason)))
            closed = self._site.ask("PUT", path, Item, send={"state_event": "close"})
            self._cases.pop(closed.iid, None)

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:
        """See `TicketSystem.replies`. An edited comment is nobody's word: GitLab does not tell who edited it."""
        notes = self._pages(f"{self._case(ref)}/notes", list[Note], {"sort": "asc", "order_by": "created_at"})
        return tuple(
            Reply(str(note.id), note.created_at, clean(name(note.author)), lines(note.body))
            for note in notes
            if not note.system
            and name(note.author) != self._me()
            and note.updated_at - note.created_at < timedelta(seconds=1)
            and (since is None or note.created_at >= since)
        )

    def merges(self, commits: Collection[tuple[str, str]]) -> tuple[tuple[Merge, ...], tuple[str, ...]]:
        """See `Forge.merges`. Two requests for a commit, and two more for its merge request."""
        found: list[Merge] = []
        unanswered: list[str] = []
        known = {one.lower() for one in self._settings.projects}
        for project, sha in sorted({(project or self._only(), sha) for project, sha in commits}):
            ours = project.lower() in known if known else re.fullmatch(_PROJECT, project, re.ASCII)
            if ours and _SHA.fullmatch(sha):
                try:
                    found += self._merge(project, sha)
                except TicketError as error:
                    unanswered.append(f"{self.name}: {project}: {sha[:12]}: {error}")
        return tuple(found), tuple(unanswered)

    def _merge(self, project: str, sha: str) -> list[Merge]:
        path = f"projects/{quote(project, safe='')}"
        try:
            requests = list(self._pages(f"{path}/repository/commits/{sha}/merge_requests", list[Request]))
        except RefusedError as error:
            if error.status == 404 and "commit" in str(error).lower():
                return []
            raise
        pipelines = list(self._pages(f"{path}/pipelines", list[Pipeline], {"sha": sha}))
        merged = [(one.merged_at, one.iid, one) for one in requests if one.merged_at and one.state == "merged"]
        request = min(merged, key=lambda one: one[:2])[2] if merged else None
        record = self._approvals(project, request.iid) if request else Record()
        return [merge(sha, self.name, project, request, record, pipelines, self._settings.dismiss_stale)]

    def _approvals(self, project: str, number: int) -> Record:
        path = f"{self._path(project, REQUESTS)}/{number}"
        notes = list(self._pages(f"{path}/notes", list[Note], {"sort": "asc", "order_by": "created_at"}))
        approvals = self._site.ask("GET", f"{path}/approvals", Approvals)
        return Record(notes=notes, approvers=frozenset(name(one.user) for one in approvals.approved_by))

    def _named(self, refs: Collection[str]) -> dict[Place, list[str]]:
        """Where each reference points that is one of ours, with the spellings that named it."""
        ours, found = self._settings, dict[Place, list[str]]()
        places = {one.lower(): one for one in (*ours.projects, ours.project)}
        for ref in sorted(refs):
            numbered, short = _NUMBERED.fullmatch(ref), _SHORT.fullmatch(ref)
            if numbered and numbered[1].lower() in places:
                place = (places[numbered[1].lower()], SIGNS[numbered[2]], int(numbered[3]))
                found.setdefault(place, []).append(ref)
            elif short and short[1] in (ours.prefix, ours.request_prefix):
                kind = ISSUES if short[1] == ours.prefix else REQUESTS
                found.setdefault((ours.project, kind, int(short[2])), []).append(ref)
        return found

    def _asked_for(self, places: Collection[Place]) -> Iterator[tuple[Place, Item]]:
        """The named items that there are."""
        for project, kind in dict.fromkeys(place[:2] for place in places):
            numbers = [str(place[2]) for place in places if place[:2] == (project, kind)]
            for at in range(0, len(numbers), BATCH):
                for item in self._listed(project, kind, {"iids[]": numbers[at : at + BATCH]}):
                    yield (project, kind, item.iid), item

    def _around(self, start: datetime, end: datetime) -> Iterator[tuple[Place, Item]]:
        """What states terms, and was touched since the start or is open and planned for the interval."""
        labels = {"labels": self._settings.label} if self._settings.label else {}
        for kind in (ISSUES, REQUESTS):
            for item in self._listed(self._settings.project, kind, {**labels, "updated_after": _stamp(start)}):
                if terms_of(item.description or "") != Terms():
                    yield (self._settings.project, kind, item.iid), item
            for item in self._listed(self._settings.project, kind, {**labels, "state": "opened"}):
                if planned(terms_of(item.description or ""), start - DAY, end + DAY):
                    yield (self._settings.project, kind, item.iid), item

    def _listed(self, project: str, kind: str, asked: Mapping[str, str | Sequence[str]]) -> Iterator[Item]:
        """Items, what changed last first: what moves while we read is seen twice."""
        order = {"scope": "all", "order_by": "updated_at", "sort": "desc"}
        return self._pages(self._path(project, kind), list[Item], {**order, **asked})

    def _pages(
        self, path: str, answer: type[list[T]], asked: Mapping[str, str | Sequence[str]] | None = None
    ) -> Iterator[T]:
        page = self._site.ask_page("GET", path, answer, params={**(asked or {}), "per_page": str(PAGE)})
        for _ in range(MOST_PAGES):
            yield from page.answer
            if page.next is None:
                return
            page = self._site.ask_page("GET", page.next, answer)
        raise _LongError(f"{self._site.url}{path}: more than {PAGE * MOST_PAGES:,} entries to look through")

    def _tickets(self, place: Place, item: Item, spelled: Sequence[str], *, quiet: bool) -> Iterator[Ticket]:
        """`quiet`: nothing has happened to it in the interval that is looked at."""
        heading = Ticket(
            "", self.name, title=clean(item.title), url=clean(item.web_url), requester=clean(name(item.author))
        )
        settings = self._settings
        record = Record()
        if not (quiet and place[1] == ISSUES and item.state == "opened" and settings.approved_label not in item.labels):
            try:
                record = self._record(place)
            except _LongError as error:
                heading = replace(heading, incomplete=str(error))
        for ticket in history(item, record, settings.approved_label, settings.dismiss_stale, heading):
            yield from (replace(ticket, ref=ref) for ref in spelled)

    def _record(self, place: Place) -> Record:
        """What GitLab keeps of an item's past."""
        project, kind, number = place
        path = f"{self._path(project, kind)}/{number}"
        labels = list(self._pages(f"{path}/resource_label_events", list[LabelEvent]))
        states = list(self._pages(f"{path}/resource_state_events", list[StateEvent]))
        approval = self._settings.approved_label
        if kind == REQUESTS:
            return replace(self._approvals(project, number), labels=labels, states=states)
        if not any(event.label and event.label.name == approval for event in labels):
            return Record(labels, states)  # no approval that an edit could have ended
        return Record(labels, states, list(self._pages(f"{path}/notes", list[Note])))

    def _path(self, project: str, kind: str) -> str:
        return f"projects/{quote(project, safe='')}/{kind}"

    def _case(self, ref: str) -> str:
        """Path of one of the project's issues. Raises `TicketError`."""
        found = _NUMBERED.fullmatch(ref)
        if not found or found[2] != "#" or found[1].lower() != self._settings.project.lower():
            raise TicketError(f"'{clean(ref, 140)}' is no issue of {self._settings.project}", permanent=True)
        return f"{self._path(self._settings.project, ISSUES)}/{found[3]}"

    def _say(self, path: str, text: str) -> None:
        params = {"sort": "desc", "order_by": "created_at", "per_page": str(PAGE)}
        last = self._site.ask("GET", f"{path}/notes", list[Note], params=params)
        ours = [note.body for note in last if not note.system and name(note.author) == self._me()]
        if not ours or ours[0].strip() != text.strip():
            self._site.ask("POST", f"{path}/notes", msgspec.Raw, send={"body": text})

    def _me(self) -> str:
        self._own = self._own or self._site.ask("GET", "user", User).username
        return self._own

    def _only(self) -> str:
        """The project that a commit without one is in."""
        known = self._settings.projects
        return known[0] if len(known) == 1 else self._settings.project


def _ref(place: Place) -> str:
    project, kind, number = place
    return f"{project}{'#' if kind == ISSUES else '!'}{number}"


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
