"""The way back: the code that would make a difference declared, and what the plan that reverts it would say. As text.

Hides HCL, import ids, and which attributes of a resource code may set. It is never executed; what others wrote is
quoted, and secrets are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agent.clean import clean
from agent.equal import EMPTY, canonical
from agent.hcl_text import Written, arguments, block, document, literal, quoted
from agent.model import Drift, Finding, Key, Resource, Secret, Unknown
from agent.resources import Attribute, Attributes, Kind, Spec

MOST = 20
"""How many differences of one finding are written out."""
_SHORT = 300
"""Characters shown of a value in a plan's line."""

COMPUTED = frozenset(
    {"arn", "code_sha256", "engine_version_actual", "id", "security_group_rule_id", "unique_id", "url"}
)
"""Attributes of our specifications that only the provider sets."""
_COMPUTED_OF = {"aws_kms_key": frozenset({"key_id"})}
_IMPORT_IDS = {
    "aws_iam_role_policy": ("role", ":", "name"),
    "aws_iam_role_policy_attachment": ("role", "/", "policy_arn"),
    "aws_security_group_rule": ("security_group_rule_id",),
}
"""Types that `terraform import` names otherwise than by their `id`: attributes, and what stands between them."""
_ADDRESS = re.compile(
    r'(?P<module>(?:module\.[\w-]+(?:\[(?:\d+|"(?:[^"\\]|\\.)*")\])?\.)*)(?P<type>[a-z][a-z0-9_]*)\.(?P<name>[\w-]+)(?P<index>\[.*\])?',
    re.DOTALL,
)
_NAME = re.compile(r"[^a-z0-9]+")


def way_back(finding: Finding, resource: Resource | None, specs: Mapping[str, Spec]) -> tuple[str, ...]:
    """Lines of text; none where nothing differs. `resource` is the declared one, where there is one."""
    drifts = finding.differences[:MOST]
    if not drifts:
        return ()
    more = len(finding.differences) - len(drifts)
    return (
        "To keep what is live, write it into the code:",
        "",
        *codify(drifts, resource, specs),
        "",
        "To go back to what is declared:",
        "",
        *revert(drifts, resource, specs),
        *(("", f"{more:,} more differences are not written out.") if more > 0 else ()),
    )


def codify(drifts: Sequence[Drift], resource: Resource | None, specs: Mapping[str, Spec]) -> tuple[str, ...]:
    """The code that declares what is live, laid out as `terraform fmt` does."""
    plain = [drift for drift in drifts if drift.kind == "changed" and drift.part is None]
    lines: list[str] = []
    if plain:
        lines += _changed(plain, specs)
    for drift in drifts:
        if drift.kind == "unmanaged":
            lines += [*_gap(lines), *_imported(drift.key, drift.live, specs)]
        elif drift.kind == "missing":
            lines += [*_gap(lines), *_removed(drift)]
        elif drift.part is not None:
            lines += [*_gap(lines), *_part(drift, drift.part, resource, specs)]
    return tuple(lines)


def revert(drifts: Sequence[Drift], resource: Resource | None, specs: Mapping[str, Spec]) -> tuple[str, ...]:
    """What the plan that brings the declared state back would say, or why no plan would."""
    lines: list[str] = []
    by_address: dict[str, list[Drift]] = {}
    for drift in drifts:
        if drift.kind == "unmanaged":
            lines.append(f"no plan knows {_what(drift.key)}: import it and destroy it, or delete it under a ticket")
        elif drift.address:
            by_address.setdefault(drift.address, []).append(drift)
        else:
            lines.append(f"no plan knows {_what(drift.part or drift.key)}")
    for address, its in by_address.items():
        lines += [*_gap(lines), f"terraform plan -target={_shell(address)}"]
        lines += [line for drift in its for line in _planned(drift, address, resource, specs)]
    return tuple(lines)


# --- the code ------------------------------------------------------------------------------------------------


def _changed(drifts: Sequence[Drift], specs: Mapping[str, Spec]) -> list[str]:
    """The arguments that differ, in the block they belong to."""
    first = drifts[0]
    body: dict[str, Any] = {}
    notes: list[str] = []
    for drift in drifts:
        meaning = _meaning(drift.key.type, drift.attribute, specs)
        if drift.attribute in _computed(drift.key.type):
            notes.append(f"# {clean(drift.attribute, 100)} follows from other arguments: {_shown(drift.live)}")
        elif drift.live in EMPTY:
            notes.append(f"# delete {clean(_argument(drift.attribute), 100)}: live it is not set")
        else:
            body[_argument(drift.attribute)] = _value(drift.live, meaning.kind)
            if drift.attribute == "tags_all":
                notes.append("# tags: without those that the provider's default_tags give")
    return [*_place(first), *notes, *block(_head(first.key, first.address), body)]


def _place(drift: Drift) -> list[str]:
    """Where the block stands, as a comment."""
    found = _ADDRESS.fullmatch(drift.address)
    where = [clean(drift.source, 300)] if drift.source else []
    if found and found["module"]:
        where.append(f"in {clean(found['module'].rstrip('.'), 200)}")
    if found and found["index"]:
        where.append(f"instance {clean(found['index'], 200)} alone: the arguments count for every instance")
    return [f"# {', '.join(where)}"] if where else []


def _imported(key: Key, live: Any, specs: Mapping[str, Spec]) -> list[str]:
    """An `import` block and the resource that it would fill."""
    attributes: Attributes = live if isinstance(live, Mapping) else {}
    type_, body, id_ = _as_resource(key, attributes, specs)
    name = _NAME.sub("_", key.id.rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()).strip("_")[:60]
    name = name if name[:1].isalpha() else f"imported_{name}".rstrip("_")
    lines = ["# A beginning: complete it until `terraform plan` imports and changes nothing."]
    if key.type not in specs:
        lines.append(f"# Which id `terraform import` takes is said in the documentation of {clean(type_, 100)}.")
    to = Written(f"{type_}.{name}", None)
    return [*lines, *block("import", {"to": to, "id": id_}), "", *block(f'resource "{type_}" "{name}"', body)]


def _as_resource(key: Key, attributes: Attributes, specs: Mapping[str, Spec]) -> tuple[str, Mapping[str, Any], str]:
    """Type, arguments and import id of what nothing declares."""
    spec = specs.get(key.type)
    told = _IMPORT_IDS.get(key.type, ("id",))
    parts = [attributes.get(one, one if one in ":/" else None) for one in told]
    id_ = "".join(parts) if all(isinstance(part, str) and part for part in parts) else key.id
    if key.type == "aws_security_group_rule":
        return *_rule(attributes), id_
    if spec is None:
        return _type(key), {}, id_
    names = dict.fromkeys((*spec.identity, *spec.identifiers))
    body: dict[str, Any] = {name: attributes[name] for name in names if name in attributes}
    for one in spec.attributes:
        value = attributes.get(one.name)
        if canonical(value, one.kind) not in (None, canonical(one.default, one.kind)):
            body[one.name] = _value(value, one.kind)
    kept = {name: value for name, value in body.items() if name not in _computed(key.type) and value not in EMPTY}
    return _type(key), {_argument(name): value for name, value in kept.items()}, id_


_SOURCES = (("/", ":", "cidr_ipv6"), ("/", "", "cidr_ipv4"), ("pl-", "", "prefix_list_id"))


def _rule(attributes: Attributes) -> tuple[str, Mapping[str, Any]]:
    """A security group rule as the newer types write it, whose import takes the rule's id."""
    source = str(attributes.get("source", ""))
    kind = next((name for one, other, name in _SOURCES if one in source and other in source), "")
    body = {"security_group_id": attributes.get("security_group_id"), "ip_protocol": attributes.get("protocol")}
    if attributes.get("protocol") != "-1":
        body |= {"from_port": attributes.get("from_port"), "to_port": attributes.get("to_port")}
    body[kind or "referenced_security_group_id"] = source
    body["description"] = attributes.get("description")
    direction = "egress" if attributes.get("type") == "egress" else "ingress"
    return f"aws_vpc_security_group_{direction}_rule", {n: v for n, v in body.items() if v not in EMPTY}


def _removed(drift: Drift) -> list[str]:
    """What makes Terraform forget what is gone."""
    found = _ADDRESS.fullmatch(drift.address)
    if found is None:
        return [f"# delete the block of {_what(drift.key)}: it is gone"]
    if found["index"] or "[" in found["module"]:
        return [f"# take {clean(drift.address, 300)} out of its `count` or `for_each`: it is gone"]
    lines = [*_place(drift), f'# delete the block `resource "{found["type"]}" "{found["name"]}"`, and write']
    return [*lines, "removed {", f"  from = {drift.address}", "", "  lifecycle {", "    destroy = false", "  }", "}"]


def _part(drift: Drift, part: Key, resource: Resource | None, specs: Mapping[str, Spec]) -> list[str]:
    """A part that came or went: in its own resource, or inside the block of the one it belongs to."""
    if drift.live is None:
        told = f"in {clean(drift.address, 300)}" if drift.address else ""
        return [*_place(drift), f"# delete what declares {_what(part)} {told}".rstrip()]
    written = resource.configured if resource is not None else None
    if written is None or drift.attribute not in written:
        return _imported(part, drift.live, specs)
    attributes: Attributes = drift.live if isinstance(drift.live, Mapping) else {}
    name = clean(drift.attribute, 100)
    if part.type == "aws_iam_role_policy_attachment":
        return [*_place(drift), f"# add {_shown(attributes.get('policy_arn'))} to {name}"]
    if part.type == "aws_security_group_rule":
        attributes = _inline_rule(attributes)
    inner = {one: value for one, value in attributes.items() if one not in ("role", "bucket") and value not in EMPTY}
    body = arguments({drift.attribute: [inner]}, 1)
    return [*_place(drift), f"{_head(drift.key, drift.address)} {{", *body, "}"]


def _inline_rule(attributes: Attributes) -> Attributes:
    """A rule as the block of its group has it."""
    source = str(attributes.get("source", ""))
    kind = next((name for one, other, name in _SOURCES if one in source and other in source), "security_groups")
    kind = {"cidr_ipv4": "cidr_blocks", "cidr_ipv6": "ipv6_cidr_blocks", "prefix_list_id": "prefix_list_ids"}.get(
        kind, kind
    )
    ports = {name: attributes.get(name) for name in ("from_port", "to_port", "protocol", "description")}
    return {
        **{name: Written(literal(value), value) for name, value in ports.items() if value not in (None, "")},
        kind: [source],
    }


# --- the plan ------------------------------------------------------------------------------------------------


def _planned(drift: Drift, address: str, resource: Resource | None, specs: Mapping[str, Spec]) -> Iterator[str]:
    """Lines as a plan shows them."""
    shown = clean(address, 300)
    if drift.kind == "missing":
        yield f"  + {shown} will be created"
    elif drift.part is not None and drift.live is None:
        yield f"  + {clean(drift.attribute, 100)}: {_what(drift.part)} will be created"
    elif drift.part is not None and drift.basis == "configured" and _writes(resource, drift.attribute):
        yield f"  - {clean(drift.attribute, 100)}: {_what(drift.part)} will be removed"
    elif drift.part is not None:
        yield f"  # no plan knows {_what(drift.part)}: import it and destroy it, or delete it under a ticket"
    elif drift.basis == "unset":
        meaning = _meaning(drift.key.type, drift.attribute, specs)
        wanted = "nothing" if drift.declared in EMPTY else _shown(drift.declared)
        if drift.declared in EMPTY and meaning.default is not None:
            wanted = _shown(meaning.default)
        yield f"  # the code does not set {clean(drift.attribute, 100)}, an apply leaves it: set it to {wanted} first"
    else:
        yield f"  ~ {clean(drift.attribute, 100)}: {_shown(drift.live)} -> {_shown(drift.declared)}"


def _writes(resource: Resource | None, attribute: str) -> bool:
    return resource is None or resource.configured is None or attribute in resource.configured


def _shown(value: Any) -> str:
    """A value on one line; nothing secret."""
    if isinstance(value, Secret):
        return "(sensitive value)"
    if isinstance(value, Unknown):
        return "(not known)"
    if value in EMPTY:
        return "null"
    text = literal(value)
    return "(holds what is sensitive or not known)" if text is None else clean(re.sub(r"\n\s*", " ", text), _SHORT)


# --- words ---------------------------------------------------------------------------------------------------


def _value(value: Any, kind: Kind) -> Any:
    """A live value as its argument takes it: numbers and truths unquoted, documents as what they say."""
    if isinstance(value, Secret | Unknown):
        return value
    if kind in ("policy", "json"):
        return Written(document(value, 1), value)
    if kind in ("number", "bool"):
        text = canonical(value, kind)
        known = re.fullmatch(r"-?\d+(\.\d+)?" if kind == "number" else "true|false", str(text))
        return Written(str(text), value) if known else value
    if kind == "tags" and isinstance(value, Mapping):
        return {name: item for name, item in value.items() if not str(name).startswith("aws:")}
    return value


def _meaning(type_: str, attribute: str, specs: Mapping[str, Spec]) -> Attribute:
    spec = specs.get(type_)
    found = (one for one in spec.attributes if one.name == attribute) if spec else iter(())
    return next(found, Attribute(attribute, ""))


def _argument(attribute: str) -> str:
    return "tags" if attribute == "tags_all" else attribute


def _computed(type_: str) -> frozenset[str]:
    return COMPUTED | _COMPUTED_OF.get(type_, frozenset())


def _head(key: Key, address: str) -> str:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return f"resource {quoted(key.type)} {quoted(address or key.id)}"
    return f'resource "{found["type"]}" "{found["name"]}"'


def _type(key: Key) -> str:
    return key.type if re.fullmatch(r"[a-z][a-z0-9_]*", key.type) else "unknown_type"


def _what(key: Key) -> str:
    return clean(f"{key.type} {key.id}", 300)


def _shell(text: str) -> str:
    """One word for a shell."""
    shown = clean(text, 500)
    return shown if re.fullmatch(r"[\w.-]+", shown, re.ASCII) else "'" + shown.replace("'", "'\\''") + "'"


def _gap(lines: Iterable[str]) -> list[str]:
    return [""] if lines else []
