"""GitHub's GraphQL interface: many issues, pull requests or commits in one request, with all that a history needs.

Hides the queries, lists that go on, and errors that come with status 200. Where shapes come from: GitHub's published
schema, https://docs.github.com/en/graphql/overview/public-schema
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from agent.clean import clean
from agent.tickets import TicketError
from agent.tickets.github_timeline import Actor, Event, Item, Oid, PageInfo, Time, Timeline, Version
from agent.tickets.http import MINUTE, Site

BATCH = 25
"""Items of one request: each text may take 400 kB as JSON."""
COMMITS = 8
"""Commits of one request, each with five pull requests at most."""
COMMENTS = 30
"""Comments of one request."""
MOST_PAGES = 50
"""Of one list: 5,000 events, 1,500 comments."""

T = TypeVar("T")


class _Error(msgspec.Struct):
    message: str
    type: str = ""
    path: list[str | int] = []


class _Answer(msgspec.Struct, Generic[T]):
    data: T | None = None
    errors: list[_Error] = []


class _Repository(msgspec.Struct, Generic[T]):
    repository: dict[str, T | None] | None = None


class _Viewer(msgspec.Struct):
    viewer: Actor


class _Versions(msgspec.Struct, rename="camel"):
    nodes: list[Version]
    total_count: int


class _Edited(msgspec.Struct, rename="camel"):
    user_content_edits: _Versions | None


class Rollup(msgspec.Struct):
    """All checks and statuses of a commit together."""

    state: str


class _GitUser(msgspec.Struct):
    user: Actor | None


class _Nodes(msgspec.Struct, Generic[T]):
    nodes: list[T]


class Tested(msgspec.Struct, rename="camel"):
    """A commit's content and what its checks said."""

    tree: Oid
    status_check_rollup: Rollup | None


class _Head(msgspec.Struct):
    commit: Tested


class _Base(msgspec.Struct, rename="camel"):
    name_with_owner: str


class Pull(msgspec.Struct, rename="camel"):
    """A pull request that brought a commit."""

    number: int
    title: str
    url: str
    body: str
    merged: bool
    merged_at: Time | None
    merged_by: Actor | None
    author: Actor | None
    head_ref_oid: str
    base_repository: _Base | None
    commits: _Nodes[_Head]
    timeline_items: Timeline


class Commit(msgspec.Struct, rename="camel"):
    """A commit that was applied; with an empty `oid` something else that has such an id, a tree or a blob."""

    oid: str = ""
    tree: Oid | None = None
    status_check_rollup: Rollup | None = None
    authors: _Nodes[_GitUser] | None = None
    associated_pull_requests: _Nodes[Pull] | None = None

    @property
    def whole(self) -> bool:
        """Whether every review of its pull requests was read."""
        pulls = self.associated_pull_requests
        lists = [pull.timeline_items for pull in pulls.nodes] if pulls else []
        return pulls is not None and not any(one.page_info.has_next_page or None in one.nodes for one in lists)


class Comment(msgspec.Struct, rename="camel"):
    """A comment, and who changed it last."""

    id: str
    body: str
    created_at: Time
    last_edited_at: Time | None
    author: Actor | None
    editor: Actor | None


class _Comments(msgspec.Struct, rename="camel"):
    nodes: list[Comment]
    page_info: PageInfo


class _Thread(msgspec.Struct):
    closed: bool
    comments: _Comments


@dataclass(frozen=True, slots=True)
class Thread:
    """The end of an issue's comments."""

    open: bool
    comments: Sequence[Comment]
    """Oldest first."""


_WHO = "{ __typename login }"
_HAPPENED = "createdAt actor " + _WHO
_EVENTS = f"""
  __typename
  ... on LabeledEvent {{ {_HAPPENED} label {{ name }} }}
  ... on UnlabeledEvent {{ {_HAPPENED} label {{ name }} }}
  ... on ClosedEvent {{ {_HAPPENED} }}
  ... on ReopenedEvent {{ {_HAPPENED} }}
"""
_REVIEWS = f"""
  __typename
  ... on PullRequestReview {{ id createdAt submittedAt state author {_WHO} commit {{ oid }} }}
  ... on ReviewDismissedEvent {{ {_HAPPENED} previousReviewState review {{ id }} }}
"""
_PAGE = "pageInfo { hasNextPage endCursor }"
_TEXT = f"number title url body createdAt lastEditedAt author {_WHO}"
_ITEM = f"""
  __typename
  ... on Issue {{
    {_TEXT}
    timelineItems(first: 100, after: $after, itemTypes: [LABELED_EVENT, UNLABELED_EVENT, CLOSED_EVENT, REOPENED_EVENT])
      {{ nodes {{ {_EVENTS} }} {_PAGE} }}
  }}
  ... on PullRequest {{
    {_TEXT} headRefOid
    timelineItems(first: 100, after: $after, itemTypes: [LABELED_EVENT, UNLABELED_EVENT, CLOSED_EVENT, REOPENED_EVENT,
      MERGED_EVENT, PULL_REQUEST_REVIEW, REVIEW_DISMISSED_EVENT])
      {{ nodes {{ {_EVENTS} ... on MergedEvent {{ {_HAPPENED} }} {_REVIEWS} }} {_PAGE} }}
  }}
"""
_VERSIONS = "userContentEdits(first: 100) { totalCount nodes { editedAt diff } }"
_EDITED = f"__typename ... on Issue {{ {_VERSIONS} }} ... on PullRequest {{ {_VERSIONS} }}"
_TESTED = "tree { oid } statusCheckRollup { state }"
_COMMIT = f"""
  ... on Commit {{
    oid {_TESTED}
    authors(first: 100) {{ nodes {{ user {_WHO} }} }}
    associatedPullRequests(first: 5) {{ nodes {{
      number title url body merged mergedAt mergedBy {_WHO} author {_WHO} headRefOid baseRepository {{ nameWithOwner }}
      commits(last: 1) {{ nodes {{ commit {{ {_TESTED} }} }} }}
      timelineItems(first: 100, itemTypes: [PULL_REQUEST_REVIEW, REVIEW_DISMISSED_EVENT])
        {{ nodes {{ {_REVIEWS} }} {_PAGE} }}
    }} }}
  }}
"""
_COMMENT = f"nodes {{ id body createdAt lastEditedAt author {_WHO} editor {_WHO} }} {_PAGE}"
_LAST = f"""
  __typename
  ... on Issue {{ closed comments(last: {COMMENTS}) {{ {_COMMENT} }} }}
  ... on PullRequest {{ closed comments(last: {COMMENTS}) {{ {_COMMENT} }} }}
"""
_ALL = f"""
  __typename
  ... on Issue {{ closed comments(first: {COMMENTS}, after: $after) {{ {_COMMENT} }} }}
  ... on PullRequest {{ closed comments(first: {COMMENTS}, after: $after) {{ {_COMMENT} }} }}
"""


class Graph:
    """One GitHub, asked by GraphQL. Every method raises `TicketError`."""

    def __init__(self, site: Site) -> None:
        """`site` has GraphQL at `graphql`."""
        self._site = site

    def viewer(self) -> str:
        """Our own login; an app's ends in `[bot]`."""
        return self._ask("query { viewer { __typename login } }", {}, _Answer[_Viewer], 0).viewer.login

    def items(self, repository: str, numbers: Sequence[int]) -> Iterator[tuple[Item, list[Event], str]]:
        """Issues and pull requests that there are, each with its timeline, and why that is not whole."""
        for batch in _batches(numbers, BATCH):
            found = self._numbered(repository, batch, _ITEM, _Answer[_Repository[Item]])
            for item in found.values():
                yield item, *self._timeline(repository, item)

    def versions(self, repository: str, number: int) -> Sequence[Version] | str:
        """Every version of an item's text, or why they are not known."""
        edited = self._numbered(repository, [number], _EDITED, _Answer[_Repository[_Edited]]).get(number)
        if edited is None or edited.user_content_edits is None:
            return "and GitHub does not tell its earlier versions"
        known = edited.user_content_edits
        if len(known.nodes) < known.total_count:
            return f"and has {known.total_count:,} versions, of which {len(known.nodes)} are read"
        return known.nodes

    def commits(self, repository: str, shas: Sequence[str]) -> Iterator[Commit]:
        """Commits that there are; each sha in full."""
        for batch in _batches(shas, COMMITS):
            asked = " ".join(f'c{n}: object(oid: "{sha}") {{ ...f }}' for n, sha in enumerate(batch))
            found = self._in(repository, asked, f"GitObject {{ {_COMMIT} }}", _Answer[_Repository[Commit]])
            yield from (commit for commit in found.values() if commit.oid)

    def thread(self, repository: str, number: int) -> Thread | None:
        """The last comments of an item; None where there is no such item."""
        found = self._numbered(repository, [number], _LAST, _Answer[_Repository[_Thread]]).get(number)
        return Thread(not found.closed, found.comments.nodes) if found else None

    def comments(self, repository: str, number: int) -> Iterator[Comment] | None:
        """Every comment of an item, oldest first; None where there is no such item."""
        first = self._numbered(repository, [number], _ALL, _Answer[_Repository[_Thread]]).get(number)
        return self._comments(repository, number, first.comments) if first else None

    def _comments(self, repository: str, number: int, page: _Comments) -> Iterator[Comment]:
        yield from page.nodes
        for _ in range(MOST_PAGES):
            if not page.page_info.has_next_page:
                return
            answer = _Answer[_Repository[_Thread]]
            found = self._numbered(repository, [number], _ALL, answer, page.page_info.end_cursor).get(number)
            if found is None:
                return
            page = found.comments
            yield from page.nodes
        raise TicketError(f"{repository}#{number}: more than {COMMENTS * MOST_PAGES:,} comments")

    def _timeline(self, repository: str, item: Item) -> tuple[list[Event], str]:
        """The pages of a timeline, and why they are not all."""
        page, nodes = item.timeline_items, list(item.timeline_items.nodes)
        problem = f"its history has more than {MOST_PAGES * 100:,} entries"
        for _ in range(MOST_PAGES):
            if not page.page_info.has_next_page:
                problem = ""
                break
            answer = _Answer[_Repository[Item]]
            found = self._numbered(repository, [item.number], _ITEM, answer, page.page_info.end_cursor)
            if item.number not in found:
                problem = "its history was cut short: it went away while we read it"
                break
            page = found[item.number].timeline_items
            nodes += page.nodes
        events = [node for node in nodes if node is not None]
        if len(events) < len(nodes):
            problem = problem or "a part of its history is hidden from us"
        return events, problem

    def _numbered(
        self,
        repository: str,
        numbers: Sequence[int],
        fields: str,
        answer: type[_Answer[_Repository[T]]],
        after: str | None = None,
    ) -> dict[int, T]:
        """The items of these numbers that there are."""
        asked = " ".join(f"i{number}: issueOrPullRequest(number: {number}) {{ ...f }}" for number in numbers)
        found = self._in(repository, asked, f"IssueOrPullRequest {{ {fields} }}", answer, after)
        return {int(alias[1:]): item for alias, item in found.items()}

    def _in(
        self,
        repository: str,
        asked: str,
        fragment: str,
        answer: type[_Answer[_Repository[T]]],
        after: str | None = None,
    ) -> dict[str, T]:
        """Alias of each thing of a repository that is `asked` → what is there of it, with the fragment's fields."""
        owner, _, name = repository.partition("/")
        declared = "$owner: String!, $name: String!" + (", $after: String" if "$after" in fragment else "")
        query = f"query({declared}) {{ repository(owner: $owner, name: $name) {{ {asked} }} }} fragment f on {fragment}"
        variables = {"owner": owner, "name": name, **({"after": after} if after else {})}
        found = self._ask(query, variables, answer, 2).repository
        if found is None:
            why = f"{self._site.url}: our token sees no repository {clean(repository, 140)}"
            raise TicketError(why, permanent=True)
        return {alias: item for alias, item in found.items() if item is not None}

    def _ask(self, query: str, variables: Mapping[str, str], answer: type[_Answer[T]], depth: int) -> T:
        """The data of an answer. What is not there at `depth` is no error: it is null in the data."""
        got = self._site.ask("POST", "graphql", answer, send={"query": query, "variables": variables})
        for error in got.errors:
            missing = error.type == "NOT_FOUND" and 0 < len(error.path) <= depth
            if error.type == "RATE_LIMITED":
                self._site.leave(MINUTE)
            if not missing:
                raise TicketError(f"{self._site.url}: answered: {clean(error.message, 300)}")
        if got.data is None:
            raise TicketError(f"{self._site.url}: answered without an answer")
        return got.data


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
