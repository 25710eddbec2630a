"""The partition a provider stands in: AWS itself, China, GovCloud and the others.

Hides which region belongs to which (https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html).
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.declared.data import Here, known
from agent.declared.language.types import STRING
from agent.declared.language.values import Object, Unknown, Value

SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-eusc": "amazonaws.eu",
}
"""Partition → what its host names end with."""

_PREFIXES = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}


def partition_of(region: str) -> str:
    """The partition of a region; empty where that is."""
    found = (partition for prefix, partition in _PREFIXES.items() if region.startswith(prefix))
    return next(found, "aws" if region else "")


def read(_arguments: Object, here: Here) -> Mapping[str, Value]:
    """See `data.Reader`."""
    partition = here.partition or partition_of(here.region)
    suffix = SUFFIXES.get(partition, "")
    why = "data.aws_partition: the provider's region is not known"
    return {
        "id": known(partition, why),
        "partition": known(partition, why),
        "dns_suffix": known(suffix, why),
        "reverse_dns_prefix": ".".join(reversed(suffix.split("."))) if suffix else Unknown(why, STRING),
    }
