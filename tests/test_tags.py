"""Every shape AWS gives tags in is one plain map."""

from typing import Any

import pytest

from agent import tags

PLAIN = {"team": "payments", "public": "false"}


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param([{"Key": "team", "Value": "payments"}, {"Key": "public", "Value": "false"}], id="boto3"),
        pytest.param([{"key": "team", "value": "payments"}, {"key": "public", "value": "false"}], id="CloudTrail"),
        pytest.param([{"TagKey": "team", "TagValue": "payments"}, {"TagKey": "public", "TagValue": "false"}], id="KMS"),
        pytest.param(
            [{"tagKey": "team", "tagValue": "payments"}, {"tagKey": "public", "tagValue": "false"}],
            id="KMS in CloudTrail",
        ),
        pytest.param([{"Key": "team", "Value": "payments"}, {"Key": "public", "Value": False}], id="S3 in CloudTrail"),
        pytest.param({"team": "payments", "public": "false"}, id="a map"),
        pytest.param({"team": "payments", "public": "false", "aws:cloudformation:stack-name": "x"}, id="AWS's own"),
    ],
)
def test_every_shape_becomes_a_plain_map(shape: Any) -> None:
    assert tags.plain(shape) == PLAIN


@pytest.mark.parametrize(
    ("shape", "plain"),
    [
        (None, {}),
        ([], {}),
        ({}, {}),
        ({"Key": "only", "Value": True}, {"only": "true"}),
        ([{"key": "bare"}], {"bare": ""}),
        ({"key": "a tag named key"}, {"key": "a tag named key"}),
        ([{"Key": "n", "Value": 7}], {"n": "7"}),
    ],
)
def test_what_is_empty_single_or_typed(shape: Any, plain: dict[str, str]) -> None:
    assert tags.plain(shape) == plain


def test_at_tells_not_set_from_empty() -> None:
    look = tags.at("requestParameters.tags")
    assert look({"requestParameters": None}) is None
    assert look({"requestParameters": {"tags": []}}) == {}
    assert look({"requestParameters": {"tags": [{"key": "a", "value": "b"}]}}) == {"a": "b"}
