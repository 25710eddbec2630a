"""State in an S3 bucket; hides boto3's errors, locks in DynamoDB and S3, and how workspaces are told apart.

A location is `s3://bucket/key` (https://developer.hashicorp.com/terraform/language/backend/s3).
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from agent.clean import clean
from agent.declared import partial
from agent.declared.backends import DEFAULT_WORKSPACE, Access, Fetched, Version, holder
from agent.declared.state import NoStateError, StateError, refuse_size
from agent.declared.web import gathered

if TYPE_CHECKING:
    import boto3

ENVIRONMENT = {"sse_customer_key": ("AWS_SSE_CUSTOMER_KEY",)}
"""All others boto3 reads by itself."""
_RIGHT = {
    "NoSuchBucket": "there is no such bucket: correct the location",
    "NoSuchKey": "there is no such object: apply the stack, or correct the location",
    "NoSuchVersion": "there is no such version of it",
    "AccessDenied": "access denied: allow s3:GetObject on it, and kms:Decrypt on its key "
    "(a missing object looks the same without s3:ListBucket)",
}
_CHUNK = 1024 * 1024


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """`s3://bucket/key`."""
    bucket, key = settings.get("bucket"), settings.get("key")
    if not bucket or not key:
        missing = "bucket" if not bucket else "key"
        raise StateError(
            f'the `backend "s3"` block does not name its {missing}: set the stack\'s `state` to s3://bucket/key'
        )
    if workspace != DEFAULT_WORKSPACE:
        key = f"{settings.get('workspace_key_prefix') or 'env:'}/{workspace}/{key}"
    return f"s3://{bucket}/{key}"


def read(location: str, access: Access, version: str) -> Fetched:
    """The object's content, in one version or the latest, and who holds its lock."""
    bucket, key = _parts(location)
    try:
        clients = _Clients(location, access)
        found = _object(clients, bucket, key, version, location, access)
        if version:
            return found
        digest, locked, unseen = _table(clients, bucket, key)
        if digest and not locked and digest != _md5(found.data):
            # Between our two readings it may have been written: only what lasts is wrong.
            found = _object(clients, bucket, key, version, location, access)
            digest, locked, unseen = _table(clients, bucket, key)
            if digest and not locked and digest != _md5(found.data):
                raise StateError(
                    f"{location}: its MD5 is not the one Terraform left in {access.settings['dynamodb_table']}: "
                    "it was written without Terraform, which refuses it as well; restore the last good version"
                )
        if not locked:
            file, unread = _lock_file(clients, bucket, key)
            locked, unseen = file, "; ".join(filter(None, (unseen, unread)))
        return Fetched(found.data, found.version, found.modified, locked, "" if locked else unseen)
    except ClientError as error:
        raise _explained(error, location) from None
    except BotoCoreError as error:
        raise StateError(f"{location}: {clean(error, 300)}") from None


def history(location: str, access: Access) -> Iterator[Version]:
    """The object's versions; a bucket without versioning keeps one."""
    bucket, key = _parts(location)
    try:
        pages = _Clients(location, access).s3().get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=bucket, Prefix=key):
            for each in page.get("Versions", ()):
                if each["Key"] == key:
                    yield Version(each["VersionId"], each["LastModified"], each["Size"])
    except ClientError as error:
        raise _explained(error, location, "s3:ListBucketVersions on the bucket") from None
    except BotoCoreError as error:
        raise StateError(f"{location}: {clean(error, 300)}") from None


def _parts(location: str) -> tuple[str, str]:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise StateError(f"{location} names no object: write s3://bucket/key")
    return bucket, key


def _explained(error: ClientError, location: str, right: str = "") -> StateError:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code == "AccessDenied" and (right or error.operation_name == "AssumeRole"):
        return StateError(f"{location}: access denied: allow {right or 'us to assume the role of its backend'}")
    kind = NoStateError if code in ("NoSuchBucket", "NoSuchKey") else StateError
    return kind(f"{location}: {_RIGHT.get(code) or clean(f'{code}: {message}', 300)}")


def _object(clients: _Clients, bucket: str, key: str, version: str, location: str, access: Access) -> Fetched:
    asked = {
        "Bucket": bucket,
        "Key": key,
        **({"VersionId": version} if version else {}),
        **_customer_key(location, access),
    }
    answer = clients.s3().get_object(**asked)
    refuse_size(answer["ContentLength"], location, access.limit)
    data = gathered(answer["Body"].iter_chunks(_CHUNK), location, access.limit, access.patience)
    number = answer.get("VersionId", "")
    return Fetched(data, "" if number == "null" else number, answer.get("LastModified"))


def _customer_key(location: str, access: Access) -> Mapping[str, Any]:
    key = access.settings.get("sse_customer_key")
    if not key:
        return {}
    try:
        return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b64decode(str(key), validate=True)}
    except ValueError:
        raise StateError(f"{location}: `sse_customer_key` is not base64: correct it") from None


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _table(clients: _Clients, bucket: str, key: str) -> tuple[str, str, str]:
    """What Terraform notes in the lock table: the state's MD5, who holds the lock, and why we cannot tell."""
    table = clients.access.settings.get("dynamodb_table")
    if not table:
        return "", "", ""
    name = f"{bucket}/{key}"
    try:
        client = clients.dynamodb()
        notes = [
            client.get_item(TableName=str(table), Key={"LockID": {"S": each}}, ConsistentRead=True).get("Item", {})
            for each in (f"{name}-md5", name)
        ]
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        return "", "", f"its lock in the table {table} cannot be read ({code}): allow dynamodb:GetItem"
    digest = str(notes[0].get("Digest", {}).get("S", ""))
    return digest, holder(str(notes[1].get("Info", {}).get("S", ""))) if notes[1] else "", ""


def _lock_file(clients: _Clients, bucket: str, key: str) -> tuple[str, str]:
    """Who holds the lock that lies beside the state, and why we cannot tell."""
    if not partial.flag(clients.access.settings.get("use_lockfile")):
        return "", ""
    try:
        own = _customer_key(clients.location, clients.access)
        answer = clients.s3().get_object(Bucket=bucket, Key=f"{key}.tflock", **own)
        return holder(answer["Body"].read(10_000)), ""
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchKey":
            return "", ""
        return "", f"its lock s3://{bucket}/{key}.tflock cannot be read ({code}): allow s3:GetObject on it"


class _Clients:
    """Clients as the block describes them, on the credentials of our session."""

    def __init__(self, location: str, access: Access) -> None:
        self.location, self.access, self.settings = location, access, access.settings
        self.session = self._session()

    def s3(self) -> Any:
        """Of the state's bucket."""
        return self._client("s3", "endpoint")

    def dynamodb(self) -> Any:
        """Of the lock table."""
        return self._client("dynamodb", "dynamodb_endpoint")

    def _client(self, service: str, old: str) -> Any:
        path_style = any(partial.flag(self.settings.get(name)) for name in ("use_path_style", "force_path_style"))
        endpoints = partial.block(self.settings, "endpoints")
        bundle = self.settings.get("custom_ca_bundle")
        client: Any = self.session.client
        return client(
            service,
            region_name=self.settings.get("region") or None,
            endpoint_url=endpoints.get(service) or self.settings.get(old) or None,
            verify=str(self.access.directory / str(bundle)) if bundle else None,
            config=Config(
                connect_timeout=self.access.timeout,
                read_timeout=self.access.timeout,
                use_dualstack_endpoint=partial.flag(self.settings.get("use_dualstack_endpoint")) or None,
                use_fips_endpoint=partial.flag(self.settings.get("use_fips_endpoint")) or None,
                s3={"addressing_style": "path"} if path_style else None,
            ),
        )

    def _session(self) -> boto3.Session:
        """Our session; the block's keys, profile and role where it has them.

        A profile counts where this machine has it: it says where credentials are, and ours are known already.
        """
        from agent.aws_session import opened

        session, given = self.access.session, self.settings
        if given.get("access_key") and given.get("secret_key"):
            names = {"AccessKeyId": "access_key", "SecretAccessKey": "secret_key", "SessionToken": "token"}
            session = opened(issued={name: str(given[key]) for name, key in names.items() if given.get(key)})
        elif given.get("profile") and given["profile"] in opened().available_profiles:
            session = opened(profile=str(given["profile"]))
        if session is None:
            raise StateError(f"{self.location} cannot be read: there are no AWS credentials for it")
        return self._assumed(session)

    def _assumed(self, session: boto3.Session) -> boto3.Session:
        from agent.aws_session import opened

        role = partial.block(self.settings, "assume_role") or {
            name: self.settings.get(name) for name in ("role_arn", "session_name", "external_id")
        }
        if not role.get("role_arn"):
            return session
        self.session = session
        asked = {"RoleArn": str(role["role_arn"]), "RoleSessionName": str(role.get("session_name") or "driftwarden")}
        if role.get("external_id"):
            asked["ExternalId"] = str(role["external_id"])
        given = self._client("sts", "sts_endpoint").assume_role(**asked)["Credentials"]
        return opened(session.region_name, issued=given)
