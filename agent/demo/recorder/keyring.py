"""Which identity stands behind an access key: told, learnt from passing calls, or asked of moto."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal
from xml.etree import ElementTree as ET

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from agent.demo.recorder.call import Call
from agent.demo.recorder.identity import Identity, Issuer, iam_user, role_session, stranger

_TAGS = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
_SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"


class Keyring:
    """Access key id → identity. Not thread-safe: its owner calls it under one lock."""

    def __init__(self, upstream: str, account: str) -> None:
        """`upstream`: moto, asked about keys that nobody told of. `account`: whose the unknown keys are."""
        self._upstream = upstream
        self._account = account
        self._known: dict[str, Identity] = {}
        self._client: Any = None
        self._learn: Mapping[str, Callable[[Call, Identity], Identity]] = {
            "AssumeRole": self._session,
            "AssumeRoleWithSAML": self._session,
            "AssumeRoleWithWebIdentity": self._session,
            "GetFederationToken": _federated,
            "GetSessionToken": _refreshed,
        }

    def know(self, access_key_id: str, who: Identity) -> None:
        """From now on the key is this identity's."""
        self._known[access_key_id] = who

    def identity(self, access_key_id: str) -> Identity:
        """Who holds a key; an unknown key's holder is a stranger."""
        if access_key_id not in self._known:
            self._known[access_key_id] = self._asked(access_key_id)
        return self._known[access_key_id]

    def caller(self, call: Call) -> Identity:
        """Who made a call; a web-identity or SAML caller is known by its token."""
        if call.credential.access_key_id:
            return self.identity(call.credential.access_key_id)
        token = call.parameters
        if "WebIdentityToken" in token:
            return _web_identity(str(token["WebIdentityToken"]), str(token.get("RoleArn", "")), self._account)
        return _saml(str(token.get("SAMLAssertion", "")), str(token.get("PrincipalArn", "")))

    def learn(self, call: Call, caller: Identity) -> None:
        """Remember the key that a successful call has issued."""
        if call.fault is not None:
            return
        if call.credential.scope == "iam" and call.name == "CreateAccessKey":
            key = call.output.get("AccessKey", {})
            self._known[str(key.get("AccessKeyId"))] = self._user(str(key.get("UserName")), caller.account)
        issued = call.output.get("Credentials")
        if call.credential.scope == "sts" and isinstance(issued, Mapping) and call.name in self._learn:
            with contextlib.suppress(ValueError):
                # moto lets one assume what is no role: such a session stays a stranger's.
                self._known[str(issued.get("AccessKeyId"))] = self._learn[call.name](call, caller)

    def _session(self, call: Call, caller: Identity) -> Identity:
        asked = call.parameters
        arn = str(asked.get("RoleArn", ""))
        assumed = str(call.output.get("AssumedRoleUser", {}).get("AssumedRoleId", ""))
        tags = {**caller.transitive_tags, **_own_transitive_tags(asked)}
        made = role_session(
            arn,
            str(asked.get("RoleSessionName") or assumed.partition(":")[2]),
            call.exchange.at,
            # moto answers a made-up id to AssumeRoleWithWebIdentity.
            role_id=assumed.partition(":")[0] if assumed.startswith("AROA") else self._role_id(arn),
            mfa="SerialNumber" in asked,
            source_identity=str(asked.get("SourceIdentity", "")) or caller.source_identity,
            transitive_tags=tags,
        )
        if call.name == "AssumeRoleWithWebIdentity":
            claims = _claims(str(asked.get("WebIdentityToken", "")))
            return replace(made, federated_by=caller.provider, source_identity=str(claims.get(_SOURCE_IDENTITY, "")))
        return made

    def _asked(self, access_key_id: str) -> Identity:
        nobody = stranger(access_key_id, self._account)
        if not access_key_id.startswith("AKIA"):
            return nobody
        try:
            name = self._iam().get_access_key_last_used(AccessKeyId=access_key_id).get("UserName", "")
        except (ClientError, BotoCoreError):
            return nobody
        return self._user(name, self._account) if name else nobody

    def _user(self, name: str, account: str) -> Identity:
        try:
            user = self._iam().get_user(UserName=name)["User"]
        except (ClientError, BotoCoreError):
            return iam_user(name, account)
        found = iam_user(name, account, path=user["Path"], principal_id=user["UserId"])
        return replace(found, arn=user["Arn"], account=user["Arn"].split(":")[4])

    def _role_id(self, arn: str) -> str:
        try:
            return str(self._iam().get_role(RoleName=arn.rsplit("/", 1)[-1])["Role"]["RoleId"])
        except (ClientError, BotoCoreError):
            return ""

    def _iam(self) -> Any:
        if self._client is None:
            self._client = _client(self._upstream)
        return self._client


def _client(upstream: str) -> Any:
    return boto3.client(
        "iam",
        endpoint_url=upstream,
        region_name="us-east-1",
        aws_access_key_id="recorder",
        aws_secret_access_key="recorder",  # noqa: S106 moto checks no signature
        config=Config(retries={"max_attempts": 0}),
    )


def principal_tags(call: Call) -> dict[str, str]:
    """Session tags that a web identity's token carries, as `requestParameters.principalTags` shows them."""
    tags = _claims(str(call.parameters.get("WebIdentityToken", ""))).get(_TAGS, {})
    listed = tags.get("principal_tags", {}) if isinstance(tags, dict) else {}
    return {str(name): str(values[0]) for name, values in listed.items() if values}


def _own_transitive_tags(asked: Mapping[str, Any]) -> dict[str, str]:
    passed_on = set(asked.get("TransitiveTagKeys") or ())
    return {tag["Key"]: tag["Value"] for tag in asked.get("Tags") or () if tag["Key"] in passed_on}


def _refreshed(call: Call, caller: Identity) -> Identity:
    """GetSessionToken: the same user, in a session. moto answers the same key to everyone: the last caller has it."""
    return replace(caller, created=call.exchange.at, mfa="SerialNumber" in call.parameters)


def _federated(call: Call, caller: Identity) -> Identity:
    user = call.output.get("FederatedUser", {})
    kind: Literal["Root", "IAMUser"] = "Root" if caller.kind == "Root" else "IAMUser"
    return Identity(
        "FederatedUser",
        caller.account,
        str(user.get("Arn", "")),
        str(user.get("FederatedUserId", "")),
        issuer=Issuer(kind, caller.principal_id, caller.arn, caller.account, caller.user_name),
        created=call.exchange.at,
    )


def _web_identity(token: str, role_arn: str, account: str) -> Identity:
    claims = _claims(token)
    subject, audience = str(claims.get("sub", "")), claims.get("aud", "")
    issuer = str(claims.get("iss", "")).removeprefix("https://")
    account = role_arn.split(":")[4] if role_arn.count(":") >= 5 else account
    provider = f"arn:aws:iam::{account}:oidc-provider/{issuer}"
    first = audience[0] if isinstance(audience, list) and audience else audience
    return Identity(
        "WebIdentityUser",
        account,
        principal_id=f"{provider}:{first}:{subject}",
        user_name=subject,
        provider=provider,
    )


def _claims(token: str) -> dict[str, Any]:
    """A JWT's claims, unverified: moto does not verify them either."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def _saml(assertion: str, principal_arn: str) -> Identity:
    account = principal_arn.split(":")[4] if principal_arn.count(":") >= 5 else ""
    try:
        document = ET.fromstring(base64.b64decode(assertion))  # noqa: S314 only this machine's own clients
    except (ET.ParseError, binascii.Error, ValueError):
        document = ET.Element("none")
    subject = next((node.text or "" for node in document.iter(f"{_SAML}NameID")), "")
    issuer = next((node.text or "" for node in document.iter(f"{_SAML}Issuer")), "")
    # STS API reference, AssumeRoleWithSAML: NameQualifier = Base64(SHA1(issuer + account + "/" + provider name)).
    text = f"{issuer}{account}/{principal_arn.rsplit('/', 1)[-1]}"
    qualifier = base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()
    return Identity("SAMLUser", account, principal_id=f"{qualifier}:{subject}", user_name=subject, provider=qualifier)
