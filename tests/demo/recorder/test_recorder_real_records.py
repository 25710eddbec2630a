"""The recorder's records beside real ones: the same call must have the same keys, spelling, nesting and types.

Three rules. What a call asked must be printed exactly as AWS printed it. What moto answered must be printed where AWS
printed it; what AWS printed and we do not must be absent from moto's answer. Every other difference stands in a table
below with its reason.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from recorder_calls import ACCOUNT, ALICE, ALL, clients

from agent.demo.recorder import Recorder, iam_user

DATA = Path(
    os.environ.get("DRIFTWARDEN_CLOUDTRAIL_DATA", "") or Path(__file__).parents[4] / "shared" / "data" / "cloudtrail"
)
Record = Mapping[str, Any]
Shape = dict[str, str]

REAL = """
ec2: AllocateAddress AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupEgress
 AuthorizeSecurityGroupIngress CreateFlowLogs CreateInternetGateway CreateNatGateway CreateNetworkInterface CreateRoute
 CreateRouteTable CreateSecurityGroup CreateSnapshot CreateSubnet CreateTags CreateVolume CreateVpc DeleteFlowLogs
 DeleteInternetGateway DeleteNatGateway DeleteRoute DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteVolume
 DeleteVpc DescribeImages DescribeNatGateways DescribeRouteTables DescribeVpcs DetachInternetGateway
 DisassociateRouteTable ModifyInstanceAttribute ReleaseAddress RevokeSecurityGroupEgress RevokeSecurityGroupIngress
 RunInstances StartInstances StopInstances TerminateInstances
s3: CreateBucket DeleteBucket DeleteBucketLifecycle DeleteBucketPolicy GetBucketAcl GetBucketLocation ListBuckets
 PutBucketLifecycle PutBucketPolicy PutBucketTagging
iam: AddRoleToInstanceProfile AttachRolePolicy AttachUserPolicy CreateAccessKey CreateInstanceProfile
 CreateLoginProfile CreatePolicy CreateRole CreateUser DeleteAccessKey DeleteInstanceProfile DeleteLoginProfile
 DeletePolicy DeleteRole DeleteRolePolicy DeleteUser DetachRolePolicy DetachUserPolicy PutRolePolicy
 RemoveRoleFromInstanceProfile TagInstanceProfile UpdateAssumeRolePolicy UpdateLoginProfile
sts: AssumeRole GetCallerIdentity
lambda: AddPermission20150331v2 CreateFunction20150331 DeleteFunction20150331 RemovePermission20150331v2
 UpdateFunctionCode20150331v2 UpdateFunctionConfiguration20150331v2
rds: CreateDBInstance CreateDBSnapshot CreateDBSubnetGroup DeleteDBSnapshot ModifyDBSnapshotAttribute
ssm: DeleteParameter GetParameter PutParameter
logs: CreateLogGroup DeleteLogGroup
secretsmanager: CreateSecret DeleteSecret PutSecretValue
cloudtrail: CreateTrail DeleteTrail PutEventSelectors StartLogging StopLogging
"""
EVENTS = [
    f"{service}.{name}"
    for service, names in re.findall(r"(\w+): ([^:]+?)(?=\n\w+:|\Z)", REAL.strip())
    for name in names.split()
]

ASKED_OTHERWISE = {
    "ec2.CreateRouteTable": {".clientToken": "botocore adds one; the provider of 2023 did not"},
    "ec2.DeleteVolume": {".reportVolumeFailure": "EC2 prints a default that no API has"},
    "lambda.UpdateFunctionCode20150331v2": {
        ".fullyQualifiedArn": "Lambda's own parsing of the name, absent from its other events"
    },
}
"""Event → path under requestParameters that only one side has, and why."""

ANSWERED_MORE = {
    "ec2.AuthorizeSecurityGroupEgress": {".securityGroupRuleSet.items[].tagSet"},
    "ec2.AuthorizeSecurityGroupIngress": {".securityGroupRuleSet.items[].tagSet"},
    "ec2.CreateNatGateway": {
        f".CreateNatGatewayResponse.natGateway.natGatewayAddressSet.item.{name}"
        for name in ("associationId", "networkInterfaceId", "privateIp", "publicIp")
    },
    "ec2.CreateNetworkInterface": {".networkInterface.association", ".networkInterface.description"},
    "ec2.CreateSecurityGroup": {".securityGroupArn"},
    "ec2.CreateSnapshot": {".progress", ".storageTier"},
    "ec2.CreateVolume": {".attachmentSet"},
    "ec2.RunInstances": {
        f".instancesSet.items[]{path}"
        for path in (
            ".blockDeviceMapping.items[].deviceName",
            ".blockDeviceMapping.items[].ebs.attachTime",
            ".blockDeviceMapping.items[].ebs.deleteOnTermination",
            ".blockDeviceMapping.items[].ebs.status",
            ".blockDeviceMapping.items[].ebs.volumeId",
            ".networkInterfaceSet.items[].association",
            ".networkInterfaceSet.items[].description",
            ".networkInterfaceSet.items[].groupSet.items[].groupName",
            ".placement.groupName",
            ".platform",
            ".reason",
            ".sriovNetSupport",
        )
    },
    "iam.CreateRole": {".role.maxSessionDuration", ".role.roleLastUsed"},
    "lambda.CreateFunction20150331": {".layers[]"},
    "lambda.UpdateFunctionCode20150331v2": {".lastUpdateStatus", ".layers[].arn", ".layers[].codeSize"},
    "rds.CreateDBInstance": {
        ".availabilityZone",
        ".dBSubnetGroup.dBSubnetGroupArn",
        ".enabledCloudwatchLogsExports[]",
        ".endpoint.address",
        ".endpoint.port",
        ".instanceCreateTime",
        ".latestRestorableTime",
    },
    "rds.CreateDBSnapshot": {".originalSnapshotCreateTime", ".snapshotCreateTime"},
    "sts.AssumeRole": {".packedPolicySize"},
}
"""Event → paths under responseElements that moto answers and AWS did not: a newer API, or an instance that is ready at
once."""

EMPTY_OTHERWISE = {
    "ec2.RunInstances": {".instancesSet.items[].blockDeviceMapping", ".instancesSet.items[].groupSet"},
    "rds.DeleteDBSnapshot": {".tagList[]"},
}
"""Event → lists under responseElements that are empty on one side only."""


@pytest.fixture(scope="module")
def real() -> Mapping[str, list[Record]]:
    """Service and event name → successful real records; the hand-edited dataset is left out."""
    files = [DATA / f"{name}.jsonl" for name in ("invictus", "stratus")]
    if not all(file.is_file() for file in files):
        pytest.skip(f"no real CloudTrail records in {DATA}: set DRIFTWARDEN_CLOUDTRAIL_DATA")
    found = defaultdict(list)
    for file in files:
        for line in file.read_text().splitlines():
            record = json.loads(line)
            if not record.get("errorCode") and "eventSource" in record:
                found[f"{record['eventSource'].partition('.')[0]}.{record['eventName']}"].append(record)
    return found


@pytest.fixture(scope="module")
def made(moto: str) -> Mapping[str, list[tuple[Record, str]]]:
    """Service and event name → our records of the estate's calls, each with moto's answer."""
    answers: dict[str, str] = {}

    def keep(response_dict: Mapping[str, Any], **_: object) -> None:
        headers = {name.lower(): value for name, value in response_dict["headers"].items()}
        answers[headers["x-amzn-requestid"]] = response_dict["body"].decode("utf-8", "replace")

    with Recorder(moto, ACCOUNT, seed=1) as recorder:
        recorder.know(ALICE, iam_user("alice", ACCOUNT))
        make = clients(recorder.endpoint)

        def client(service: str, **options: str) -> Any:
            found = make(service, **options)
            found.meta.events.register("before-parse", keep)
            return found

        for scenario in ALL:
            scenario(client, f"t{uuid4().hex[:10]}")
        found = defaultdict(list)
        for record in recorder.records:
            name = f"{record['eventSource'].partition('.')[0]}.{record['eventName']}"
            found[name].append((record, answers[record["requestID"]]))
        return found


Pair = tuple[Record, Record, str]


@pytest.fixture
def pair(event: str, real: Mapping[str, list[Record]], made: Mapping[str, list[tuple[Record, str]]]) -> Pair:
    """The real record and ours that asked for the most alike, and moto's answer to ours."""
    assert real[event], f"no real record of {event}"
    assert made[event], f"no call of ours made {event}"
    return min(
        ((theirs, ours, answer) for theirs in real[event] for ours, answer in made[event]),
        key=lambda pair: len(_shape(pair[0]["requestParameters"]).keys() ^ _shape(pair[1]["requestParameters"]).keys()),
    )


def test_enough_events_are_compared() -> None:
    assert len(EVENTS) == len(set(EVENTS)) == 99


@pytest.mark.parametrize("event", EVENTS)
def test_request_is_printed_as_aws_prints_it(event: str, pair: Pair) -> None:
    theirs, ours = (_shape(record["requestParameters"]) for record in pair[:2])
    known = tuple(ASKED_OTHERWISE.get(event, ()))
    differing = {path for path in theirs.items() ^ ours.items() if not path[0].startswith(known or "-")}
    assert differing == set()


@pytest.mark.parametrize("event", EVENTS)
def test_answer_is_printed_where_aws_prints_it(event: str, pair: Pair) -> None:
    theirs, ours = (_shape(record["responseElements"]) for record in pair[:2])
    empty = EMPTY_OTHERWISE.get(event, set())
    inside = tuple(path + "." for path in empty) + tuple(path[:-2] + "[]." for path in empty if path.endswith("[]"))
    extra = {path for path in ours.keys() - theirs.keys() - empty if not path.startswith(inside or "-")}
    assert extra - ANSWERED_MORE.get(event, set()) == set()
    both = theirs.keys() & ours.keys()
    assert {path: theirs[path] for path in both} == {path: ours[path] for path in both}


@pytest.mark.parametrize("event", EVENTS)
def test_what_aws_printed_and_we_do_not_is_not_in_motos_answer(event: str, pair: Pair) -> None:
    theirs, ours = (_shape(record["responseElements"]) for record in pair[:2])
    missing = theirs.keys() - ours.keys() - EMPTY_OTHERWISE.get(event, set())
    answered = [path for path in missing if _answers(pair[2], path, ours)]
    assert answered == []


@pytest.mark.parametrize("event", EVENTS)
def test_envelope_has_the_same_fields(event: str, pair: Pair) -> None:
    theirs, ours, _ = pair
    by_circumstance = {"vpcEndpointId", "sessionCredentialFromConsole", "tlsDetails"}
    # STS prints additionalEventData since eventVersion 1.11; the datasets end at 1.10.
    newer = {"additionalEventData"} if event.startswith("sts.") else set()
    assert theirs.keys() - by_circumstance == ours.keys() - by_circumstance - newer
    assert theirs["readOnly"] is ours["readOnly"]
    assert _shape(theirs.get("resources")) == _shape(ours.get("resources"))
    assert [entry.get("type") for entry in theirs.get("resources", ())] == [
        entry.get("type") for entry in ours.get("resources", ())
    ]
    if "tlsDetails" in theirs:
        assert theirs["tlsDetails"].keys() == ours["tlsDetails"].keys()
    if not newer:
        # moto sends no x-amz-id-2.
        theirs_extra = _shape(theirs.get("additionalEventData")).keys() - {".x-amz-id-2"}
        assert theirs_extra == _shape(ours.get("additionalEventData")).keys()


@pytest.mark.parametrize("event", ["ec2.CreateVpc", "s3.CreateBucket"])
def test_long_lived_user_is_printed_as_aws_prints_it(event: str, pair: Pair) -> None:
    theirs, ours = (_shape(record["userIdentity"]) for record in pair[:2])
    assert theirs == ours


def _shape(value: Any, path: str = "") -> Shape:
    """Path of every leaf and empty container → its JSON type."""
    return dict(_leaves(value, path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        yield from ((pair for inner in value for pair in _leaves(inner, f"{path}[]")) if value else [(f"{path}[]", "")])
    else:
        yield path, "" if isinstance(value, dict) else type(value).__name__


def _answers(answer: str, path: str, ours: Shape) -> bool:
    """Whether moto's answer has the field a path ends in, though our record has it nowhere."""
    leaf = path.rpartition(".")[2].removesuffix("[]")
    answered = re.search(rf'(?i)[<"]{re.escape(leaf)}[>/"]', answer)
    printed = any(leaf in re.split(r"[.\[\]]+", other) for other in ours)
    return bool(answered) and not printed
