"""GitHub: issues and pull requests as change tickets, issues as cases, reviews and checks of commits.

Hides that tickets are listed by REST and read by GraphQL, how references are spelled, and how a case is found again.
`docs/tickets.md` says what a repository needs.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from agent.clean import clean
from agent.model import Case, Merge, Ticket, Tickets
from agent.tickets import Reply, Table, TicketError
from agent.tickets.approvals import planned
from agent.tickets.github_graph import Graph, Thread
from agent.tickets.github_merges import merge
from agent.tickets.github_timeline import Event, Item, Time, Version, history, name
from agent.tickets.http import RefusedError, Site
from agent.tickets.markdown import block, description, farewell, keys, title
from agent.tickets.terms import terms_of
from agent.tickets.text import lines

PAGE = 30
"""Issues of one page: so many texts of the longest kind stay under `http.MAX_ANSWER`."""
MOST_PAGES = 200
"""Of one list: 6,000 issues."""
DAY = timedelta(days=1)

_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}"
_NUMBERED = re.compile(rf"({_REPOSITORY})#([1-9][0-9]{{0,8}})")
_SHORT = re.compile(r"([A-Za-z][A-Za-z0-9]*)-([1-9][0-9]{0,8})")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Settings(Table, frozen=True):
    """Issues and pull requests of a GitHub repository."""

    token: str
    repository: Annotated[str, Meta(pattern=r"^[\w.-]+/[\w.-]+$")]
    """`owner/name` of the repository that holds the change tickets and gets the cases."""
    url: str = "https://api.github.com"
    """Of the REST interface; of an Enterprise Server `https://HOST/api/v3`."""
    approved_label: str = "approved"
    """Label whose setting is an approval by whoever sets it; empty: only reviews approve."""
    label: str = ""
    """Only issues and pull requests with this label are looked through for those that nobody named; empty: all."""
    case_label: Annotated[str, Meta(min_length=1)] = "driftwarden"
    """Label of our cases."""
    prefix: str = "GH"
    """`GH-12` names number 12 of the repository: session names take neither `/` nor `#`."""
    repositories: tuple[Annotated[str, Meta(pattern=r"^[\w.-]+/[\w.-]+$")], ...] = ()
    """Whose pull requests may be tickets too, and whose commits may be asked about; empty: whichever is named."""
    dismiss_stale: bool = True
    """Whether a review counts only for the last commit of its pull request."""


def references_of(settings: Settings) -> tuple[str, ...]:
    """How tickets are named where `/` and `#` may stand: by our own repositories alone, for much else looks like it."""
    places = (settings.repository, *settings.repositories)
    return tuple(rf"(?<![\w./-]){re.escape(place)}#[1-9]\d{{0,8}}(?![\w-])" for place in places)


def open_system(settings: Settings, base: Path) -> "GitHub":  # noqa: ARG001 - the contract's
    """The repository of a configuration. Raises `TicketError` for an address that is none."""
    return GitHub(settings)


class _User(msgspec.Struct):
    login: str


class _Label(msgspec.Struct):
    name: str


class _Issue(msgspec.Struct):
    """What REST says of an issue: https://docs.github.com/en/rest/issues/issues"""

    number: int
    state: str
    updated_at: Time
    user: _User | None
    body: str | None
    labels: list[_Label | str]

    def has(self, label: str) -> bool:
        """Whether it has this label."""
        names = (one if isinstance(one, str) else one.name for one in self.labels)
        return label.lower() in {one.lower() for one in names}


class GitHub:
    """One repository, as one of its users or apps."""

    name = "github"

    def __init__(self, settings: Settings, *, timeout: float = 20.0) -> None:
        """`timeout` in seconds. Raises `TicketError` for a bad address."""
        url = settings.url.rstrip("/")
        # An Enterprise Server has REST at /api/v3 and GraphQL beside it, at /api/graphql.
        self._rest = "v3/" if url.endswith("/api/v3") else ""
        headers = {
            "Authorization": f"Bearer {settings.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "driftwarden",
        }
        self._site = Site(url.removesuffix("/v3") if self._rest else url, None, headers, timeout)
        self._graph = Graph(self._site)
        self._settings = settings
        self._path = f"{self._rest}repos/{settings.repository}/issues"
        self._own = ""
        self._cases: dict[int, frozenset[str]] = {}
        """Open cases of ours by number, as of `_cases_at`."""
        self._cases_at: datetime | None = None

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        """See `TicketSystem.lookup`. References look like `owner/name#12` or `GH-12`.

        One request for thirty tickets to list, and one for twenty-five to read; one more for a ticket whose text was
        edited after something had happened to it.
        """
        found: list[Ticket] = []
        try:
            wanted = self._named(refs)
            repository = self._settings.repository
            for number in self._around(start, end):
                wanted.setdefault((repository, number), [f"{repository}#{number}"])
            for place in dict.fromkeys(place for place, _ in wanted):
                numbers = sorted(number for other, number in wanted if other == place)
                for item, events, problem in self._graph.items(place, numbers):
                    if not keys(item.body):  # a case gives no authority
                        spelled = wanted.get((place, item.number), [])
                        found += self._tickets(place, item, events, problem, spelled)
        except TicketError as error:
            return Tickets(unanswered=(f"{self.name}: {error}",))
        return Tickets(tuple(found))

    def find(self, case: Case) -> str | None:
        """See `TicketSystem.find`. Only what our own user filed is ours: anybody may write our words into an issue.

        Listed by label, because GitHub's search lags behind; after the first time, only what has changed since.
        """
        asked = {"labels": self._settings.case_label, "sort": "updated", "direction": "desc"}
        # A second earlier: GitHub's times are whole seconds, and more may have happened in the last one.
        since = _stamp(self._cases_at - timedelta(seconds=1)) if self._cases_at else ""
        asked |= {"state": "all", "since": since} if since else {"state": "open"}
        newest, self._cases = self._cases_at, self._cases if since else {}
        for issue in self._listed(asked):
            newest = max(newest or issue.updated_at, issue.updated_at)
            if issue.state == "open" and issue.user and issue.user.login == self._me():
                self._cases[issue.number] = keys(issue.body or "")
            else:
                self._cases.pop(issue.number, None)
        self._cases_at = newest
        for key in (case.key, *case.findings):
            numbers = [number for number, words in self._cases.items() if key in words]
            if numbers:
                return f"{self._settings.repository}#{min(numbers)}"
        return None

    def open(self, case: Case) -> str:
        """See `TicketSystem.open`."""
        send = {"title": title(case), "body": description(case), "labels": [self._settings.case_label]}
        filed = self._site.ask("POST", self._path, _Issue, send=send)
        ref = f"{self._settings.repository}#{filed.number}"
        if not filed.has(self._settings.case_label):
            # GitHub drops labels without a word where the token may not set them: it would be filed again and again.
            raise TicketError(f"{ref} is filed without its label: our token may not set labels", permanent=True)
        self._cases[filed.number] = keys(filed.body or "")
        return ref

    def update(self, ref: str, note: str) -> None:
        """See `TicketSystem.update`. A note that repeats our last one is its second delivery, and changes nothing."""
        number = self._number(ref)
        self._say(number, self._thread(number), block(lines(note)))

    def close(self, ref: str, reason: str) -> None:
        """See `TicketSystem.close`."""
        number = self._number(ref)
        thread = self._thread(number)
        if thread.open:
            self._say(number, thread, farewell(lines(reason)))
            send = {"state": "closed", "state_reason": "completed"}
            self._site.ask("PATCH", f"{self._path}/{number}", _Issue, send=send)
        self._cases.pop(number, None)

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:
        """See `TicketSystem.replies`. An edited comment is the word of whoever edited it last, and of that time."""
        number = self._number(ref)
        comments = self._graph.comments(self._settings.repository, number)
        if comments is None:
            raise self._gone(number)
        found = []
        for comment in comments:
            edited = comment.last_edited_at is not None
            by = name(comment.editor if edited else comment.author)
            at = comment.last_edited_at or comment.created_at
            if by != self._me() and (since is None or at >= since):
                found.append(Reply(comment.id, at, clean(by), lines(comment.body)))
        return tuple(sorted(found, key=lambda reply: reply.at))

    def merges(self, commits: Collection[tuple[str, str]]) -> tuple[tuple[Merge, ...], tuple[str, ...]]:
        """See `Forge.merges`. One request for eight commits."""
        asked: dict[str, set[str]] = {}
        for repository, sha in commits:
            place = repository or self._only()
            if self._is_ours(place) and _SHA.fullmatch(sha):
                asked.setdefault(place, set()).add(sha)
        found: list[Merge] = []
        unanswered: list[str] = []
        for place, shas in sorted(asked.items()):
            try:
                known = list(self._graph.commits(place, sorted(shas)))
            except TicketError as error:
                unanswered.append(f"{self.name}: {place}: {error}")
                continue
            found += [merge(one, self.name, place, self._settings.dismiss_stale) for one in known if one.whole]
            unanswered += [
                f"{self.name}: {place}: {one.oid[:12]} has more reviews than are read" for one in known if not one.whole
            ]
        return tuple(found), tuple(unanswered)

    def _named(self, refs: Collection[str]) -> dict[tuple[str, int], list[str]]:
        """Repository and number of each reference that is one of ours, with the spellings that named it."""
        places = {one.lower(): one for one in (*self._settings.repositories, self._settings.repository)}
        found: dict[tuple[str, int], list[str]] = {}
        for ref in sorted(refs):
            numbered, short = _NUMBERED.fullmatch(ref), _SHORT.fullmatch(ref)
            if numbered and numbered[1].lower() in places:
                found.setdefault((places[numbered[1].lower()], int(numbered[2])), []).append(ref)
            elif short and short[1] == self._settings.prefix:
                found.setdefault((self._settings.repository, int(short[2])), []).append(ref)
        return found

    def _around(self, start: datetime, end: datetime) -> Iterator[int]:
        """Numbers of what was touched since the start, or is open and planned for the interval."""
        labels = {"labels": self._settings.label} if self._settings.label else {}
        for issue in self._listed({**labels, "state": "all", "since": _stamp(start), "sort": "updated"}):
            yield issue.number
        for issue in self._listed({**labels, "state": "open", "sort": "updated"}):
            if planned(terms_of(issue.body or ""), start - DAY, end + DAY):
                yield issue.number

    def _listed(self, asked: Mapping[str, str]) -> Iterator[_Issue]:
        """Issues and pull requests, the page that changed last first: what moves while we read is seen twice."""
        page = self._site.ask_page(
            "GET", self._path, list[_Issue], params={**asked, "direction": "desc", "per_page": str(PAGE)}
        )
        for _ in range(MOST_PAGES):
            yield from page.answer
            if page.next is None:
                return
            page = self._site.ask_page("GET", page.next, list[_Issue])
        raise TicketError(f"more than {PAGE * MOST_PAGES:,} issues to look through; narrow them down with 'label'")

    def _tickets(
        self, place: str, item: Item, events: list[Event], problem: str, spelled: list[str]
    ) -> Iterator[Ticket]:
        versions: Sequence[Version] | str = []
        happened = [event.submitted_at or event.created_at for event in events]
        if item.last_edited_at and any(at <= item.last_edited_at for at in happened):
            try:
                versions = self._graph.versions(place, item.number)
            except TicketError as error:
                versions = f"and its earlier versions were not read: {error}"
        heading = Ticket(
            "",
            self.name,
            title=clean(item.title),
            url=clean(item.url),
            requester=clean(name(item.author)),
            incomplete=problem,
        )
        label, stale = self._settings.approved_label, self._settings.dismiss_stale
        for ticket in history(item, events, versions, label, stale, heading):
            yield from (replace(ticket, ref=ref) for ref in spelled)

    def _number(self, ref: str) -> int:
        """Number of one of the repository's issues. Raises `TicketError`."""
        found = _NUMBERED.fullmatch(ref)
        if not found or found[1].lower() != self._settings.repository.lower():
            raise TicketError(f"'{clean(ref, 140)}' is no issue of {self._settings.repository}", permanent=True)
        return int(found[2])

    def _thread(self, number: int) -> Thread:
        thread = self._graph.thread(self._settings.repository, number)
        if thread is None:
            raise self._gone(number)
        return thread

    def _gone(self, number: int) -> RefusedError:
        return RefusedError(f"{self._site.url}: has no issue {self._settings.repository}#{number}", 404)

    def _say(self, number: int, thread: Thread, text: str) -> None:
        ours = [comment.body for comment in thread.comments if name(comment.author) == self._me()]
        if not ours or ours[-1].strip() != text.strip():
            self._site.ask("POST", f"{self._path}/{number}/comments", msgspec.Raw, send={"body": text})

    def _me(self) -> str:
        self._own = self._own or self._graph.viewer()
        return self._own

    def _only(self) -> str:
        """The repository that a commit without one is in."""
        known = self._settings.repositories
        return known[0] if len(known) == 1 else self._settings.repository

    def _is_ours(self, repository: str) -> bool:
        known = {one.lower() for one in self._settings.repositories}
        return repository.lower() in known if known else re.fullmatch(_REPOSITORY, repository) is not None


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
