"""Versioning of an S3 bucket. Every bucket has it: where it was never turned on, it is `Disabled`."""

from collections.abc import Mapping
from typing import Any

from agent.resources import Attribute, Attributes, Call, Event, Parent, Spec
from agent.resources.aws_s3_bucket import LISTING


def _configuration(versioning: Mapping[str, Any]) -> list[dict[str, Any]]:
    # CloudTrail spells it as the XML does (MfaDelete), boto3 as its model does (MFADelete).
    mfa_delete = versioning.get("MFADelete", versioning.get("MfaDelete", ""))
    return [{"status": versioning.get("Status") or "Disabled", "mfa_delete": mfa_delete}]


def _asked(record: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    asked = (record.get("requestParameters") or {}).get("VersioningConfiguration")
    return _configuration(asked) if asked else None


def _never_enabled(attributes: Attributes) -> bool:
    return bool(attributes["versioning_configuration"][0]["status"] != "Enabled")


SPEC = Spec(
    service="s3",
    listing=LISTING,
    details=(Call("get_bucket_versioning", bind={"Bucket": "Name"}, into="Versioning", gone=("NoSuchBucket",)),),
    identity=("bucket",),
    identifiers=("id", "bucket"),
    names={"bucket": "Name", "id": "Name"},
    is_global=True,
    attributes=(
        Attribute("versioning_configuration", lambda item: _configuration(item["Versioning"]), "list", "data"),
    ),
    parent=Parent("aws_s3_bucket", "versioning", ("bucket",)),
    default=_never_enabled,
    events=(Event("PutBucketVersioning", "requestParameters.bucketName", sets={"versioning_configuration": _asked}),),
)
