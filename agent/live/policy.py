"""What the reader must be allowed to do, derived from the specs; hides where IAM names an action unlike the API."""

from __future__ import annotations

from collections.abc import Mapping

import botocore.session
from botocore import xform_name

from agent.resources import Spec

NAMED_OTHERWISE: Mapping[tuple[str, str], str] = {
    ("resourcegroupstaggingapi", "get_resources"): "tag:GetResources",
    ("s3", "list_buckets"): "s3:ListAllMyBuckets",
    ("s3", "get_bucket_encryption"): "s3:GetEncryptionConfiguration",
    ("s3", "get_public_access_block"): "s3:GetBucketPublicAccessBlock",
}
"""(boto3 service, operation) → IAM action, where it is not `<service>:<Operation>`:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""


def actions(specs: Mapping[str, Spec]) -> tuple[str, ...]:
    """The IAM actions that reading everything, or one thing alone, calls, as `sqs:ListQueues`, sorted.

    Raises botocore's UnknownServiceError or a KeyError for a call boto3 does not have: a mistake in a spec.
    """
    calls = {
        (call.service or spec.service, call.operation)
        for spec in specs.values()
        if not spec.same_as
        for call in (spec.listing, *spec.details, *((*spec.one.calls, *(spec.one.details or ())) if spec.one else ()))
    }
    session = botocore.session.get_session()
    names = {
        service: {xform_name(name): name for name in session.get_service_model(service).operation_names}
        for service, _ in calls
    }
    return tuple(
        sorted(
            NAMED_OTHERWISE.get((service, operation)) or f"{service}:{names[service][operation]}"
            for service, operation in calls
        )
    )
