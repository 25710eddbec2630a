"""`agent.topics`: what a change is about, by its attribute or by its type."""

import pytest

from agent.resources import load
from agent.topics import topics


@pytest.mark.parametrize(
    ("type_", "attribute", "about"),
    [
        ("aws_sqs_queue", "kms_master_key_id", ["encryption"]),
        ("aws_sqs_queue", "delay_seconds", ["metadata"]),
        ("aws_sqs_queue", "no_such_attribute", ["metadata"]),
        ("aws_sqs_queue", "", ["data"]),
        ("aws_s3_bucket_policy", "", ["exposure", "exposure"]),
        ("aws_s3_bucket_versioning", "", ["data", "data"]),
        ("aws_ecs_service", "desired_count", ["compute"]),
        ("aws_iam_user", "", ["identity"]),
        ("cloudflare_record", "", ["metadata"]),
    ],
)
def test_what_it_is_about(type_: str, attribute: str, about: list[str]) -> None:
    assert topics(type_, attribute, load()) == about


def test_without_specifications_the_type_alone_tells() -> None:
    assert topics("aws_sqs_queue", "kms_master_key_id", {}) == ["data"]
