"""What a change or a difference is about: network, identity, encryption, logging, exposure, data, compute, metadata.

Hides where that is said: of an attribute in its type's spec, of a whole resource by what its type is called.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.resources import Spec, Topic

_TOPICS: tuple[tuple[str, Topic], ...] = (
    ("aws_s3_bucket_policy", "exposure"),
    ("aws_s3_bucket_public_access_block", "exposure"),
    ("aws_s3_bucket_acl", "exposure"),
    ("aws_s3_bucket_server_side_encryption", "encryption"),
    ("aws_s3_bucket_logging", "logging"),
    ("aws_sqs_queue_policy", "exposure"),
    ("aws_sns_topic_policy", "exposure"),
    ("aws_lambda_permission", "exposure"),
    ("aws_iam_", "identity"),
    ("aws_kms_", "encryption"),
    ("aws_cloudtrail", "logging"),
    ("aws_cloudwatch_log", "logging"),
    ("aws_flow_log", "logging"),
    ("aws_config_", "logging"),
    ("aws_guardduty_", "logging"),
    ("aws_security_group", "network"),
    ("aws_default_security_group", "network"),
    ("aws_vpc", "network"),
    ("aws_subnet", "network"),
    ("aws_route", "network"),
    ("aws_network_", "network"),
    ("aws_internet_gateway", "network"),
    ("aws_nat_gateway", "network"),
    ("aws_lb", "network"),
    ("aws_instance", "compute"),
    ("aws_lambda_", "compute"),
    ("aws_ecs_", "compute"),
    ("aws_eks_", "compute"),
    ("aws_autoscaling_", "compute"),
    ("aws_s3_", "data"),
    ("aws_sqs_", "data"),
    ("aws_sns_", "data"),
    ("aws_dynamodb_", "data"),
    ("aws_db_", "data"),
    ("aws_rds_", "data"),
    ("aws_ssm_parameter", "data"),
    ("aws_secretsmanager_", "data"),
)
"""Prefix of a resource type → what its coming or going is about; the first that fits."""


def topics(type_: str, attribute: str, specs: Mapping[str, Spec]) -> list[str]:
    """What an attribute of a type is about, as its spec says; with no attribute: what the whole resource is about.

    Never empty; the same topic may come twice.
    """
    spec = specs.get(type_)
    if attribute and spec is not None:
        return [declared.topic for declared in spec.attributes if declared.name == attribute] or ["metadata"]
    by_type = next((topic for prefix, topic in _TOPICS if type_.startswith(prefix)), "metadata")
    if spec is None or spec.parent is None:
        return [by_type]
    # A part is little more than its attributes.
    return [by_type, *(declared.topic for declared in spec.attributes if declared.topic != "metadata")]
