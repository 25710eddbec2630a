"""Is one `[authority]` looser than another? What was not permitted and would be, in words.

Hides how two sets of rules compare where order decides between them. Whatever cannot be shown to be as strict counts
as looser: two people then look at it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from agent.authorise import PATHS
from agent.config import duration
from agent.declare.served import NO_STACK
from agent.declare.speakers import ANYBODY
from agent.tables import PathName, RoleName

Table = Mapping[str, Any]
"""`[authority]` as plain JSON values, with every key; `signed_by` holds the lines of the `signers` file.

What came later may be missing: `revoked` (lines of the revoked keys), `environments`, `modes` and `peers`
(`served.served`).
"""

NO_AUTHORITY = frozenset({"ticket_patterns", "breakglass.remind"})
"""Keys that permit nothing: a reference still needs its ticket, a deadline does not move by a reminder."""

_Rules = tuple[Mapping[str, frozenset[str] | None], int]
"""Path → required tests, None for a closed path; and the approvals at least needed."""


def loosened(before: Table, after: Table) -> tuple[str, ...]:
    """What `after` permits and `before` did not, one line each; empty: it is as strict."""
    return (
        *_laxer("[authority.paths]", _rules(after, {}), _rules(before, {})),
        *_policies(before, after),
        *_lengths(before, after),
        *_lists(before, after),
        *_pipelines(before["pipeline"], after["pipeline"]),
        *_named("emergency role", before["emergency"], after["emergency"]),
        *_mapping("people", before["people"], after["people"]),
        *_permitted(before["permitted"], after["permitted"]),
        *_roles(before["roles"], after["roles"]),
        *_served(before, after),
    )


# --- paths and policies --------------------------------------------------------------------------------------


def _rules(table: Table, policy: Table) -> _Rules:
    """What holds where a policy fits; the empty one is what holds where none does."""
    names: tuple[PathName, ...] = get_args(PathName)
    given = {**PATHS, **table["paths"], **policy.get("paths", {})}
    paths: dict[str, frozenset[str] | None] = {
        name: frozenset(given[name]) if given.get(name) else None for name in names
    }
    own = policy.get("approvals")
    return paths, table["approvals"] if own is None else own


def _laxer(where: str, rules: _Rules, than: _Rules) -> Iterator[str]:
    for path, tests in rules[0].items():
        required = than[0][path]
        if tests is None:
            continue
        if required is None:
            yield f"{where}: the path {path} was closed, and is open"
        elif missing := sorted(required - tests):
            yield f"{where}: the path {path} no longer requires {', '.join(missing)}"
    if rules[1] < than[1]:
        yield f"{where}: approvals {than[1]} → {rules[1]}"


def _policies(before: Table, after: Table) -> Iterator[str]:
    """Of several that fit the first decides: what one no longer decides, another does."""
    old, new = _deciding(before["policy"]), _deciding(after["policy"])
    names, now = [_fits(one) for one in old], [_fits(one) for one in new]
    for one in new:
        for other in old:
            if _fits(one) == _fits(other):
                yield from _laxer(f"policy {_fits(one)}", _rules(after, one), _rules(before, other))
    if names == now:
        return
    if _within(names, now):  # added only: what was there decides less than before
        pairs = [(one, other) for one in new if _fits(one) not in names for other in (*old, {})]
    elif _within(now, names):  # removed only: what is left, or no policy, decides for them
        pairs = [(one, other) for one in (*new, {}) for other in old if _fits(other) not in now]
    else:
        pairs = [(one, other) for one in (*new, {}) for other in (*old, {})]
    for one, other in pairs:
        if _meet(one, other) and _fits(one) != _fits(other):
            where = f"policy {_fits(one)} may decide what {_fits(other)} did"
            yield from _laxer(where, _rules(after, one), _rules(before, other))


def _deciding(policies: Iterable[Table]) -> list[Table]:
    """Without those that fit just what an earlier one does: they never decide."""
    first: dict[str, Table] = {}
    for one in policies:
        first.setdefault(_fits(one), one)
    return list(first.values())


def _fits(policy: Table) -> str:
    """What a policy fits, in words."""
    if not policy:
        return "(none)"
    return " ".join("|".join(policy[name]) for name in ("environments", "types", "risks"))


def _within(few: Sequence[str], many: Sequence[str]) -> bool:
    """Whether `few` are among `many` in the same order."""
    rest = iter(many)
    return all(one in rest for one in few)


def _meet(one: Table, other: Table) -> bool:
    """Whether two policies may fit the same change: wildcards may always."""
    risks = [set(policy.get("risks", ["*"])) for policy in (one, other)]
    return "*" in risks[0] | risks[1] or not risks[0].isdisjoint(risks[1])


# --- everything else -----------------------------------------------------------------------------------------


def _lengths(before: Table, after: Table) -> Iterator[str]:
    """Times that must not grow, switches that must not be turned off."""
    for name in ("tolerance", "grace"):
        yield from _longer(name, before[name], after[name])
    for name in ("document_within", "offline_within", "longest"):
        yield from _longer(f"breakglass.{name}", before["breakglass"][name], after["breakglass"][name])
    if before["risk"] and not after["risk"]:
        yield "risk: true → false, so that approvals no longer follow from it"


def _longer(name: str, before: str, after: str) -> Iterator[str]:
    if duration(after) > duration(before):
        yield f"{name}: {before} → {after}"


def _lists(before: Table, after: Table) -> Iterator[str]:
    yield from _more("approved_states", _folded(before["approved_states"]), _folded(after["approved_states"]))
    yield from _more("signers", before["signed_by"], after["signed_by"])
    if gone := sorted(set(before.get("revoked", ())) - set(after.get("revoked", ()))):
        yield f"signers: no longer revoked {', '.join(gone)}"
    for name, what in (("done_states", _folded), ("calendars", list), ("production", _folded)):
        gone = sorted(set(what(before[name])) - set(what(after[name])))
        if gone:
            yield f"{name}: no longer {', '.join(gone)}"
    for name in ("plans", "standing"):
        if after[name] and after[name] != before[name]:
            yield f"{name}: '{before[name]}' → '{after[name]}'"
    if after["environment_tag"] != before["environment_tag"]:
        yield f"environment_tag: '{before['environment_tag']}' → '{after['environment_tag']}'"
    if after["signers"] and before["signers"] != after["signers"]:
        yield f"signers: '{before['signers']}' → '{after['signers']}'"


def _served(before: Table, after: Table) -> Iterator[str]:
    """What serves which environment, any other of which may be laxer; and about what cases are filed."""
    environments, modes = after.get("environments", {}), after.get("modes", {})
    for name, old in sorted(before.get("environments", {}).items()):
        new = environments.get(name, "")
        if new.lower() != old.lower():
            yield f"environment of {name}: {old or '(none)'} → {new or '(none)'}"
    for name, old in sorted(before.get("modes", {}).items()):
        new = modes.get(name, modes.get(NO_STACK, "observe"))
        if old == "file" and new != "file":
            yield f"mode of {name}: {old} → {new}"
    yield from _peers(before.get("peers", {}), after.get("peers", {}))


def _peers(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Who speaks at the socket; a user that is no longer named may be another person by its own name."""
    yield from _mapping("daemon.people", before, after)
    for name, person in sorted(before.items()):
        if name not in after and name != person:
            yield f"daemon.people: {name} is no longer {person}, and whoever its name says"


def _folded(names: Iterable[str]) -> list[str]:
    return [name.lower() for name in names]


def _more(name: str, before: Collection[str], after: Iterable[str]) -> Iterator[str]:
    if added := sorted(set(after) - set(before)):
        yield f"{name}: added {', '.join(added)}"


def _pipelines(before: Sequence[Table], after: Sequence[Table]) -> Iterator[str]:
    """A pipeline may only ask for more proof than it did."""
    known = {one["name"]: one for one in before}
    for one in after:
        name = one["name"]
        old = known.get(name)
        if old is None:
            yield f"pipeline {name}: added"
            continue
        for key in ("subject", "source_identity", "service"):
            if old[key] and one[key] != old[key]:
                yield f"pipeline {name}: {key} '{old[key]}' → '{one[key]}'"
        if one["role"] != old["role"]:
            yield f"pipeline {name}: role '{old['role']}' → '{one['role']}'"
        if old["source_ips"] and (not one["source_ips"] or set(one["source_ips"]) - set(old["source_ips"])):
            now = ", ".join(one["source_ips"]) or "any"
            yield f"pipeline {name}: source_ips {', '.join(old['source_ips'])} → {now}"


def _named(what: str, before: Iterable[Table], after: Iterable[Table]) -> Iterator[str]:
    known = {one["role"] for one in before}
    yield from (f"{what} {one['name']}: {one['role']}" for one in after if one["role"] not in known)


def _mapping(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{name}: {key} is now {value}" for key, value in sorted(after.items()) if before.get(key) != value)


def _permitted(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Where nothing is permitted by name, the test is not asked."""
    if not before:
        return
    if not after:
        yield "permitted: removed, so that any group may change any environment"
        return
    # A change may fit several wildcards, and which of them decides need not be the same as before.
    for name in sorted(before.keys() - after.keys()):
        yield f"permitted: '{name}' removed"
    for name, groups in sorted(after.items()):
        yield from _more(f"permitted '{name}'", before.get(name, ()), groups)


def two_admins(roles: Mapping[str, Sequence[str]]) -> bool:
    """Whether roles name two admins, or a group of them: only then does anything wait for two.

    By what is written: who edits the identity map as well must not be able to turn it off.
    """
    named = roles.get("admin", ())
    return len(set(named)) >= 2 or any(one.lower().startswith("group:") for one in named)


def _roles(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if two_admins(before) and not two_admins(after):
        yield "roles.admin: fewer than two, so that looser rules would no longer wait for anybody"
    names: tuple[RoleName, ...] = get_args(RoleName)
    for name in names:
        if name not in after:
            if name in before and name in ANYBODY:
                yield f"roles.{name}: no longer named, so that anybody in the identity map has it"
        elif name in before or name not in ANYBODY:
            yield from _more(f"roles.{name}", before.get(name, ()), after[name])
