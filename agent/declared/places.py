"""Which account and region an instance is in.

Hides the evidence, best first: its own ARN, its own `region` and resource identity (AWS provider 6), the region written
in its provider configuration, what all ARNs under the same provider configuration agree on, and last what the stack is
configured for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from agent.declared.state import Instance

_ARN = re.compile(r"arn:[^:]+:[^:]+:([a-z0-9-]*):([0-9]{12}|):.")
_PROVIDER = re.compile(r'(?:(?P<module>module\..+)\.)?provider\["(?P<source>[^"]+)"\](?:\.(?P<alias>[\w-]+))?')
_KEY = re.compile(r'\["(?:[^"\\]|\\.)*"\]|\[\d+\]')


@dataclass(frozen=True, slots=True)
class Place:
    """Account id and region; empty where unknown."""

    account: str = ""
    region: str = ""

    def otherwise(self, other: Place) -> Place:
        """This place, with what it does not know taken from the other."""
        return Place(self.account or other.account, self.region or other.region)


@dataclass(frozen=True, slots=True)
class ProviderAddress:
    """A provider configuration's address, as state writes it, in its parts."""

    module: tuple[str, ...]
    source: str
    alias: str

    @property
    def name(self) -> str:
        """The last part of its source, which is its local name unless the module chose another."""
        return self.source.rpartition("/")[2]


_ELSEWHERE = frozenset(
    {
        "aws_cloudformation_stack_set_instance",
        "aws_config_aggregate_authorization",
        "aws_dx_hosted_connection",
        "aws_servicequotas_template",
        "aws_ssmincidents_replication_set",
    }
)
"""Types whose `region` is not where they are.
https://registry.terraform.io/providers/hashicorp/aws/latest/docs/guides/enhanced-region-support
"""


class _Telling(msgspec.Struct):
    arn: object = None
    region: object = None
    account_id: object = None


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
_TELLING = msgspec.json.Decoder(_Telling)


def provider_address(text: str) -> ProviderAddress:
    """`module.a.provider["registry.terraform.io/hashicorp/aws"].west` in its parts; empty parts for anything else."""
    found = _PROVIDER.match(text)
    if found is None:
        return ProviderAddress((), "", "")
    return ProviderAddress(module_path(found["module"] or ""), found["source"], found["alias"] or "")


def module_path(address: str) -> tuple[str, ...]:
    """`module.a["x"].module.b[0]` → its call names, `("a", "b")`."""
    return tuple(_KEY.sub("", address).split(".")[1::2])


def own_place(instance: Instance) -> Place:
    """What the instance itself tells."""
    told = _telling(instance.recorded)
    named = _telling(instance.named) if instance.named is not None else _Telling()
    found = next(filter(None, (_ARN.match(arn) for arn in (told.arn, named.arn) if isinstance(arn, str))), None)
    of_arn = Place(found[2], found[1]) if found else Place()
    region = "" if instance.type in _ELSEWHERE else told.region
    return of_arn.otherwise(Place("", _text(region))).otherwise(Place(_text(named.account_id), _text(named.region)))


def _telling(recorded: msgspec.Raw) -> _Telling:
    try:
        return _TELLING.decode(recorded)
    except (msgspec.MsgspecError, RecursionError):
        return _Telling()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def shared_places(own: Iterable[tuple[str, Place]]) -> Mapping[str, Place]:
    """Provider address → account and region, each where all its instances that tell agree.

    `own` pairs each instance's provider address with what the instance tells.
    """
    accounts: dict[str, set[str]] = defaultdict(set)
    regions: dict[str, set[str]] = defaultdict(set)
    for provider, place in own:
        accounts[provider].update({place.account} - {""})
        regions[provider].update({place.region} - {""})
    return {provider: Place(_only(accounts[provider]), _only(regions[provider])) for provider in accounts}


def _only(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""
