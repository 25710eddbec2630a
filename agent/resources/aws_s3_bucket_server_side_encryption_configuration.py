"""Default encryption of an S3 bucket. Since January 2023 every bucket has it: with S3's own keys unless set."""

from collections.abc import Mapping
from typing import Any

from agent.resources import Attribute, Attributes, Call, Event, Parent, Spec
from agent.resources.aws_s3_bucket import LISTING

Rules = list[dict[str, Any]]

S3_KEYS = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
"""What S3 falls back to where nothing is configured."""


def _rules(rules: Any) -> Rules:
    if isinstance(rules, Mapping):
        # CloudTrail turns the XML of a single rule into an object.
        rules = [rules]
    return [_rule(rule) for rule in rules or ()]


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    applied = rule.get("ApplyServerSideEncryptionByDefault") or {}
    return {
        "apply_server_side_encryption_by_default": [
            {
                "sse_algorithm": applied.get("SSEAlgorithm", ""),
                "kms_master_key_id": applied.get("KMSMasterKeyID", ""),
            }
        ],
        "bucket_key_enabled": rule.get("BucketKeyEnabled"),
    }


def _asked(record: Mapping[str, Any]) -> Rules | None:
    asked = (record.get("requestParameters") or {}).get("ServerSideEncryptionConfiguration") or {}
    return _rules(asked.get("Rule")) or None


def _s3_keys(attributes: Attributes) -> bool:
    return all(
        rule["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "AES256" for rule in attributes["rule"]
    )


SPEC = Spec(
    service="s3",
    listing=LISTING,
    details=(
        Call(
            "get_bucket_encryption",
            items="ServerSideEncryptionConfiguration.Rules",
            bind={"Bucket": "Name"},
            into="Rules",
            gone=("NoSuchBucket",),
            absent=("ServerSideEncryptionConfigurationNotFoundError",),
        ),
    ),
    identity=("bucket",),
    identifiers=("id", "bucket"),
    names={"bucket": "Name", "id": "Name"},
    is_global=True,
    attributes=(Attribute("rule", lambda item: _rules(item["Rules"] or S3_KEYS), "set", "encryption"),),
    parent=Parent("aws_s3_bucket", "server_side_encryption_configuration", ("bucket",)),
    default=_s3_keys,
    events=(
        Event("PutBucketEncryption", "requestParameters.bucketName", sets={"rule": _asked}),
        # The bucket falls back to S3's own keys: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html
        Event(
            "DeleteBucketEncryption",
            "requestParameters.bucketName",
            sets={"rule": lambda _: _rules(S3_KEYS)},
        ),
    ),
)
