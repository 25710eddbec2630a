"""Resource types that calls are told of and that nobody compares: what names them in a call and in state.

One module for each part of AWS, whose `TYPES` is a table of them; a type in it *is* registered: `load()` finds it. A
type with a spec (`agent/resources/`) is not here: its spec says it all. Hides how the table is written:

    aws_eip of ec2                            type, and the eventSource of its calls without `.amazonaws.com`
      names id arn allocation_id public_ip    state attributes a call may name it by; the first is its identity
      arns elastic-ip/                        how its ARNs go on after the account
      prefix eipalloc-                        what its EC2 ids begin with
      create AllocateAddress: response.allocationId
      delete ReleaseAddress: request.allocationId | request.publicIp
    aws_iam_group_policy of iam
      names group+name id
      parent aws_iam_group                    whose setting it is; its identity begins with the parent's
      update PutGroupPolicy, delete DeleteGroupPolicy: request.groupName + request.policyName
    aws_alb = aws_lb                          the same thing to AWS: its calls and its keys are the other type's

A line that is indented further goes on with the one before it; `#` begins a remark.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from agent.model import GLOBAL, Act, Key
from agent.resources import GLOBAL_TYPES

OPERATIONAL = frozenset({"aws_ec2_instance_state", "aws_rds_instance_state"})
"""Whether something runs: kept and shown, and by itself no change of configuration. Terraform leaves it alone too."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that changes a type."""

    name: str
    """eventName without its version."""
    act: Act
    place: str
    """Where its record names the resource.

    `request.vpcId` is the member of requestParameters, `response.` of responseElements, `details.` of
    serviceEventDetails, `additional.` of additionalEventData; `account` is recipientAccountId. Lists are looked
    through, and so are the wrappers CloudTrail puts around them. `a | b`: the first that finds anything. `a + b`:
    both, joined with `|`, as things are named that only their parent tells apart; of lists the first goes with the
    first. `a/b`: one or the other, within a joined name. `a='x'`: x where there is no a.
    """


@dataclass(frozen=True, slots=True)
class Named:
    """One resource type, as data."""

    source: str
    calls: tuple[Call, ...] = ()
    names: tuple[str, ...] = ("id", "arn")
    """State attributes; `a+b`: the values of both, joined with `|`; `@account`: there is one in each account."""
    arns: tuple[str, ...] = ()
    """`loadbalancer/app/`. Tagging calls name resources of any type by ARN alone."""
    prefix: str = ""
    """`eipalloc-`. CreateTags names EC2's resources of any type by id alone."""
    parent: str = ""
    """Type whose setting it is: what nobody declares is told of the parent. See `whole`."""
    same_as: str = ""
    """Type that bears the calls of this one, and the keys of what is declared as this one."""


@functools.cache
def load() -> Mapping[str, Named]:
    """All of them by Terraform type name, found by folder."""
    found: dict[str, Named] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{module.name}").TYPES
    # What is the same thing under another name has the same names, unless it says otherwise.
    for type_, named in found.items():
        if named.same_as and not named.names:
            other = found.get(named.same_as)
            found[type_] = replace(named, names=other.names if other else ("id", "arn"))
    return found


def whole(key: Key) -> Key | None:
    """The resource whose setting `key` is: the group of an attachment; None where the type is nobody's setting.

    Its id is the first part of the setting's own, so that it may be any name the resource is known by.
    """
    named = load().get(key.type)
    if named is None or not named.parent:
        return None
    parent = load().get(named.parent)
    count = parent.names[0].count("+") + 1 if parent else 1
    region = GLOBAL if named.parent in GLOBAL_TYPES else key.region
    return Key(key.account, region, named.parent, "|".join(key.id.split("|")[:count]))


def joined(parts: tuple[str, ...], attributes: tuple[str, ...], account: str) -> str:
    """The identity that values of these state attributes make, with `|` between them.

    What is a name in state may be an ARN in a call, and the other way round; only attributes called so stay ARNs. Zone
    ids and domain names come in two spellings each.
    """
    return "|".join(
        part if attribute.endswith("arn") else bare(part, account)
        for part, attribute in zip(parts, attributes, strict=True)
    )


def bare(name: str, account: str) -> str:
    """The name inside an ARN of this account: another account's resource may bear the same name as ours."""
    parts = name.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[4] not in ("", account):
        return name.removeprefix("/hostedzone/").rstrip(".") or name
    kind, colon, rest = parts[5].partition(":")
    # `function:name:alias`, `log-group:/a/b:*`; else `cluster/name`, `role/path/name`
    return rest.partition(":")[0] if colon and "/" not in kind else parts[5].rsplit("/", 1)[-1]


# --- the table -----------------------------------------------------------------------------------------------

_ACT = re.compile(r"(create|update|delete) (\w+(?: \w+)*)")
_FIELDS = ("names", "arns", "prefix", "parent")


def table(text: str) -> dict[str, Named]:
    """The types of a table, as the module's docstring shows one. Raises ValueError for a line that is none of it."""
    types: dict[str, list[str]] = {}
    own: list[str] = []
    for line in _lines(text):
        type_ = line.partition(" ")[0]
        if not type_.startswith("aws_"):
            own.append(line)
        elif type_ in types:
            raise ValueError(f"{type_} stands twice")
        else:
            own = types[type_] = [line]
    return {type_: _named(lines) for type_, lines in types.items()}


def _named(lines: list[str]) -> Named:
    head = lines[0].split(" ")
    words: dict[str, tuple[str, ...]] = {}
    calls: list[Call] = []
    for line in lines[1:]:
        word, _, rest = line.partition(" ")
        if word in _FIELDS:
            words[word] = tuple(rest.split())
        else:
            calls += _calls(line)
    if len(head) != 3 or head[1] not in ("of", "="):
        raise ValueError(f"no type of a table: {lines[0]}")
    same = head[1] == "="
    return Named(
        "" if same else head[2],
        tuple(calls),
        words.get("names", () if same else ("id", "arn")),
        words.get("arns", ()),
        words.get("prefix", ("",))[0],
        words.get("parent", ("",))[0],
        head[2] if same else "",
    )


def _lines(text: str) -> Iterator[str]:
    """Without remarks and empty lines, each with what goes on with it."""
    whole_line = ""
    for line in text.splitlines():
        if line.startswith("    "):
            whole_line = f"{whole_line} {line.strip()}"
        elif line.strip() and not line.lstrip().startswith("#"):
            if whole_line:
                yield whole_line
            whole_line = line.strip()
    if whole_line:
        yield whole_line


def _calls(line: str) -> Iterator[Call]:
    acts, colon, place = line.partition(": ")
    for each in acts.split(", "):
        match = _ACT.fullmatch(each)
        if not colon or match is None:
            raise ValueError(f"neither a call nor anything else of a table of types: {line}")
        act: Act = "create" if match[1] == "create" else "delete" if match[1] == "delete" else "update"
        yield from (Call(name, act, place) for name in match[2].split())
