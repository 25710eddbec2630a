"""A call becomes the CloudTrail record AWS would write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.demo.recorder import ec2, events, keyring, s3, spelling, touched
from agent.demo.recorder.call import Call
from agent.demo.recorder.identity import Identity, user_identity

VERSION = "1.11"
"""eventVersion of records written since 2024."""
_LIMIT = 1024
"""userAgent and errorMessage are cut here (CloudTrail User Guide, "record contents")."""
_BLANK = frozenset(("AccessDenied", "Throttling", "ThrottlingException"))
"""Failures whose record has no requestParameters; EC2's and S3's keep them."""
_SESSIONS = frozenset(("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"))
"""Reads whose record shows the answer."""


@dataclass(frozen=True, slots=True)
class Client:
    """What the caller's machine looks like from AWS; "" leaves what the request shows."""

    source_ip: str = ""
    user_agent: str = ""
    from_console: bool = False


def write(call: Call, who: Identity, client: Client, event_id: str, request_id: str) -> dict[str, Any]:
    """The record, its keys in AWS's order."""
    record: dict[str, Any] = {
        "eventVersion": VERSION,
        "userIdentity": user_identity(who, call.credential.access_key_id),
        "eventTime": f"{call.exchange.at:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{events.source(call)}.amazonaws.com",
        "eventName": events.name(call),
        "awsRegion": events.region(call),
        "sourceIPAddress": who.invoked_by or client.source_ip or call.exchange.client,
        "userAgent": _user_agent(call, who, client),
    }
    if call.fault is not None:
        record["errorCode"] = events.error_code(call)
    if call.fault is not None and call.fault.message:
        record["errorMessage"] = call.fault.message[:_LIMIT]
    read = events.is_read(call.name)
    asked = _request_parameters(call, who)
    silent = call.fault is not None or (read and call.name not in _SESSIONS)
    record["requestParameters"] = asked
    record["responseElements"] = None if silent else _response_elements(call, who, asked or {}, request_id)
    if extra := _additional(call):
        record["additionalEventData"] = extra
    record |= {"requestID": request_id, "eventID": event_id, "readOnly": read}
    if found := touched.resources(record, who.account):
        record["resources"] = found
    record["eventType"] = "AwsApiCall"
    if version := spelling.habits(events.source(call)).api_version:
        record["apiVersion"] = version
    record |= {"managementEvent": True, "recipientAccountId": who.account, "eventCategory": "Management"}
    return record | _connection(call, who, client)


def _user_agent(call: Call, who: Identity, client: Client) -> str:
    shown = who.invoked_by or client.user_agent or call.exchange.request.headers.get("user-agent", "")
    return f"[{shown}]"[:_LIMIT] if call.is_s3 and not who.invoked_by else shown[:_LIMIT]


def _request_parameters(call: Call, who: Identity) -> dict[str, Any] | None:
    if call.is_s3:
        return s3.request_parameters(call.exchange.request, events.region(call))
    if call.operation is None:
        return None
    model, values = call.operation.model, call.parameters
    if model.service_model.service_name == "ec2":
        return ec2.request_parameters(model, values, call.exchange.request.form)
    if events.error_code(call) in _BLANK:
        return None
    shown = spelling.request_parameters(values, model.input_shape, spelling.habits(events.source(call)))
    if call.credential.scope != "sts" or shown is None:
        return shown
    if tags := keyring.principal_tags(call):
        shown["principalTags"] = tags
    if who.transitive_tags and call.name == "AssumeRole":
        shown["incomingTransitiveTags"] = dict(who.transitive_tags)
    return shown


def _response_elements(call: Call, who: Identity, asked: Mapping[str, Any], request_id: str) -> dict[str, Any] | None:
    if call.operation is None:
        return None
    model = call.operation.model
    if model.service_model.service_name == "ec2":
        return ec2.response_elements(model, call.output, call.exchange.response.body, request_id)
    own = spelling.habits(events.source(call))
    shown = spelling.response_elements(call.name, call.output, model.output_shape, own)
    if shown is None and call.credential.scope == "kms":
        # Since December 2022, though the call answers nothing (KMS Developer Guide, log entries of DisableKey).
        arn = touched.key_arn(asked, {}, events.region(call), who.account)
        return {"keyId": arn} if arn else None
    return shown


def _additional(call: Call) -> dict[str, Any] | None:
    if call.is_s3:
        return s3.additional_event_data(call.exchange.request, call.exchange.response)
    if call.credential.scope == "sts":
        return {"RequestDetails": {"awsServingRegion": events.region(call), "endpointType": "regional"}}
    return None


def _connection(call: Call, who: Identity, client: Client) -> dict[str, Any]:
    """How the call came in: a console's calls have no TLS of their own, a service's neither."""
    if client.from_console:
        return {"sessionCredentialFromConsole": "true"}
    if who.invoked_by:
        return {}
    source, region = events.source(call), events.region(call)
    prefix = call.operation.model.service_model.endpoint_prefix if call.operation else source
    host = f"{prefix}.amazonaws.com" if events.is_global(source) else f"{prefix}.{region}.amazonaws.com"
    if call.is_s3:
        host = s3.host(s3.bucket(call.exchange.request), region)
    return {
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        }
    }
