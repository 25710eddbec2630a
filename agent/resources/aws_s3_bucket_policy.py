"""Policy of an S3 bucket."""

from agent.resources import Attribute, Call, Event, Parent, Spec
from agent.resources.aws_s3_bucket import LISTING

SPEC = Spec(
    service="s3",
    listing=LISTING,
    details=(
        Call(
            "get_bucket_policy",
            items="Policy",
            bind={"Bucket": "Name"},
            into="Policy",
            gone=("NoSuchBucketPolicy", "NoSuchBucket"),
        ),
    ),
    identity=("bucket",),
    identifiers=("id", "bucket"),
    names={"bucket": "Name", "id": "Name"},
    is_global=True,
    attributes=(Attribute("policy", "Policy", "policy", "exposure"),),
    parent=Parent("aws_s3_bucket", "policy", ("bucket",)),
    events=(
        Event(
            "PutBucketPolicy",
            "requestParameters.bucketName",
            sets={"policy": "requestParameters.bucketPolicy"},
        ),
        Event("DeleteBucketPolicy", "requestParameters.bucketName", "delete"),
    ),
)
