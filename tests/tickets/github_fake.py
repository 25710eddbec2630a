"""A GitHub with one repository: REST for issues and comments, GraphQL for what has a history.

GraphQL is executed by graphql-core over the part of GitHub's schema that is asked for. What was checked against what
GitHub itself publishes, on 2026-11-27: the REST requests and answers against its OpenAPI description (npm
`@octokit/openapi` 23.0.2), every query against its whole schema (npm `@octokit/graphql-schema` 15.26.1).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from forge_server import ForgeState, Request, Response, paged, served, unfenced, written
from graphql import GraphQLError, build_schema, execute_sync, parse, validate
from people import HOUR, MORE, SCOPE, START

from agent.model import Case
from agent.tickets import TicketSystem
from agent.tickets.github import GitHub, Settings
from agent.tickets.markdown import keys

REPOSITORY = "acme/changes"
LABELS = ("approved", "change", "driftwarden")

SCHEMA = build_schema(
    """
scalar DateTime
scalar GitObjectID
scalar URI
interface Actor { login: String! }
type User implements Actor { login: String! }
type Bot implements Actor { login: String! }
type Label { name: String! }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type UserContentEdit { editedAt: DateTime! diff: String }
type UserContentEditConnection { totalCount: Int! nodes: [UserContentEdit] }
type IssueComment { id: ID! body: String! createdAt: DateTime! lastEditedAt: DateTime author: Actor editor: Actor }
type IssueCommentConnection { nodes: [IssueComment] pageInfo: PageInfo! }
type LabeledEvent { createdAt: DateTime! actor: Actor label: Label! }
type UnlabeledEvent { createdAt: DateTime! actor: Actor label: Label! }
type ClosedEvent { createdAt: DateTime! actor: Actor }
type ReopenedEvent { createdAt: DateTime! actor: Actor }
type MergedEvent { createdAt: DateTime! actor: Actor }
enum PullRequestReviewState { APPROVED CHANGES_REQUESTED COMMENTED DISMISSED PENDING }
type PullRequestReview {
  id: ID! createdAt: DateTime! submittedAt: DateTime state: PullRequestReviewState! author: Actor commit: Commit
}
type ReviewDismissedEvent {
  createdAt: DateTime! actor: Actor previousReviewState: PullRequestReviewState! review: PullRequestReview
}
union IssueTimelineItems = LabeledEvent | UnlabeledEvent | ClosedEvent | ReopenedEvent
union PullRequestTimelineItems = LabeledEvent | UnlabeledEvent | ClosedEvent | ReopenedEvent | MergedEvent
  | PullRequestReview | ReviewDismissedEvent
type IssueTimelineItemsConnection { nodes: [IssueTimelineItems] pageInfo: PageInfo! }
type PullRequestTimelineItemsConnection { nodes: [PullRequestTimelineItems] pageInfo: PageInfo! }
enum IssueTimelineItemsItemType { LABELED_EVENT UNLABELED_EVENT CLOSED_EVENT REOPENED_EVENT }
enum PullRequestTimelineItemsItemType {
  LABELED_EVENT UNLABELED_EVENT CLOSED_EVENT REOPENED_EVENT MERGED_EVENT PULL_REQUEST_REVIEW REVIEW_DISMISSED_EVENT
}
type Issue {
  number: Int! title: String! url: URI! body: String! createdAt: DateTime! lastEditedAt: DateTime author: Actor
  closed: Boolean!
  timelineItems(first: Int, after: String, itemTypes: [IssueTimelineItemsItemType!]): IssueTimelineItemsConnection!
  userContentEdits(first: Int): UserContentEditConnection
  comments(first: Int, last: Int, after: String): IssueCommentConnection!
}
type PullRequest {
  number: Int! title: String! url: URI! body: String! createdAt: DateTime! lastEditedAt: DateTime author: Actor
  closed: Boolean! merged: Boolean! mergedAt: DateTime mergedBy: Actor headRefOid: GitObjectID!
  baseRepository: Repository commits(last: Int): PullRequestCommitConnection!
  timelineItems(first: Int, after: String, itemTypes: [PullRequestTimelineItemsItemType!]):
    PullRequestTimelineItemsConnection!
  userContentEdits(first: Int): UserContentEditConnection
  comments(first: Int, last: Int, after: String): IssueCommentConnection!
}
type PullRequestCommit { commit: Commit! }
type PullRequestCommitConnection { nodes: [PullRequestCommit] }
type PullRequestConnection { nodes: [PullRequest] }
union IssueOrPullRequest = Issue | PullRequest
interface GitObject { oid: GitObjectID! }
enum StatusState { ERROR EXPECTED FAILURE PENDING SUCCESS }
type StatusCheckRollup { state: StatusState! }
type GitActor { user: User }
type GitActorConnection { nodes: [GitActor] }
type Tree implements GitObject { oid: GitObjectID! }
type Commit implements GitObject {
  oid: GitObjectID! tree: Tree! statusCheckRollup: StatusCheckRollup authors(first: Int): GitActorConnection!
  associatedPullRequests(first: Int): PullRequestConnection
}
type Repository {
  nameWithOwner: String! object(oid: GitObjectID): GitObject issueOrPullRequest(number: Int!): IssueOrPullRequest
}
type Query { viewer: User! repository(owner: String!, name: String!): Repository }
"""
)

ITEM_TYPES = {
    "LABELED_EVENT": "LabeledEvent",
    "UNLABELED_EVENT": "UnlabeledEvent",
    "CLOSED_EVENT": "ClosedEvent",
    "REOPENED_EVENT": "ReopenedEvent",
    "MERGED_EVENT": "MergedEvent",
    "PULL_REQUEST_REVIEW": "PullRequestReview",
    "REVIEW_DISMISSED_EVENT": "ReviewDismissedEvent",
}


def actor(login: str | None) -> dict[str, str] | None:
    """A user; a bot where the login says so; None for one who is gone."""
    if login is None:
        return None
    kind = "Bot" if login.endswith("[bot]") else "User"
    return {"__typename": kind, "login": login.removesuffix("[bot]")}


@dataclass
class GitHubState(ForgeState):
    """The repository."""

    items: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Issues and pull requests as GraphQL tells them, with `labels`, `comments`, `timeline` and `edits` as lists."""
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    can_label: bool = True
    keeps_texts: bool = True
    """Whether earlier versions of a text are told."""
    page: int = 100
    """Entries of a timeline on one page, at most."""

    def write(self, who: str, title: str, body: str, labels: tuple[str, ...] = (), **pull: Any) -> int:
        """Number of a new issue; a pull request where fields of one are given."""
        number, at = max(self.items, default=0) + 1, self.tick()
        self.items[number] = {
            "__typename": "PullRequest" if pull else "Issue",
            "number": number,
            "id": self.id(),
            "title": title,
            "body": body,
            "author": actor(who),
            "createdAt": at,
            "updatedAt": at,
            "lastEditedAt": None,
            "closed": False,
            "labels": [],
            "thread": [],
            "timeline": [],
            "edits": [],
            **pull,
        }
        for label in labels if self.can_label else ():
            self.label(who, number, label)
        return number

    def edit(self, who: str, number: int, body: str) -> None:
        """Somebody edits a text."""
        item, at = self.items[number], self.tick()
        if not item["edits"]:
            item["edits"].append({"editedAt": item["createdAt"], "diff": item["body"], "editor": item["author"]})
        item["edits"].append({"editedAt": at, "diff": body, "editor": actor(who)})
        item |= {"body": body, "lastEditedAt": at, "updatedAt": at}

    def label(self, who: str, number: int, label: str) -> None:
        """Somebody sets a label."""
        self.items[number]["labels"].append(label)
        self.happened(who, number, "LabeledEvent", label={"name": label})

    def unlabel(self, who: str, number: int, label: str) -> None:
        """Somebody takes a label off."""
        self.items[number]["labels"].remove(label)
        self.happened(who, number, "UnlabeledEvent", label={"name": label})

    def close(self, who: str, number: int) -> None:
        """Somebody closes it."""
        self.items[number]["closed"] = True
        self.happened(who, number, "ClosedEvent")

    def reopen(self, who: str, number: int) -> None:
        """Somebody opens it again."""
        self.items[number]["closed"] = False
        self.happened(who, number, "ReopenedEvent")

    def review(self, who: str, number: int, state: str) -> dict[str, Any]:
        """Somebody reviews the pull request's head."""
        at = self.tick()
        said = {
            "__typename": "PullRequestReview",
            "id": f"PRR_{self.id()}",
            "createdAt": at,
            "submittedAt": at,
            "state": state,
            "author": actor(who),
            "commit": {"oid": self.items[number]["headRefOid"]},
        }
        self.items[number]["timeline"].append(said)
        self.items[number]["updatedAt"] = at
        return said

    def dismiss(self, who: str, number: int, review: dict[str, Any]) -> None:
        """Somebody dismisses a review."""
        before, review["state"] = review["state"], "DISMISSED"
        self.happened(who, number, "ReviewDismissedEvent", previousReviewState=before, review={"id": review["id"]})

    def merge(self, who: str, number: int, sha: str) -> None:
        """Somebody merges a pull request as this commit."""
        item = self.items[number]
        self.happened(who, number, "MergedEvent")
        self.close(who, number)
        item |= {"merged": True, "mergedAt": item["updatedAt"], "mergedBy": actor(who)}
        self.objects[sha]["associatedPullRequests"] = lambda _, first: {"nodes": [self.told(item)][:first]}

    def comment(self, who: str, number: int, text: str) -> dict[str, Any]:
        """Somebody writes a comment."""
        said = {
            "id": f"IC_{self.id()}",
            "body": text,
            "createdAt": self.tick(),
            "lastEditedAt": None,
            "author": actor(who),
            "editor": None,
        }
        self.items[number]["thread"].append(said)
        self.items[number]["updatedAt"] = said["createdAt"]
        return said

    def commit(self, sha: str, *authors: str, tree: str = "", checks: str = "") -> dict[str, Any]:
        """A commit, with the state of its checks."""
        self.objects[sha] = {
            "__typename": "Commit",
            "oid": sha,
            "tree": {"oid": tree or sha[::-1]},
            "statusCheckRollup": {"state": checks} if checks else None,
            "authors": {"nodes": [{"user": actor(author)} for author in authors]},
            "associatedPullRequests": {"nodes": []},
        }
        return self.objects[sha]

    def happened(self, who: str, number: int, kind: str, **fields: Any) -> None:
        """Something happened."""
        item, at = self.items[number], self.tick()
        item["timeline"].append({"__typename": kind, "createdAt": at, "actor": actor(who), **fields})
        item["updatedAt"] = at

    def told(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An item as GraphQL resolves it."""

        def timeline(_: Any, itemTypes: list[str], first: int, after: str | None = None) -> dict[str, Any]:  # noqa: N803 - GitHub's
            kinds = {ITEM_TYPES[kind] for kind in itemTypes}
            return connection(
                [one for one in item["timeline"] if one is None or one["__typename"] in kinds],
                min(first, self.page),
                after,
            )

        def comments(_: Any, first: int = 0, last: int = 0, after: str | None = None) -> dict[str, Any]:
            return connection(item["thread"], first, after) if first else connection(item["thread"][-last:], last, None)

        def edits(_: Any, first: int) -> dict[str, Any]:
            known = [{**one, **({} if self.keeps_texts else {"diff": None})} for one in item["edits"]]
            return {"totalCount": len(known), "nodes": known[::-1][:first]}

        told = {**item, "timelineItems": timeline, "comments": comments, "userContentEdits": edits}
        return {**told, "url": f"https://github.com/{REPOSITORY}/issues/{item['number']}"}


def connection(items: list[Any], first: int, after: str | None) -> dict[str, Any]:
    """A page of a list."""
    start = int(after or 0)
    more = start + first < len(items)
    page = {"hasNextPage": more, "endCursor": str(start + first) if more else None}
    return {"nodes": items[start : start + first], "pageInfo": page}


def answer(state: GitHubState, request: Request) -> Response:
    """What GitHub says to a request."""
    if (request.method, request.path) == ("POST", "/graphql"):
        return Response(200, _graphql(state, request))
    match request.path.strip("/").split("/")[3:] if request.path.startswith(f"/repos/{REPOSITORY}/") else ["nothing"]:
        case ["issues"] if request.method == "GET":
            return paged(request, _listed(state, request), "/repositories/4711/issues")
        case ["issues"] if request.method == "POST" and request.sent.get("title"):
            labels = tuple(request.sent.get("labels", ()))
            number = state.write(request.user, request.sent["title"], request.sent.get("body") or "", labels)
            return Response(201, _issue(state.items[number]))
        case ["issues", number] if int(number) in state.items and request.method == "PATCH":
            if request.sent.get("state") == "closed":
                state.close(request.user, int(number))
            return Response(200, _issue(state.items[int(number)]))
        case ["issues", number, "comments"] if int(number) in state.items and request.method == "POST":
            said = state.comment(request.user, int(number), request.sent["body"])
            return Response(201, _comment(said, number))
    if request.path == "/repositories/4711/issues":
        return paged(request, _listed(state, request), "/repositories/4711/issues")
    return Response(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})


def _graphql(state: GitHubState, request: Request) -> Any:
    document = parse(request.sent["query"])
    wrong = validate(SCHEMA, document)
    assert not wrong, wrong
    repository: Any = {
        "nameWithOwner": REPOSITORY,
        "object": lambda _, oid: state.objects.get(oid),
        "issueOrPullRequest": lambda _, number: _numbered(state, number),
    }
    for pull in state.items.values():
        pull["baseRepository"] = repository
    root = {
        "viewer": {"login": request.user},
        "repository": lambda _, owner, name: _repository(repository, owner, name),
    }
    done = execute_sync(SCHEMA, document, root, variable_values=request.sent.get("variables"))
    # GitHub has the kind of an error beside its message, not among its extensions.
    errors = [{"message": error.message, "path": error.path, **(error.extensions or {})} for error in done.errors or ()]
    return {"data": done.data, **({"errors": errors} if errors else {})}


def _repository(repository: Any, owner: str, name: str) -> Any:
    if f"{owner}/{name}".lower() == REPOSITORY:
        return repository
    raise _missing(f"Could not resolve to a Repository with the name '{owner}/{name}'.")


def _numbered(state: GitHubState, number: int) -> Any:
    if number in state.items:
        return state.told(state.items[number])
    raise _missing(f"Could not resolve to an issue or pull request with the number of {number}.")


def _missing(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"type": "NOT_FOUND"})


def _listed(state: GitHubState, request: Request) -> list[Any]:
    labels = set(filter(None, request.param("labels").split(",")))
    wanted = request.param("state", "open")
    items = [
        item
        for item in state.items.values()
        if labels <= set(item["labels"])
        and wanted in ("all", "closed" if item["closed"] else "open")
        and item["updatedAt"] > request.param("since")
    ]
    return [_issue(item) for item in sorted(items, key=lambda one: one["updatedAt"], reverse=True)]


def _issue(item: Mapping[str, Any]) -> dict[str, Any]:
    number, base = item["number"], f"https://api.github.com/repos/{REPOSITORY}"
    shown = {
        "id": item["id"],
        "node_id": f"I_{item['id']}",
        "url": f"{base}/issues/{number}",
        "repository_url": base,
        "labels_url": f"{base}/issues/{number}/labels{{/name}}",
        "comments_url": f"{base}/issues/{number}/comments",
        "events_url": f"{base}/issues/{number}/events",
        "html_url": f"https://github.com/{REPOSITORY}/issues/{number}",
        "number": number,
        "state": "closed" if item["closed"] else "open",
        "state_reason": "completed" if item["closed"] else None,
        "title": item["title"],
        "body": item["body"],
        "user": _user(item["author"]),
        "labels": [{"id": LABELS.index(label), "name": label} for label in item["labels"] if label in LABELS],
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "locked": False,
        "comments": len(item["thread"]),
        "closed_at": item["updatedAt"] if item["closed"] else None,
        "created_at": item["createdAt"],
        "updated_at": item["updatedAt"],
        "author_association": "MEMBER",
    }
    links = {f"{name}url": f"{base}/pulls/{number}" for name in ("", "html_", "diff_", "patch_")}
    return shown | ({"pull_request": links} if item["__typename"] == "PullRequest" else {})


def _user(author: Mapping[str, str] | None) -> dict[str, Any] | None:
    if author is None:
        return None
    bot = author["__typename"] == "Bot"
    login = author["login"] + ("[bot]" if bot else "")
    links = ("events", "followers", "following", "gists", "organizations", "received_events", "repos", "starred")
    base = f"https://api.github.com/users/{login}"
    return {
        **{f"{link}_url": f"{base}/{link}" for link in (*links, "subscriptions")},
        **{"login": login, "id": 1, "node_id": "U_1", "type": "Bot" if bot else "User", "site_admin": False},
        **{"avatar_url": f"{base}.png", "gravatar_id": "", "url": base, "html_url": f"https://github.com/{login}"},
    }


def _comment(said: Mapping[str, Any], number: str) -> dict[str, Any]:
    base = f"https://api.github.com/repos/{REPOSITORY}/issues"
    return {
        **{"id": int(said["id"][3:]), "node_id": said["id"], "body": said["body"], "user": _user(said["author"])},
        **{"created_at": said["createdAt"], "updated_at": said["createdAt"], "author_association": "MEMBER"},
        **{"url": f"{base}/comments/1", "html_url": "https://github.com/1", "issue_url": f"{base}/{number}"},
    }


@contextmanager
def github() -> Iterator[tuple[GitHubState, str]]:
    """A GitHub, and its address."""
    state = GitHubState()
    token = lambda headers: headers.get("authorization", "").removeprefix("Bearer ")  # noqa: E731 - one expression
    with served(state, token, lambda request: answer(state, request)) as url:
        yield state, url


def system(url: str, **settings: Any) -> GitHub:
    """The adapter for it."""
    given = {"token": "token-of-driftwarden", "repository": REPOSITORY, "url": url, **settings}
    return GitHub(Settings(**given), timeout=10)


@dataclass
class GitHubPeople:
    """People with a browser."""

    state: GitHubState
    system: TicketSystem

    @classmethod
    @contextmanager
    def make(cls, _: Path) -> "Iterator[GitHubPeople]":
        """People of a GitHub of their own."""
        with github() as (state, url):
            yield cls(state, system(url))

    def approved(self, start: datetime | None = START, end: datetime | None = START + HOUR) -> str:
        window = {name: at.isoformat() for name, at in (("start", start), ("end", end)) if at}
        scope = {name: getattr(SCOPE, name) for name in ("addresses", "resources", "types", "accounts")}
        number = self.state.write(
            "dana", "Raise it", written(kind="standard", implementer="lee", **scope, **window), ("change",)
        )
        self.state.label("sam", number, "approved")
        return f"{REPOSITORY}#{number}"

    def withdraw(self, ref: str) -> None:
        self.state.unlabel("sam", number_of(ref), "approved")

    def edit(self, ref: str) -> None:
        body = self.state.items[number_of(ref)]["body"]
        self.state.edit("dana", number_of(ref), body.replace("\r\ntypes: ", f"\r\ntypes: {MORE}, "))

    def delete(self, ref: str) -> None:
        del self.state.items[number_of(ref)]

    def reply(self, ref: str, who: str, text: str) -> None:
        self.state.comment(who, number_of(ref), text)

    def read(self, ref: str) -> list[str]:
        item = self.state.items[number_of(ref)]
        return [item["title"], unfenced(item["body"]), *(unfenced(said["body"]) for said in item["thread"])]

    def count(self, case: Case) -> int:
        return sum(case.key in keys(item["body"]) for item in self.state.items.values())


def number_of(ref: str) -> int:
    """Number of a reference."""
    return int(ref.rpartition("#")[2])
