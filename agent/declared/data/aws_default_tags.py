"""The tags a provider gives to every resource. Hides nothing but the id, which is the partition."""

from __future__ import annotations

from collections.abc import Mapping

from agent.declared.data import Here, known
from agent.declared.data.aws_partition import partition_of
from agent.declared.language.values import Object, Value


def read(_arguments: Object, here: Here) -> Mapping[str, Value]:
    """See `data.Reader`."""
    partition = here.partition or partition_of(here.region)
    return {
        "id": known(partition, "data.aws_default_tags: the provider's region is not known"),
        "tags": here.default_tags,
    }
