"""Systems Manager parameter. The value of a SecureString is never read, not even encrypted."""

from collections.abc import Iterable, Mapping, Sequence

from agent import tags
from agent.model import Unknown
from agent.resources import (
    OWN_TAGS,
    Ask,
    Attribute,
    Attributes,
    Call,
    Event,
    Item,
    One,
    Path,
    Spec,
    tags_at,
    tags_of_all,
)

_READABLE = "Type != 'SecureString' && Name || `null`"
"""Nothing for a SecureString: the call is not made for it."""


_NEVER_READ = Unknown("a SecureString is never read")


def _arn_end(item: Item) -> str:
    """`/shop/price` and `shop/price` have the same ARN, and cannot both exist."""
    return ":parameter/" + str(item["Name"]).removeprefix("/")


def _value(item: Item) -> str | Unknown:
    return _NEVER_READ if item["Type"] == "SecureString" else item["Parameter"]["Value"]


def _with_value(recorded: Attributes) -> Iterable[Attributes]:
    """A plain value may be recorded as `insecure_value`; one that was written only is not recorded at all."""
    value = recorded.get("value") or recorded.get("insecure_value") or Unknown("the value is not recorded in state")
    yield {**recorded, "value": _NEVER_READ if recorded["type"] == "SecureString" else value}


_ASKED: Mapping[str, Path] = {
    # Masked, whatever the type.
    "value": "",
    "type": "requestParameters.type",
    "description": "requestParameters.description",
    "tier": "requestParameters.tier",
    "key_id": "requestParameters.keyId",
    "data_type": "requestParameters.dataType",
}

_LISTING = Call("describe_parameters", items="Parameters", args={"MaxResults": 50})
_VALUES = Call(
    "get_parameters",
    items="Parameters",
    args={"WithDecryption": False},
    bind={"Names": _READABLE},
    batch=10,
    match="Name",
    into="Parameter",
)
_MOST_AT_ONCE = 25


def _by_name(ask: Ask, names: Sequence[str]) -> Iterable[Item]:
    """Names without the leading `/`, in both of their spellings; a filter takes fifty."""
    for start in range(0, len(names), _MOST_AT_ONCE):
        some = [spelt for name in names[start : start + _MOST_AT_ONCE] for spelt in (name, f"/{name}")]
        yield from ask(_LISTING, ParameterFilters=[{"Key": "Name", "Option": "Equals", "Values": some}]) or ()


SPEC = Spec(
    service="ssm",
    listing=_LISTING,
    details=(_VALUES, tags_of_all("ssm")),
    one=One(
        (_LISTING,),
        lambda name: name.split(":parameter/")[-1].removeprefix("/"),
        _by_name,
        details=(
            _VALUES,
            Call(
                "list_tags_for_resource",
                items="TagList",
                args={"ResourceType": "Parameter"},
                bind={"ResourceId": "Name"},
                into=OWN_TAGS,
                gone=("InvalidResourceId",),
            ),
        ),
    ),
    split=_with_value,
    identity=("name",),
    identifiers=("name", "arn"),
    names={"name": "Name", "arn": "ARN"},
    attributes=(
        Attribute("type", "Type", topic="data"),
        Attribute("value", _value, topic="data", secret=True),
        Attribute("key_id", "KeyId", topic="encryption"),
        Attribute("tier", "Tier", default="Standard"),
        Attribute("data_type", "DataType", default="text"),
        Attribute("allowed_pattern", "AllowedPattern"),
        Attribute("description", "Description"),
        Attribute("tags_all", tags_at(_arn_end), "tags"),
    ),
    events=(
        Event(
            "PutParameter",
            "requestParameters.name",
            "create",
            sets={**_ASKED, "tags_all": tags.at("requestParameters.tags")},
            when="!(requestParameters.overwrite)",
        ),
        Event("PutParameter", "requestParameters.name", sets=_ASKED, when="requestParameters.overwrite"),
        Event("DeleteParameter", "requestParameters.name", "delete"),
        Event("DeleteParameters", "requestParameters.names", "delete"),
        *(
            Event(
                name,
                "requestParameters.resourceId",
                sets={"tags_all": given},
                when="requestParameters.resourceType == 'Parameter'",
            )
            for name, given in (
                ("AddTagsToResource", tags.at("requestParameters.tags")),
                ("RemoveTagsFromResource", ""),
            )
        ),
    ),
)
