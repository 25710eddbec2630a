"""One rule of a security group: one protocol, one range of ports, one source.

Hides that four ways to write rules (blocks of the group, this type with its lists, the two newer types) and three
spellings of CloudTrail mean the same atomic fact. A rule's identity is its content: changed content is another rule.
"""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from agent.model import Act, Unknown
from agent.resources import Attribute, Attributes, Call, Event, Item, Parent, Spec, identity
from agent.resources.aws_vpc import PAGE, by_id

Record = Mapping[str, Any]
Rule = Mapping[str, Any]

IDENTITY = ("security_group_id", "type", "protocol", "from_port", "to_port", "source")
"""`source` is ours: a CIDR block, a prefix list or a group; for an egress rule the destination."""
GROUPS = Call("describe_security_groups", items="SecurityGroups", args=PAGE)
"""One answer for the groups and for their rules."""
BY_GROUP = by_id(GROUPS, "group-id")
"""As above, of a few groups."""

_PROTOCOLS = {"all": "-1", "1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
"""The numbers that AWS answers with a name."""
_WITH_PORTS = ("tcp", "udp", "icmp", "icmpv6")
"""Rules of any other protocol are for all ports, whatever ports they were given:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html"""
_SOURCES = (
    ("ipRanges", "cidrIp"),
    ("ipv6Ranges", "cidrIpv6"),
    ("prefixListIds", "prefixListId"),
    ("userIdGroupPairs", "groupId"),
    ("groups", "groupId"),  # CloudTrail's word for the same
)
"""Lists of an IpPermission, and where an entry names its source."""


def rule(group: str, direction: str, protocol: Any, ports: tuple[Any, Any], source: str, description: Any) -> Rule:
    """One rule in canonical form: the attributes of `IDENTITY`, and `description`.

    `ports` are from and to; for ICMP type and code. Raises ValueError for a port that is no number.
    """
    name = _PROTOCOLS.get(str(protocol).lower(), str(protocol).lower())
    low, high = (_port(port) if name in _WITH_PORTS else 0 for port in ports)
    return {
        "security_group_id": group,
        "type": direction,
        "protocol": name,
        "from_port": low,
        "to_port": high,
        "source": _source(source),
        "description": description,
    }


def rules(recorded: Attributes) -> Iterable[Rule]:
    """The rules that a recorded `aws_security_group_rule`, or a group's block in its shape, stands for."""
    group = recorded["security_group_id"]
    lists = ("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups")
    sources = [source for name in lists for source in recorded.get(name) or ()]
    if recorded.get("source_security_group_id"):
        sources.append(recorded["source_security_group_id"])
    if recorded.get("self"):
        sources.append(group)
    ports = (recorded.get("from_port"), recorded.get("to_port"))
    for source in dict.fromkeys(sources):
        found = rule(group, recorded["type"], recorded["protocol"], ports, source, recorded.get("description"))
        yield {**found, "security_group_rule_id": recorded.get("security_group_rule_id")}


def _port(port: Any) -> int:
    return -1 if port is None else int(port)


def _source(text: str) -> str:
    """A block as AWS keeps it, without host bits; a group without the account it may be qualified with."""
    if "/sg-" in text:
        return text.rsplit("/", 1)[-1]
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return text


def _live(group: Item) -> Iterable[Item]:
    for direction, member in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
        for permission in _entries(_lower(group.get(member))):
            for found in _of_permission(group["GroupId"], direction, permission):
                yield {**found, "group_name": group["GroupName"]}


def _of_permission(group: str, direction: str, permission: Mapping[str, Any]) -> Iterable[Rule]:
    """The rules of one IpPermission, names beginning small."""
    ports = (permission.get("fromPort"), permission.get("toPort"))
    for member, name in _SOURCES:
        for entry in _entries(permission.get(member)):
            if entry.get(name):
                protocol, said = permission.get("ipProtocol"), entry.get("description") or ""
                yield rule(group, direction, protocol, ports, entry[name], said)


def _provided(item: Item) -> str:
    """The two kinds of rule a default group is born with: everything from itself, and everything out."""
    born = item["source"] in ((item["security_group_id"],) if item["type"] == "ingress" else ("0.0.0.0/0", "::/0"))
    if item["group_name"] == "default" and item["protocol"] == "-1" and born:
        return "AWS creates it with the VPC"
    return ""


# --- CloudTrail ----------------------------------------------------------------------------------------------


def _ids(record: Record) -> list[Any]:
    """Identities of the rules a call names; of those it names by id alone, what there is."""
    return list(_named(record)) or _rule_ids(record)


def _named(record: Record) -> Mapping[str, Rule]:
    """The rules in request and answer, by identity: a call by rule id has them in its answer alone."""
    request, answer = _request(record), _lower(record.get("responseElements") or {})
    direction = "egress" if str(record.get("eventName")).endswith("Egress") else "ingress"
    listed = _entries(answer.get("securityGroupRuleSet")) + _entries(answer.get("revokedSecurityGroupRuleSet"))
    # In a default VPC a request may name the group by its name.
    group = str(request.get("groupId") or next((entry["groupId"] for entry in listed), ""))
    permissions = _entries(request.get("ipPermissions"))
    if request.get("cidrIp"):
        permissions.append({**request, "ipRanges": [request]})
    named = [_of_content(group, direction, entry) for entry in listed]
    named += [found for permission in permissions for found in _of_permission(group, direction, permission)]
    return {identity(IDENTITY, found): found for found in named}


def _of_content(group: str, direction: str, content: Mapping[str, Any]) -> Rule:
    """A rule in the shape that DescribeSecurityGroupRules also has, names beginning small."""
    referenced = content.get("referencedGroupId") or (content.get("referencedGroupInfo") or {}).get("groupId")
    source = content.get("cidrIpv4") or content.get("cidrIpv6") or content.get("prefixListId") or referenced or ""
    ports = (content.get("fromPort"), content.get("toPort"))
    return rule(group, direction, content.get("ipProtocol"), ports, source, content.get("description") or "")


def _rule_ids(record: Record) -> list[list[str]]:
    """What names each rule that the request names by its id (`sgr-…`): an identity that knows the group, and the id."""
    request = _request(record)
    named = (
        *_entries(request.get("securityGroupRuleIds") or request.get("securityGroupRuleIdSet")),
        *_entries(request.get("securityGroupRule")),
        *_entries(request.get("securityGroupRuleDescription")),
    )
    ids = [str(entry["securityGroupRuleId"]) for entry in named if entry.get("securityGroupRuleId")]
    group = request.get("groupId")
    return [[identity(IDENTITY, {"security_group_id": group, "source": name}), name] for name in ids]


def _modified(record: Record) -> list[list[str]]:
    """What names each rule as ModifySecurityGroupRules leaves it, in either direction: it does not say which."""
    group = str(_request(record).get("groupId") or "")
    return [
        [identity(IDENTITY, _of_content(group, direction, content)) for direction in ("ingress", "egress")]
        for content in _contents(record)
    ]


def _contents(record: Record) -> list[Mapping[str, Any]]:
    updates = _entries(_request(record).get("securityGroupRule"))
    return [update["securityGroupRule"] for update in updates if update.get("securityGroupRule")]


def _description(record: Record) -> Any:
    """The description a call gives to all rules it names."""
    entries = (*_contents(record), *_entries(_request(record).get("securityGroupRuleDescription")))
    told = {found["description"] for found in _named(record).values()} | {
        entry.get("description") or "" for entry in entries
    }
    return Unknown("the call describes each rule differently") if len(told) > 1 else next(iter(told), None)


def _request(record: Record) -> Mapping[str, Any]:
    """requestParameters, out of the envelope that EC2's later calls have (`ModifySecurityGroupRulesRequest`)."""
    request = record.get("requestParameters") or {}
    inner = request.get(f"{record.get('eventName')}Request", request)
    return _lower(inner) if isinstance(inner, Mapping) else {}


def _entries(value: Any) -> list[Any]:
    """A list in any spelling: plain, `{"items": [...]}`, empty `{}`, or one entry that stands for itself."""
    if isinstance(value, Mapping):
        value = value.get("items", [value] if value else [])
    return list(value or ())


def _lower(node: Any) -> Any:
    """Names begin small in EC2's first calls, with a capital in its later ones and in boto3."""
    if isinstance(node, Mapping):
        return {name[:1].lower() + name[1:]: _lower(value) for name, value in node.items()}
    return [_lower(value) for value in node] if isinstance(node, list) else node


def _events(names: str, ids: Callable[[Record], list[Any]], act: Act, **sets: Any) -> tuple[Event, ...]:
    return tuple(Event(names + direction, ids, act, sets=sets) for direction in ("Ingress", "Egress"))


SPEC = Spec(
    service="ec2",
    # Not describe_security_group_rules: it would be one call more, and gives nothing else that is compared.
    listing=GROUPS,
    one=BY_GROUP,
    expand=_live,
    split=rules,
    identity=IDENTITY,
    identifiers=("security_group_rule_id",),
    names={name: name for name in IDENTITY},
    parent=Parent("aws_security_group", lambda part: str(part["type"]), ("security_group_id",)),
    provided=_provided,
    attributes=(Attribute("description", "description"),),
    events=(
        *_events("AuthorizeSecurityGroup", _ids, "create", description=_description),
        *_events("RevokeSecurityGroup", _ids, "delete"),
        *_events("UpdateSecurityGroupRuleDescriptions", _ids, "update", description=_description),
        # The id stays and the content changes: of facts that are their content, one goes and one comes.
        Event("ModifySecurityGroupRules", _rule_ids, "delete"),
        Event("ModifySecurityGroupRules", _modified, "create", sets={"description": _description}),
    ),
)
