"""A first configuration, proposed from what a directory of repositories holds, and which states lie in a bucket.

Hides how code and states find each other, and how names that others chose become TOML and nothing else.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.clean import clean
from agent.declared.bucket import Known, Listing
from agent.declared.git import GitError
from agent.declared.git_address import git_address
from agent.declared.provenance import repository_of
from agent.declared.roots import Root, generated, read_root, roots

__all__ = ["Found", "Proposal", "find", "proposal", "propose", "roots"]

_LIKE = 0.8  # share of what two lists of resources have in common, from which one may be the other's


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds: root modules, and folders whose code is generated."""

    directory: Path
    """Where the configuration will be written."""
    roots: tuple[Root, ...]
    generated: tuple[Path, ...] = ()

    def keys(self, bucket: str) -> frozenset[str]:
        """Keys of the bucket that the code names for its states."""
        named = (each for root in self.roots for each in _named(root, bucket))
        return frozenset(key for place, key, _ in named if place == bucket)


@dataclass(frozen=True, slots=True)
class _Stack:
    """A root module with one state."""

    root: Root
    state: str = ""
    """As the configuration has it; empty: where the backend block says."""
    known: Known | None = None
    workspace: str = ""
    why: str = ""
    """Why no state is known for it."""
    like: str = ""
    """Location of a state that looks like its."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A commented `driftwarden.toml`, and what of it a person should look at."""

    text: str
    stacks: int
    broken: tuple[str, ...] = ()
    """Root modules that do not parse, each with its first reason."""
    unlisted: tuple[str, ...] = ()
    """States that match no configuration, with what is known of them."""
    stateless: tuple[str, ...] = ()
    """Configurations that match no state, each with the reason."""


def find(directory: Path, repositories: Path | None = None) -> Found:
    """Root modules below `repositories`, else below `directory`, where the configuration will be written."""
    place = repositories or directory
    # A folder of repositories is one level more than a repository.
    deepest = 6 if repositories is None else 7
    return Found(directory, tuple(map(read_root, roots(place, deepest))), generated(place, deepest))


def proposal(directory: Path) -> str:
    """A commented `driftwarden.toml` for what the directory holds."""
    return propose(find(directory)).text


def propose(found: Found, listing: Listing | None = None, bucket: str = "") -> Proposal:
    """A configuration for what was found, with the states in `bucket` where they were listed."""
    stacks = _matched(found, listing, bucket) if listing else [_Stack(root) for root in found.roots]
    read = {stack.state for stack in stacks} | {stack.known.location for stack in stacks if stack.known}
    others = [each for each in (listing.states if listing else ()) if each.location not in read]
    names: Counter[str] = Counter()
    texts = [_text(found.directory, stack, names) for stack in stacks] or [_NO_STACK]
    texts += [_terragrunt(found.directory, each) for each in found.generated]
    regions = sorted({region for root in found.roots for region in root.regions}) or ["us-east-1"]
    text = _TEMPLATE.format(
        name=_name(found.directory.resolve().name),
        known="\n".join(_known_states(others, listing, bucket)),
        stacks="\n".join(texts),
        accounts="".join(f"{line}\n" for line in _accounts(listing)),
        regions=", ".join(map(_quoted, regions)),
    )
    return Proposal(
        text,
        len(stacks),
        tuple(f"{_shown(found.directory, root)}: {clean(root.broken[0], 300)}" for root in found.roots if root.broken),
        tuple(f"{clean(each.location, 300)}  {_told(each)}" for each in others if each.resources or each.unread),
        tuple(f"{_shown(found.directory, stack.root)}: {clean(stack.why, 300)}" for stack in stacks if stack.why),
    )


# --- code and states -----------------------------------------------------------------------------------------


def _named(root: Root, bucket: str) -> Iterator[tuple[str, str, str]]:
    """Bucket, key and prefix of workspaces that a root's backend names, once for each file of settings beside it."""
    if root.backend is None or root.backend.type != "s3":
        return
    for settings in ({}, *root.backend.partial.values()):
        given = {**root.backend.settings, **settings}
        place, key = given.get("bucket") or bucket, given.get("key")
        if isinstance(place, str) and isinstance(key, str) and key:
            yield place, key, str(given.get("workspace_key_prefix") or "env:")


def _matched(found: Found, listing: Listing, bucket: str) -> list[_Stack]:
    """Every root with each of its states; those without one get the reason, and the state that looks like theirs."""
    known = {each.location: each for each in listing.states}
    stacks = [stack for root in found.roots for stack in _stacks(root, known, bucket)]
    taken = {stack.known.location for stack in stacks if stack.known}
    free = [each for each in listing.states if each.location not in taken]
    return [replace(stack, like=_like(stack.root, free)) if stack.why else stack for stack in stacks]


def _stacks(root: Root, known: Mapping[str, Known], bucket: str) -> Iterator[_Stack]:
    if (root.directory / "terraform.tfstate").is_file() and root.backend is None:
        yield _Stack(root)
        return
    count = 0
    for place, key, prefix in dict.fromkeys(_named(root, bucket)):
        own = f"s3://{place}/{key}"
        pattern = re.compile(re.escape(f"s3://{place}/{prefix}/") + r"([^/]+)" + re.escape(f"/{key}"))
        workspaces = [(each, match[1]) for each in known if (match := pattern.fullmatch(each))]
        for location, workspace in ([(own, "")] if own in known else []) + workspaces:
            count += 1
            yield _Stack(root, location, known[location], workspace)
    if not count:
        yield _Stack(root, why=_reason(root, bucket))


def _reason(root: Root, bucket: str) -> str:
    if root.backend is None:
        what = "what does not parse may name one" if root.broken else "the state of a root without one is a local file"
        return f"no backend block was found, and {what}"
    if root.backend.type != "s3":
        return f"its state is in the backend {root.backend.type}, not in s3://{bucket}"
    places = [f"s3://{place}/{key}" for place, key, _ in _named(root, bucket)]
    if not places:
        return "its backend block does not name the key, and no file beside it does (terraform init -backend-config)"
    elsewhere = [each for each in places if not each.startswith(f"s3://{bucket}/")]
    if elsewhere:
        return f"its state is {elsewhere[0]}, which is in another bucket"
    return f"there is no state {places[0]}: it was never applied, or it was moved"


def _like(root: Root, free: Iterable[Known]) -> str:
    """The one state among those nobody reads whose resources are those of the code; empty where none or several are."""
    alike = [
        each.location
        for each in free
        if len(each.declared & root.resources) > 1
        and len(each.declared & root.resources) >= _LIKE * len(each.declared | root.resources)
    ]
    return alike[0] if len(alike) == 1 else ""


# --- as TOML -------------------------------------------------------------------------------------------------


def _text(directory: Path, stack: _Stack, names: Counter[str]) -> str:
    lines = [f"# {clean(why, 300)}" for why in stack.root.broken]
    if lines:
        lines.insert(0, "# Does not parse: until it does, nothing of its account is called unmanaged or missing.")
    lines += [f"[[stack]]\nname = {_quoted(_unique(directory, stack, names))}"]
    lines.append(f"dir = {_quoted(_relative(directory, stack.root.directory))}")
    if remote := _remote(stack.root.directory):
        lines.append(f"# dir = {_quoted(remote)} # instead: as it is on the server")
    lines += _where(stack)
    if stack.known and len(stack.known.accounts) == 1:
        lines.append(f"account = {_quoted(stack.known.accounts[0])}")
    if stack.root.broken and len(stack.root.regions) == 1:
        lines.append(f"region = {_quoted(stack.root.regions[0])}")
    return "\n".join([*lines, '# owner = "team-name"', ""])


def _where(stack: _Stack) -> list[str]:
    if stack.known and _can_stand(stack.state):
        workspace = [f"workspace = {_quoted(stack.workspace)}"] if stack.workspace else []
        return [f"state = {_quoted(stack.state)} # {_told(stack.known)}", *workspace]
    if not stack.why and (stack.root.directory / "terraform.tfstate").is_file():
        return ['state = "terraform.tfstate"']
    if stack.why and not stack.like:
        return [f"# No state is known for it: {clean(stack.why, 300)}", '# state = "s3://bucket/key"']
    if stack.like:
        lines = [f"# No state is known for it: {clean(stack.why, 300)}"]
        return [*lines, f"# state = {_quoted(stack.like)} # it records what this code declares: is it this one's?"]
    return ['# state = "s3://bucket/key" # left out: where the backend block says']


def _terragrunt(directory: Path, folder: Path) -> str:
    """Commented out: only its author knows where its state is."""
    return f"""\
# Terragrunt writes the code of this one anew for each run; with hcl = false its state alone is compared.
# [[stack]]
# name = {_quoted(_name(_relative(directory, folder)))}
# dir = {_quoted(_relative(directory, folder))}
# state = "s3://bucket/key"
# hcl = false
"""


def _known_states(others: list[Known], listing: Listing | None, bucket: str) -> Iterator[str]:
    """The states that no stack reads, as the configuration lists them, and what else is to be said of the bucket."""
    if listing is None:
        return
    if listing.why:
        yield f"# Not all states are known: {clean(listing.why, 300)}"
    yield from (f"# s3://{bucket}/{clean(key, 300)} ends as a state does and is none" for key in listing.others)
    empty = [each for each in others if not each.resources and not each.unread]
    yield from (f"# {clean(each.location, 300)} matches no configuration and holds no resources" for each in empty)
    full = [each for each in others if each not in empty]
    yield from (
        f"# {clean(each.location, 300)} matches no configuration; its name cannot stand here: give it a stack"
        for each in full
        if not _can_stand(each.location)
    )
    if full:
        yield f"# States in s3://{bucket} that match no configuration. While no stack reads them, nothing in their"
        yield "# accounts is called unmanaged: find their code, or give each a stack with hcl = false."
    yield "known_states = ["
    for each in full:
        if _can_stand(each.location):
            yield f"    {_quoted(each.location)}, # {_told(each)}"
    yield "]\n"


def _told(state: Known) -> str:
    """What is known of a state, on one line."""
    if state.unread:
        return f"not read: {clean(state.unread, 300)}"
    count = f"{state.resources} {'resource' if state.resources == 1 else 'resources'}"
    accounts = f", in {', '.join(state.accounts)}" if state.accounts else ", of no account that it tells"
    return f"lineage {clean(state.lineage, 60)}, serial {state.serial}, {count}{accounts}"


def _accounts(listing: Listing | None) -> Iterator[str]:
    seen = sorted({account for state in (listing.states if listing else ()) for account in state.accounts})
    if seen:
        yield f"# The states speak of {', '.join(seen)}: each account needs a table with credentials that may read it."


def _unique(directory: Path, stack: _Stack, names: Counter[str]) -> str:
    place = _relative(directory, stack.root.directory)
    own = directory.resolve().name if place == "." else "-".join(each for each in place.split("/") if each != "..")
    name = _name(f"{own}-{stack.workspace}" if stack.workspace else own)
    names[name] += 1
    return name if names[name] == 1 else f"{name}--{names[name]}"


def _relative(directory: Path, folder: Path) -> str:
    return Path(os.path.relpath(folder, directory)).as_posix()


def _shown(directory: Path, root: Root) -> str:
    return clean(_relative(directory, root.directory), 300)


def _can_stand(text: str) -> bool:
    """Whether a text is itself in a configuration: no reference, and Unicode."""
    return "${" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _quoted(text: str) -> str:
    """A TOML string: JSON's but for DEL (https://toml.io/en/v1.0.0#string). A repository's names are not ours."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _name(text: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in text).strip("-")
    return kept or "estate"


_ORIGIN = re.compile(r'^\[remote "origin"\]\s*\n(?:\s+(?!url\b)\S.*\n)*\s+url\s*=\s*(\S+)\s*$', re.MULTILINE)


def _remote(directory: Path) -> str:
    """Where the repository of a folder was cloned from, in Terraform's spelling and without credentials; or empty."""
    try:
        place = repository_of(directory)
        if place is None:
            return ""
        with (place[0] / "config").open(encoding="utf-8", errors="replace") as file:
            origin = _ORIGIN.search(file.read(100_000))
        address = git_address(f"git::{origin[1]}") if origin else None
    except (OSError, GitError):
        return ""
    if address is None or address.url.startswith("file:"):
        return ""
    found = str(replace(address, path=place[1], ref=""))
    return found if _can_stand(found) else ""


_NO_STACK = """\
# No Terraform root module was found here. A stack is a root module and its state:
# [[stack]]
# name = "payments"
# dir = "infra/payments"
# state = "s3://bucket/payments.tfstate"
"""

_TEMPLATE = """\
# driftwarden: what is looked after, and what makes a change authorised.
# `driftwarden check` proves that it works; `driftwarden scan` runs it. Every key is described in docs/configuration.md.
# Secrets are references: ${{env:NAME}}, ${{file:/path}}, ${{cred:name}} (systemd LoadCredential).

[estate]
name = "{name}"
# complete = true # once every state is read by a stack: what is in none is then a violation
{known}
{stacks}
# Which accounts are read, in which regions, with which credentials (default: the environment's).
{accounts}[[account]]
regions = [{regions}]
# id = "123456789012"                                   # refuse other credentials
# role_arn = "arn:aws:iam::123456789012:role/driftwarden"
# external_id = "..."

# Where CloudTrail events come from: "lookup" needs no trail (90 days, two requests a second);
# "s3://bucket/prefix" reads a trail's bucket; a directory reads log files.
[trail]
source = "lookup"
lookback = "7d"

[authority]
tolerance = "15m"  # how far outside a ticket's window a call may fall
approvals = 1      # approvers besides the implementer

# A trusted pipeline: its role, and what proves that it is the pipeline and not a person in that role.
# [[authority.pipeline]]
# name = "deploy"
# role = "arn:aws:iam::123456789012:role/deploy"
# subject = "repo:org/repo:ref:refs/heads/main"         # or source_identity, or source_ips

# AWS principal = user in the ticket system, where the names differ.
# [authority.people]
# "dana@example.com" = "dana"

[tickets]
mode = "observe" # found and reported, nothing filed; "file" opens cases

[tickets.register]
path = "tickets" # a directory of YAML tickets under version control

[store]
url = "sqlite:///driftwarden.db"

[report]
dir = "reports"
"""
