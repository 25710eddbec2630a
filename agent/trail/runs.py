"""Subject, session tags and session name of a call → the pipeline run it was made in.

Hides how each system spells its OIDC subject, which tag names a run id or a commit, and which session names have the
form of a run's. What the identity provider signed comes first; a session name is its caller's own word, and `how` says
which it was. A run describes: it proves nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from agent.model import Run

_OWN_WORD = "its caller's own word"
_UNNUMBERED = "unnumbered"
_BY_TAGS = "pipeline"  # nothing but its tags says that it is one
_LONGEST = 256  # characters of one part; STS allows no longer tag value
_LONGEST_NAME = 64  # of a session name, by STS's rule
_LONGEST_SUBJECT = 2048  # STS takes a token of 20,000 characters, and no known subject comes near this
_MOST_TAGS = 200  # of all sessions of a chain; STS takes 50 for each

_SUBJECTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    # https://docs.github.com/en/actions/reference/security/oidc; repositories made since 2026-07 are `owner@1/name@2`.
    "repo": ("github", {"repo": "repository", "ref": "ref", "environment": "environment"}),
    "repository": ("github", {"repository": "repository", "ref": "ref", "environment": "environment"}),
    # https://docs.gitlab.com/ci/secrets/id_token_authentication
    "project_path": ("gitlab", {"project_path": "repository", "ref": "ref", "environment": "environment"}),
    # https://docs.spacelift.io/integrations/cloud-providers/oidc
    "space": ("spacelift", {"stack": "repository", "module": "repository", "space": "environment"}),
}
"""First word of a subject of `name:value` pairs → the system, and which of its names are which part of a run."""

_ORGANIZATION = {
    # https://buildkite.com/docs/pipelines/security/oidc
    "buildkite": {"ref": "ref", "commit": "commit"},
    # https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials
    "terraform-cloud": {"run_phase": "environment"},
}

_TAGS: Mapping[str, tuple[str, ...]] = {
    "id": ("runid", "githubrunid", "run", "pipelineid", "cipipelineid", "buildid", "buildnumber", "jobid"),
    "commit": ("commit", "commitsha", "sha", "gitsha", "gitcommit", "githubsha", "cicommitsha", "buildcommit"),
    "repository": ("repository", "repo", "githubrepository", "projectpath", "stack"),
    "ref": ("ref", "branch", "githubref", "gitref", "buildbranch"),
    "pull_request": ("pullrequest", "prnumber", "pullnum", "mergerequest", "mergerequestiid"),
    "environment": ("environment", "env", "space"),
}
"""Part of a run → session tags that hold it, without case and punctuation, the plainest first."""

_SYSTEM_TAGS = {"githubrunid": "github", "githubrepository": "github", "githubsha": "github", "github": "github"} | {
    "cipipelineid": "gitlab",
    "cicommitsha": "gitlab",
}

_NAMES: Sequence[tuple[str, re.Pattern[str]]] = (
    # https://docs.gitlab.com/ci/cloud_services/aws
    ("gitlab", re.compile(r"GitLabRunner-\d{1,12}-(?P<id>\d{1,12})")),
    ("codebuild", re.compile(r"AWSCodeBuild-(?P<id>[0-9a-f-]{36})")),
    ("terraform-cloud", re.compile(r"(?:terraform-(?:run-)?)?(?P<id>run-[A-Za-z0-9]{16})")),
    ("spacelift", re.compile(r"(?P<id>[0-7][0-9A-HJKMNP-TV-Z]{25})(?:@.*)?")),
    ("terrateam", re.compile(r"terrateam")),
    # A run id has 9 to 11 digits; 12 are an account id.
    ("github", re.compile(r"(?:GitHubActions|github-actions|gha)(?:-(?P<id>\d{9,11}))?", re.IGNORECASE)),
    # The recipe of Atlantis' documentation is `user-owner-repo-pull`; which hyphen ends which name is not to be told.
    ("atlantis", re.compile(r"(?!aws-)[A-Za-z][\w.]*-[\w.-]+-[\w.-]+-(?P<pull_request>\d{1,6})")),
)
"""System → the whole session name it gives by default or by its documentation's recipe."""

_GITHUB_RUN = re.compile(r"(?<!\d)\d{9,11}(?!\d)")
_PULL_REQUEST = re.compile(r"(?<![A-Za-z0-9])(?:PR|MR)-?(\d{1,7})(?!\d)", re.IGNORECASE)
_SHA = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")
_UUID = r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?"
_BITBUCKET = re.compile(f"{_UUID}(?::{_UUID})?:{_UUID}")
# https://circleci.com/docs/guides/permissions-authentication/openid-connect-tokens
_CIRCLECI = re.compile(
    r"org/[^/]+/project/(?P<project>[^/]+)/user/[^/]+(?:/vcs-origin/(?P<origin>.+?)/vcs-ref/(?P<ref>.+))?"
)


def run(
    subject: str, session_name: str, tags: tuple[tuple[str, str], ...], provider: str, service: str = ""
) -> Run | None:
    """The run; None where nothing has the form of one. Never raises.

    `subject` is what an OIDC `provider` vouched for, empty where none did. `tags` are of the sessions, (name, value).
    `service` is the AWS service that STS issued the session to and that named it; empty: whoever asked did.
    """
    kept = tuple((name[:_LONGEST], value[:_LONGEST]) for name, value in tags[:_MOST_TAGS])
    return _run(subject[:_LONGEST_SUBJECT], session_name[: _LONGEST_NAME + 1], kept, provider[:_LONGEST], service)


@functools.lru_cache(maxsize=1024)  # one session's calls ask the same again and again
def _run(subject: str, session_name: str, tags: tuple[tuple[str, str], ...], provider: str, service: str) -> Run | None:
    found = _of_subject(subject, provider) if subject else None
    found = _tagged(found, tags)
    found = _named(found, session_name, f"session name, {f'given by {service}' if service else _OWN_WORD}")
    return None if found is None else replace(found, **{name: _cut(getattr(found, name)) for name in _TEXTS})


_TEXTS = tuple(field.name for field in fields(Run))


def _of_subject(subject: str, provider: str) -> Run | None:
    """What the identity provider signed."""
    how = "OIDC subject"
    first, _, rest = subject.partition(":")
    if first == "organization":
        return _of_organization(subject, provider, how)
    if first in _SUBJECTS:
        system, names = _SUBJECTS[first]
        said = {names[name]: value for name, value in reversed(_pairs(subject)) if name in names}
        if system == "github":
            said["repository"] = re.sub(r"@\d+", "", said.get("repository", ""))
            if "pull_request" in rest.split(":"):
                said["pull_request"] = _UNNUMBERED
        return Run(system, how=how, **said)
    if "circleci.com" in provider and (job := _CIRCLECI.fullmatch(subject)):
        return Run("circleci", job["origin"] or job["project"], ref=job["ref"] or "", how=how)
    if "bitbucket.org" in provider and (step := _BITBUCKET.fullmatch(subject)):
        return Run("bitbucket", step[1], id=step[3], environment=step[2] or "", how=how)
    return None


def _of_organization(subject: str, provider: str, how: str) -> Run:
    """Terraform Cloud and Buildkite begin alike."""
    said = dict(reversed(_pairs(subject)))
    system = "buildkite" if "buildkite" in provider or "pipeline" in said else "terraform-cloud"
    parts = {part: said[name] for name, part in _ORGANIZATION[system].items() if name in said}
    inside = said.get("pipeline", "") if system == "buildkite" else said.get("workspace", "")
    return Run(system, "/".join(filter(None, (said["organization"], inside))), how=how, **parts)


def _pairs(subject: str) -> list[tuple[str, str]]:
    """`a:b:c:d` → (a, b), (c, d). No system lets a colon into a value: GitHub writes `%3A`."""
    words = subject.split(":")
    return [(name, value.replace("%3A", ":")) for name, value in zip(words[::2], words[1::2], strict=False)]


def _tagged(found: Run | None, tags: tuple[tuple[str, str], ...]) -> Run | None:
    """What session tags add; they take nothing away from what the provider signed."""
    said = {re.sub(r"[^a-z0-9]", "", name.lower()): value for name, value in tags if value}
    parts = {part: next((said[name] for name in names if name in said), "") for part, names in _TAGS.items()}
    if found is None and not parts["id"] and not parts["commit"]:
        return None  # `environment` alone is anybody's tag
    begun = found or Run(next((system for name, system in _SYSTEM_TAGS.items() if name in said), _BY_TAGS))
    return _filled(begun, parts, "session tag")


def _named(found: Run | None, name: str, where: str) -> Run | None:
    """What the session name adds."""
    if len(name) > _LONGEST_NAME:
        return found
    system, parts = next(
        ((system, made.groupdict()) for system, form in _NAMES if (made := form.fullmatch(name))), ("", {})
    )
    if found is None:
        return Run(system, how=where, **{part: text or "" for part, text in parts.items()}) if system else None
    if system and found.system in (system, _BY_TAGS):
        found = replace(found, system=system)
        return _filled(found, parts, where)
    free = {"commit": _first(_SHA, name), "id": _first(_GITHUB_RUN, name) if found.system == "github" else ""}
    if found.pull_request == _UNNUMBERED:
        free["pull_request"] = _first(_PULL_REQUEST, name)
    return _filled(found, free, where)


def _filled(found: Run, parts: Mapping[str, str | None], where: str) -> Run:
    """The run with parts it does not have yet, and where they stand."""
    new = {
        part: text
        for part, text in parts.items()
        if text and (not getattr(found, part) or getattr(found, part) == _UNNUMBERED)
    }
    if not new:
        return found
    told = f"{', '.join(part.replace('_', ' ') for part in new)}: {where}" if found.how else where
    return replace(found, **new, how="; ".join(filter(None, (found.how, told))))


def _first(form: re.Pattern[str], text: str) -> str:
    made = form.search(text)
    return made[form.groups] if made else ""


def _cut(text: str) -> str:
    return text[:_LONGEST]
