"""S3 bucket. Its settings are parts, each a type of its own: versioning, encryption, public access block, policy.

All buckets are read with one region's client: boto3 follows S3's redirection to the bucket's own, once per bucket.
"""

from collections.abc import Iterable

from agent import tags
from agent.resources import Attribute, Attributes, Call, Event, Inline, Item, Spec

LISTING = Call("list_buckets", items="Buckets", args={"MaxBuckets": 1000})
"""One answer for all bucket types. Asked for a page size, S3 also tells each bucket's region."""


def _arn(bucket: Item) -> str:
    region = bucket.get("BucketRegion") or ""
    partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
    return f"arn:{partition}:s3:::{bucket['Name']}"


# Settings written in the bucket itself (deprecated since provider 4.0, and still common). State also holds what other
# resources set, and what S3 sets by itself: that declares nothing.


def _versioning(bucket: Attributes) -> Iterable[Attributes]:
    for block in bucket.get("versioning") or ():
        if block.get("enabled"):
            mfa_delete = "Enabled" if block.get("mfa_delete") else ""
            configuration = [{"status": "Enabled", "mfa_delete": mfa_delete}]
            yield {"bucket": bucket["bucket"], "versioning_configuration": configuration}


def _encryption(bucket: Attributes) -> Iterable[Attributes]:
    for block in bucket.get("server_side_encryption_configuration") or ():
        yield {"bucket": bucket["bucket"], "rule": block.get("rule")}


def _policy(bucket: Attributes) -> Iterable[Attributes]:
    if bucket.get("policy"):
        yield {"bucket": bucket["bucket"], "policy": bucket["policy"]}


SPEC = Spec(
    service="s3",
    listing=LISTING,
    details=(
        Call(
            "get_bucket_tagging",
            items="TagSet",
            bind={"Bucket": "Name"},
            into="Tags",
            gone=("NoSuchBucket",),
            absent=("NoSuchTagSet",),
        ),
    ),
    identity=("bucket",),
    identifiers=("id", "arn", "bucket"),
    names={"bucket": "Name", "id": "Name", "arn": _arn},
    is_global=True,
    attributes=(Attribute("tags_all", "Tags", "tags"),),
    inline=(
        Inline("versioning", "aws_s3_bucket_versioning", _versioning),
        Inline(
            "server_side_encryption_configuration", "aws_s3_bucket_server_side_encryption_configuration", _encryption
        ),
        Inline("policy", "aws_s3_bucket_policy", _policy),
    ),
    events=(
        Event("CreateBucket", "requestParameters.bucketName", "create"),
        Event("DeleteBucket", "requestParameters.bucketName", "delete"),
        Event(
            "PutBucketTagging",
            "requestParameters.bucketName",
            sets={"tags_all": tags.at("requestParameters.Tagging.TagSet.Tag")},
        ),
        Event("DeleteBucketTagging", "requestParameters.bucketName", sets={"tags_all": lambda _: {}}),
    ),
)
