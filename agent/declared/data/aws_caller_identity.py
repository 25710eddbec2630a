"""Whose account a provider stands in. Hides that only AWS knows as whom."""

from __future__ import annotations

from collections.abc import Mapping

from agent.declared.data import Here, known
from agent.declared.language.types import STRING
from agent.declared.language.values import Object, Unknown, Value


def read(_arguments: Object, here: Here) -> Mapping[str, Value]:
    """See `data.Reader`."""
    account = known(here.account, "data.aws_caller_identity: the provider's account is not known")
    caller = Unknown("data.aws_caller_identity: who runs Terraform is not known", STRING)
    return {"id": account, "account_id": account, "arn": caller, "user_id": caller}
