"""What GitLab says of a commit that was applied: its merge request, who approved it, how its pipelines ended; pure.

Hides which of several pipelines speaks. Shapes: https://docs.gitlab.com/api/merge_requests/,
https://docs.gitlab.com/api/merge_request_approvals/, https://docs.gitlab.com/api/pipelines/
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from agent.clean import clean
from agent.model import Merge
from agent.tickets.gitlab_notes import Record, Time, User, name, reviews
from agent.tickets.references import references

FAILED = ("failed", "canceled")
PASSED = ("success", "skipped")
"""Every other status of a pipeline is one of waiting or running."""


class Request(msgspec.Struct):
    """A merge request that has the commit."""

    iid: int
    title: str
    description: str | None
    state: str
    web_url: str
    author: User | None
    merged_at: Time | None = None
    merge_user: User | None = None
    merged_by: User | None = None
    """What GitLab before 14.7 says in place of `merge_user`."""


class Pipeline(msgspec.Struct):
    """A pipeline of the commit."""

    id: int
    status: str
    ref: str | None = None
    source: str | None = None


class _Approval(msgspec.Struct):
    user: User


class Approvals(msgspec.Struct):
    """Whose approval of a merge request stands."""

    approved_by: list[_Approval]


def merge(
    sha: str,
    system: str,
    project: str,
    request: Request | None,
    record: Record,
    pipelines: Sequence[Pipeline],
    stale: bool,
) -> Merge:
    """The record of a commit; `request` brought it, None: nobody asked for it to be merged.

    `stale`: whether an approval ends with the next commit.
    """
    passed = checks(pipelines)
    if request is None:
        return Merge(sha, system, project, checks=passed)
    return Merge(
        sha,
        system,
        project,
        ref=f"!{request.iid}",
        url=clean(request.web_url),
        author=clean(name(request.author)),
        merged_by=clean(name(request.merge_user or request.merged_by)),
        merged_at=request.merged_at,
        history=reviews(record, stale),
        checks=passed,
        references=references(f"{request.title}\n{request.description or ''}"),
    )


def checks(pipelines: Sequence[Pipeline]) -> Literal["passed", "failed", "pending", "none"]:
    """What a commit's pipelines say together: of each branch and source, the newest."""
    newest = {(one.ref, one.source): one.status for one in sorted(pipelines, key=lambda one: one.id)}
    if not newest:
        return "none"
    if any(status in FAILED for status in newest.values()):
        return "failed"
    return "passed" if all(status in PASSED for status in newest.values()) else "pending"
