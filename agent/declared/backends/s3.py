"""State in an S3 bucket; hides boto3's errors and how workspaces are told apart."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from agent.declared.backends import DEFAULT_WORKSPACE, Access
from agent.declared.state import StateError, refuse_size

_RIGHT = {
    "NoSuchBucket": "there is no such bucket: correct the location",
    "NoSuchKey": "there is no such object: apply the stack, or correct the location",
    "AccessDenied": "access denied: allow s3:GetObject on it, and kms:Decrypt on its key "
    "(a missing object looks the same without s3:ListBucket)",
}


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """`s3://bucket/key` (https://developer.hashicorp.com/terraform/language/backend/s3)."""
    bucket, key = settings.get("bucket"), settings.get("key")
    if not bucket or not key:
        missing = "bucket" if not bucket else "key"
        raise StateError(
            f'the `backend "s3"` block does not name its {missing}: set the stack\'s `state` to s3://bucket/key'
        )
    if workspace != DEFAULT_WORKSPACE:
        key = f"{settings.get('workspace_key_prefix') or 'env:'}/{workspace}/{key}"
    return f"s3://{bucket}/{key}"


def fetch(location: str, access: Access) -> bytes:
    """The object's content."""
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise StateError(f"{location} names no object: write s3://bucket/key")
    if access.session is None:
        raise StateError(f"{location} cannot be read: there are no AWS credentials for it")
    try:
        answer = access.session.client("s3").get_object(Bucket=bucket, Key=key)
        refuse_size(answer["ContentLength"], location, access.limit)
        return answer["Body"].read()
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        raise StateError(f"{location}: {_RIGHT.get(code, f'{code}: {message}')}") from None
    except BotoCoreError as error:
        raise StateError(f"{location}: {error}") from None
