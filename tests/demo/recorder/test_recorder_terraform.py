"""Terraform's own calls: the provider speaks to AWS with another SDK than boto3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from recorder_calls import ACCOUNT

from agent.demo.recorder import Recorder, iam_user


@pytest.mark.sweep  # tests/test_end_to_end.py has all that terraform applies recorded too
@pytest.mark.terraform
def test_an_apply_is_recorded(recorder: Recorder, terraform: Callable[..., Path], unique: str) -> None:
    recorder.know("testing", iam_user("ci", ACCOUNT))
    terraform(Path(__file__).parent / "root", "-var", f"endpoint={recorder.endpoint}", "-var", f"name={unique}")
    writes = [record for record in recorder.records if not record["readOnly"]]
    assert recorder.unread == ()
    assert sorted(record["eventName"] for record in writes) == [
        "AuthorizeSecurityGroupIngress",
        "CreateBucket",
        "CreateSecurityGroup",
        "CreateVpc",
        "PutBucketPublicAccessBlock",
        "RevokeSecurityGroupEgress",
        "RevokeSecurityGroupEgress",
    ]
    assert {record["userIdentity"]["userName"] for record in writes} == {"ci"}
    assert all("HashiCorp/1.0 Terraform/" in record["userAgent"] for record in writes)
    (rule,) = [record for record in writes if record["eventName"] == "AuthorizeSecurityGroupIngress"]
    assert rule["requestParameters"]["ipPermissions"]["items"][0]["ipRanges"] == {"items": [{"cidrIp": "10.0.0.0/8"}]}
