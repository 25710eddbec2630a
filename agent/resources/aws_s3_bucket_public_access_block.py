"""Public access block of an S3 bucket. A bucket without one is a bucket that blocks nothing."""

from agent.resources import Attribute, Attributes, Call, Event, Parent, Spec
from agent.resources.aws_s3_bucket import LISTING

SWITCHES = {
    "block_public_acls": "BlockPublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "ignore_public_acls": "IgnorePublicAcls",
    "restrict_public_buckets": "RestrictPublicBuckets",
}


def _as_made(attributes: Attributes) -> bool:
    # All on is what S3 sets on new buckets since April 2023, all off what it set before:
    # https://aws.amazon.com/blogs/aws/heads-up-amazon-s3-security-changes-are-coming-in-april-of-2023/
    return len({attributes[name] for name in SWITCHES}) == 1


SPEC = Spec(
    service="s3",
    listing=LISTING,
    details=(
        Call(
            "get_public_access_block",
            items="PublicAccessBlockConfiguration",
            bind={"Bucket": "Name"},
            into="Block",
            gone=("NoSuchBucket",),
            absent=("NoSuchPublicAccessBlockConfiguration",),
        ),
    ),
    identity=("bucket",),
    identifiers=("id", "bucket"),
    names={"bucket": "Name", "id": "Name"},
    is_global=True,
    attributes=tuple(
        Attribute(name, f"Block.{member} || `false`", "bool", "exposure", default=False)
        for name, member in SWITCHES.items()
    ),
    parent=Parent("aws_s3_bucket", "public_access_block", ("bucket",)),
    default=_as_made,
    events=(
        Event(
            "PutBucketPublicAccessBlock",
            "requestParameters.bucketName",
            sets={
                name: f"requestParameters.PublicAccessBlockConfiguration.{member}" for name, member in SWITCHES.items()
            },
        ),
        Event(
            "DeleteBucketPublicAccessBlock",
            "requestParameters.bucketName",
            sets=dict.fromkeys(SWITCHES, lambda _: False),
        ),
    ),
)
