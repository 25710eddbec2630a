"""A region: the provider's, or one that is named.

Hides what the provider calls them (version 5.100; version 6 says `region` for `name`, and leaves both).
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.declared.data import Here, known
from agent.declared.data.aws_partition import SUFFIXES, partition_of
from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.types import STRING
from agent.declared.language.values import Object, Sensitive, Unknown, Value, force, unmarked

DESCRIPTIONS = {
    "af-south-1": "Africa (Cape Town)",
    "ap-east-1": "Asia Pacific (Hong Kong)",
    "ap-east-2": "Asia Pacific (Taipei)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-northeast-2": "Asia Pacific (Seoul)",
    "ap-northeast-3": "Asia Pacific (Osaka)",
    "ap-south-1": "Asia Pacific (Mumbai)",
    "ap-south-2": "Asia Pacific (Hyderabad)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
    "ap-southeast-3": "Asia Pacific (Jakarta)",
    "ap-southeast-4": "Asia Pacific (Melbourne)",
    "ap-southeast-5": "Asia Pacific (Malaysia)",
    "ap-southeast-7": "Asia Pacific (Thailand)",
    "ca-central-1": "Canada (Central)",
    "ca-west-1": "Canada West (Calgary)",
    "cn-north-1": "China (Beijing)",
    "cn-northwest-1": "China (Ningxia)",
    "eu-central-1": "Europe (Frankfurt)",
    "eu-central-2": "Europe (Zurich)",
    "eu-isoe-west-1": "EU ISOE West",
    "eu-north-1": "Europe (Stockholm)",
    "eu-south-1": "Europe (Milan)",
    "eu-south-2": "Europe (Spain)",
    "eu-west-1": "Europe (Ireland)",
    "eu-west-2": "Europe (London)",
    "eu-west-3": "Europe (Paris)",
    "eusc-de-east-1": "EU (Germany)",
    "il-central-1": "Israel (Tel Aviv)",
    "me-central-1": "Middle East (UAE)",
    "me-south-1": "Middle East (Bahrain)",
    "mx-central-1": "Mexico (Central)",
    "sa-east-1": "South America (Sao Paulo)",
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-gov-east-1": "AWS GovCloud (US-East)",
    "us-gov-west-1": "AWS GovCloud (US-West)",
    "us-iso-east-1": "US ISO East",
    "us-iso-west-1": "US ISO WEST",
    "us-isob-east-1": "US ISOB East (Ohio)",
    "us-isof-east-1": "US ISOF EAST",
    "us-isof-south-1": "US ISOF SOUTH",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
}
_ENDPOINTS = {"eusc-de-east-1": "ec2.eusc-de-east-1.amazonaws.com"}
"""Where the provider has another host name than the partition's."""


def read(arguments: Object, here: Here) -> Mapping[str, Value]:
    """See `data.Reader`."""
    named = _argument(arguments, "region") or _argument(arguments, "name")
    endpoint, hidden = unmarked(_argument(arguments, "endpoint"))
    if isinstance(named, Unknown) or isinstance(endpoint, Unknown):
        blamed = named if isinstance(named, Unknown) else endpoint
        return dict.fromkeys(("id", "name", "region", "description", "endpoint"), blamed)
    text, named_hidden = unmarked(named)
    if endpoint:
        at = [each for each in DESCRIPTIONS if _endpoint(each) == endpoint]
        if not at or text not in ("", at[0]):
            raise EvaluationError("no region has this endpoint")
        text = at[0]
    attributes = _attributes(str(text) or here.region)
    marked = hidden or named_hidden
    return {name: Sensitive(each) for name, each in attributes.items()} if marked else attributes


def _argument(arguments: Object, name: str) -> Value:
    """A string argument; empty where it is not set."""
    value = convert(force(arguments.items.get(name, "")), STRING)
    return value if isinstance(value, str | Unknown | Sensitive) else ""


def _attributes(region: str) -> Mapping[str, Value]:
    why = "data.aws_region: the provider's region is not known"
    description = DESCRIPTIONS.get(region) or Unknown(f"data.aws_region: no description of {region or 'it'}", STRING)
    return {
        "id": known(region, why),
        "name": known(region, why),
        "region": known(region, why),
        "description": description if region else Unknown(why, STRING),
        "endpoint": _endpoint(region) if region else Unknown(why, STRING),
    }


def _endpoint(region: str) -> str:
    return _ENDPOINTS.get(region, f"ec2.{region}.{SUFFIXES[partition_of(region)]}")
