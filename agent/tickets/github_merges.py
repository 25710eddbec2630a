"""What GitHub says of a commit that was applied: its pull request, who approved it, what its checks said; pure.

Hides which of several pull requests counts, whose approvals do not, and when checks of a branch speak for what came of
it.
"""

from collections.abc import Sequence
from typing import Literal

from agent.clean import clean
from agent.model import Merge
from agent.tickets.github_graph import Commit, Pull, Rollup
from agent.tickets.github_timeline import name, reviews
from agent.tickets.references import references

Checks = Literal["passed", "failed", "pending", "none"]
CHECKS: dict[str, Checks] = {
    "SUCCESS": "passed",
    "FAILURE": "failed",
    "ERROR": "failed",
    "PENDING": "pending",
    "EXPECTED": "pending",
}
"""https://docs.github.com/en/graphql/reference/enums#statusstate"""


def merge(commit: Commit, system: str, repository: str, stale: bool) -> Merge:
    """The record of a commit of `repository`.

    `stale`: whether an approval of an earlier commit than the last ends with it. Approvals by those who wrote part of
    the commit are left out. The checks are those of the commit; where it has none, those of the branch it came of, if
    that had exactly its content.
    """
    known = commit.associated_pull_requests
    pull = _brought(known.nodes if known else [], repository)
    authors = frozenset(name(one.user) for one in (commit.authors.nodes if commit.authors else []) if one.user)
    own = _checks(commit.status_check_rollup)
    if pull is None:
        author = clean(min(authors)) if len(authors) == 1 else ""
        return Merge(commit.oid, system, repository, author=author, checks=own)
    if own == "none":
        own = _checks(_branch(commit, pull))
    return Merge(
        commit.oid,
        system,
        repository,
        ref=f"#{pull.number}",
        url=clean(pull.url),
        author=clean(name(pull.author)),
        merged_by=clean(name(pull.merged_by)),
        merged_at=pull.merged_at,
        history=reviews(list(filter(None, pull.timeline_items.nodes)), pull.head_ref_oid, stale, authors),
        checks=own,
        references=references(f"{pull.title}\n{pull.body}"),
    )


def _brought(pulls: Sequence[Pull], repository: str) -> Pull | None:
    """The pull request that brought a commit into the repository: the first that was merged there."""
    merged = [
        (pull.merged_at, pull.number, pull)
        for pull in pulls
        if pull.merged_at
        and pull.base_repository
        and pull.base_repository.name_with_owner.lower() == repository.lower()
    ]
    return min(merged, key=lambda one: one[:2])[2] if merged else None


def _branch(commit: Commit, pull: Pull) -> Rollup | None:
    heads = [one.commit for one in pull.commits.nodes]
    same = [head for head in heads if commit.tree and head.tree.oid == commit.tree.oid]
    return same[-1].status_check_rollup if same else None


def _checks(rollup: Rollup | None) -> Checks:
    return CHECKS.get(rollup.state, "pending") if rollup else "none"
