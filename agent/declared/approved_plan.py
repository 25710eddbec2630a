"""The plan a ticket's approval was given for (`terraform show -json PLAN`): what it changes, and the fingerprint that
stands for it in the ticket.

Hides the format's layout (https://developer.hashicorp.com/terraform/internals/json-format). The fingerprint is of what
changes in the cloud or in state, and of nothing else: two plans that do the same have the same. What Terraform marks as
sensitive counts in it as sensitive and not by value, as whoever sees a ticket could else guess it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from agent.clean import clean, several
from agent.declared.named import names_of
from agent.declared.plan_json import PlanError
from agent.declared.regular import read_regular
from agent.declared.sensitive import marked_scalars, sealed
from agent.declared.state import Steps
from agent.model import Act, ApprovedPlan, PlannedChange, Secret, Unknown
from agent.named import load as named
from agent.resources import WEIRD, Attributes, Spec, identity, load
from agent.seal import newest, seal

MAX_BYTES = 50 * 1024 * 1024
"""Largest plan read."""
MAX_FOLDER = 10 * MAX_BYTES
"""So much of a folder's plans is read, in the order of their names."""
MAX_MARKS = 200
"""Places of one resource that are sensitive, each looked up in all of it; beyond, whole attributes are."""

_OPEN = Unknown("known after the apply")


class _Change(msgspec.Struct):
    actions: tuple[str, ...] = ()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    after_unknown: Any = None
    before_sensitive: Any = None
    after_sensitive: Any = None
    importing: dict[str, Any] | None = None


class _ResourceChange(msgspec.Struct):
    address: str
    type: str
    change: _Change
    mode: str = "managed"
    deposed: str = ""
    previous_address: str = ""

    @property
    def acts(self) -> tuple[Act, ...]:
        """What it does in the cloud. State alone is touched by an import, a move and `forget`."""
        known: tuple[Act, ...] = ("create", "update", "delete")
        return tuple(act for act in known if act in self.change.actions)

    @property
    def counts(self) -> bool:
        """Whether it changes anything; what only state has of it counts."""
        moved = self.previous_address not in ("", self.address)
        quiet = set(self.change.actions) <= {"no-op", "read"} and self.change.importing is None and not moved
        return self.mode == "managed" and not quiet


class _Plan(msgspec.Struct):
    format_version: str = ""
    resource_changes: tuple[_ResourceChange, ...] = ()
    errored: bool = False
    planned_values: msgspec.Raw = msgspec.Raw()
    values: msgspec.Raw = msgspec.Raw()


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
_PLAN = msgspec.json.Decoder(_Plan)
_READ = ("format_version", "resource_changes", "errored")


def fingerprint(plan_json: Mapping[str, Any]) -> str:
    """`sha256:` and 64 digits of hex, of what a plan changes. Takes the decoded JSON; raises `PlanError`."""
    try:
        known = {name: plan_json[name] for name in _READ if name in plan_json}
        return _fingerprint(_checked(msgspec.convert(known, _Plan)))
    except (msgspec.ValidationError, RecursionError) as error:
        raise PlanError(f"the plan is not what `terraform show -json PLAN` writes: {error}") from None


def read_plan(data: bytes, key: bytes) -> ApprovedPlan:
    """The plan in a file's content; `key` seals what is sensitive in it. Raises `PlanError`."""
    if len(data) > MAX_BYTES:
        raise PlanError(f"the plan has {len(data):,} bytes, at most {MAX_BYTES:,} are read: split the stack")
    try:
        plan = _PLAN.decode(data)
        found = _fingerprint(_checked(plan))
        changes = [one for each in _counting(plan) for one in _planned(each, key, load())]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PlanError(f"the plan is not what `terraform show -json PLAN` writes: {clean(error, 200)}") from None
    return ApprovedPlan(found, tuple(changes))


def find_plan(fingerprint: str, folder: Path, key: bytes) -> ApprovedPlan:
    """The plan with this fingerprint among a folder's `*.json`; without changes, and why, where there is none."""
    return find_plans((fingerprint,), folder, key)[fingerprint]


def find_plans(fingerprints: Collection[str], folder: Path, key: bytes) -> Mapping[str, ApprovedPlan]:
    """Fingerprint → the plan among a folder's `*.json`, each file read once. Raises nothing.

    One that is not found has no changes, and says how many plans were looked at and which could not be read.
    """
    missing, found, looked = set(fingerprints), {}, 0
    unread: list[str] = []
    try:
        files = sorted(folder.glob("*.json")) if folder.is_dir() else []
        why = "" if folder.is_dir() else f"{folder}: no such folder of plans"
    except OSError as error:
        files, why = [], f"{folder}: cannot be read: {error.strerror}"
    left = MAX_FOLDER
    for file in files:
        if not missing:
            break
        try:
            data = read_regular(file, min(MAX_BYTES, left) + 1)
            if len(data) > left:
                unread.append(f"{file.name} and what comes after it: more than {MAX_FOLDER:,} bytes of plans")
                break
            left -= len(data)
            plan = read_plan(data, key)
        except OSError as error:
            unread.append(f"{file.name}: {error.strerror}")
        except PlanError as error:
            unread.append(f"{file.name}: {error}")
        else:
            looked += 1
            if plan.fingerprint in missing:
                missing.discard(plan.fingerprint)
                found[plan.fingerprint] = plan
    said = why or f"no plan with this fingerprint among the {looked:,} in {folder}"
    said += f"; not read: {several(unread, 3)}" if unread else ""
    return found | {one: ApprovedPlan(one, None, clean(said)) for one in missing}


# --- what a plan changes -------------------------------------------------------------------------------------


def _checked(plan: _Plan) -> _Plan:
    if not plan.format_version:
        raise PlanError("the plan has no `format_version`: `terraform show -json PLAN` writes one")
    if not plan.format_version.startswith("1."):
        raise PlanError(f"the plan has format version {clean(plan.format_version, 20)}, read is version 1")
    if memoryview(plan.values).nbytes and not memoryview(plan.planned_values).nbytes:
        raise PlanError("this is a state and no plan: `terraform show -json PLAN` wants the plan's file")
    if plan.errored:
        raise PlanError("the plan ended with an error and is not whole: plan again")
    return plan


def _counting(plan: _Plan) -> list[_ResourceChange]:
    return sorted((each for each in plan.resource_changes if each.counts), key=lambda one: (one.address, one.deposed))


def _fingerprint(plan: _Plan) -> str:
    said = [
        {
            "address": each.address,
            "deposed": each.deposed,
            "moved": "" if each.previous_address == each.address else each.previous_address,
            "import": each.change.importing or {},
            "actions": each.change.actions,
            # What our specifications call secret is no part of it: they differ from version to version.
            "after": _node(_sealed(each, _opened(each.change.after, each.change.after_unknown) or {}, None, b"")),
        }
        for each in _counting(plan)
    ]
    text = json.dumps({"plan": 1, "changes": said}, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _node(value: Any) -> Any:
    """A value that cannot be taken for what stands for one: each node says what it is."""
    match value:
        case Unknown():
            return ["unknown"]
        case Secret():
            return ["sensitive"]
        case Mapping():
            # Whether an attribute is null or left out depends on the version of Terraform.
            return ["map", {name: _node(item) for name, item in value.items() if item is not None}]
        case list():
            return ["list", [_node(item) for item in value]]
        case _:
            return ["value", value]


def _opened(value: Any, marks: Any) -> Any:
    """The value with `Unknown` where the marks say that the apply will tell; what is unknown may be left out of it."""
    if marks is True:
        return _OPEN
    if isinstance(marks, Mapping):
        inner = value if isinstance(value, Mapping) else {}
        found = {name: _opened(inner.get(name), mark) for name, mark in marks.items()}
        known = {name: item for name, item in found.items() if item is not None}
        return {**inner, **known} if known else value
    if isinstance(marks, list):
        items = value if isinstance(value, list) else []
        if any(_opened(None, mark) is not None for mark in marks[len(items) :]):
            return _OPEN
        marked = [_opened(item, mark) for item, mark in zip(items, marks, strict=False)]
        return [*marked, *items[len(marks) :]] if marked else value
    return value


def _planned(each: _ResourceChange, key: bytes, specs: Mapping[str, Spec]) -> Iterator[PlannedChange]:
    acts = each.acts
    if not acts:
        return
    spec, before = specs.get(each.type), each.change.before or {}
    after = _opened(each.change.after, each.change.after_unknown) or {}
    replaces = "create" in acts and "delete" in acts
    yield PlannedChange(
        each.address,
        acts[0],
        type=each.type,
        ids=_ids(each, spec),
        sets=_sealed(each, after, spec, key),
        replaces=replaces,
        changed=tuple(sorted(name for name, value in after.items() if replaces or value != before.get(name))),
    )


def _sealed(each: _ResourceChange, after: Attributes, spec: Spec | None, key: bytes) -> Mapping[str, Any]:
    """What is planned, with a `Secret` for all that Terraform, or our specification of the type, calls sensitive.

    What equals something sensitive is too: the provider copies `tags` into `tags_all` without the mark.
    """
    key = newest(key)  # what stands in a plan goes into the store with the verdict
    marks = each.change.after_sensitive
    told = [(name,) for name in after] if marks is True else list(_paths(marks))
    if len(told) > MAX_MARKS:
        told = list(dict.fromkeys(path[:1] for path in told))
    if len(told) > MAX_MARKS:
        raise PlanError(f"{clean(each.address, 200)} marks more than {MAX_MARKS} attributes as sensitive")
    hidden = sealed(key, after, told, marked_scalars(after, told)) if told else after
    secret = {one.name for one in spec.attributes if one.secret} if spec else ()
    return {name: seal(key, value) if name in secret else value for name, value in hidden.items()}


def _paths(marks: Any) -> Iterator[Steps]:
    if marks is True:
        yield ()
    elif isinstance(marks, Mapping):
        yield from ((name, *path) for name, each in marks.items() for path in _paths(each))
    elif isinstance(marks, list):
        yield from dict.fromkeys((0, *path) for each in marks for path in _paths(each))


def _ids(each: _ResourceChange, spec: Spec | None) -> tuple[str, ...]:
    """Every name of what is there already, of each of its parts where it stands for several."""
    before = each.change.before or {}
    try:
        facts = list(spec.split(before)) if spec and spec.split and before else [before]
        natural = [identity(spec.identity, fact) for fact in facts] if spec and before else []
    except WEIRD:  # written by another version of the provider
        facts, natural = [before], []
    told = [fact.get(name) for fact in facts for name in (spec.identifiers if spec else ("id", "arn", "name"))]
    if spec is None and each.type in named():
        marks = each.change.before_sensitive
        account = next((arn.split(":")[4] for arn in told if isinstance(arn, str) and arn.count(":") >= 5), "")
        told += names_of(named()[each.type], before, ((),) if marks is True else tuple(_paths(marks)), account)
    return tuple(dict.fromkeys(name for name in (*natural, *told) if name and isinstance(name, str)))
