"""Data sources that follow from where a provider stands."""

from pathlib import Path

import pytest
from botocore.loaders import Loader

from agent.declared import data
from agent.declared.data import aws_partition, aws_region
from agent.declared.language.error import EvaluationError
from agent.declared.language.types import STRING
from agent.declared.language.values import Map, Null, Object, Sensitive, Unknown, Value

NOWHERE = data.Here()


def read(type_: str, here: data.Here = NOWHERE, **arguments: Value) -> dict[str, object]:
    """Attributes, the unknown ones as the text of their reason."""
    found = data.read(type_, Object(arguments), here)
    assert found is not None
    return {name: f"? {value.why[0]}" if isinstance(value, Unknown) else value for name, value in found.items()}


def test_a_type_has_a_file_and_no_other_has() -> None:
    folder = Path(data.__file__).parent
    assert data.types() == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert "aws_iam_policy_document" in data.types()
    assert data.read("aws_ami", Object({}), data.Here()) is None


def test_the_region_is_the_providers() -> None:
    assert read("aws_region", data.Here(region="eu-west-1")) == {
        "id": "eu-west-1",
        "name": "eu-west-1",
        "region": "eu-west-1",
        "description": "Europe (Ireland)",
        "endpoint": "ec2.eu-west-1.amazonaws.com",
    }


def test_the_region_may_be_named() -> None:
    here = data.Here(region="eu-west-1")
    for argument in ("name", "region"):
        found = read("aws_region", here, **{argument: "cn-north-1"})
        assert found["name"] == "cn-north-1"
        assert found["endpoint"] == "ec2.cn-north-1.amazonaws.com.cn"
    assert read("aws_region", here, endpoint="ec2.us-gov-west-1.amazonaws.com")["name"] == "us-gov-west-1"
    assert read("aws_region", here, name=Null(STRING))["name"] == "eu-west-1"
    assert read("aws_region", here, name=Sensitive("us-east-1"))["name"] == Sensitive("us-east-1")
    assert read("aws_region", here, name=Unknown("var.region", STRING))["description"] == "? var.region"
    for wrong in ({"endpoint": "nowhere"}, {"endpoint": "ec2.us-east-1.amazonaws.com", "name": "us-east-2"}):
        with pytest.raises(EvaluationError, match="no region has this endpoint"):
            read("aws_region", here, **wrong)


def test_a_region_nobody_described_has_no_description() -> None:
    found = read("aws_region", data.Here(region="eu-moon-1"))
    assert found["name"] == "eu-moon-1"
    assert str(found["description"]).startswith("?")
    assert all(str(each).startswith("?") for each in read("aws_region").values())


def test_regions_are_called_what_botocore_calls_them() -> None:
    partitions = Loader().load_data("endpoints")["partitions"]
    theirs = {name: each["description"] for part in partitions for name, each in part["regions"].items()}
    # Provider 5.100 says "EU (Germany)".
    both = (aws_region.DESCRIPTIONS.keys() & theirs.keys()) - {"eusc-de-east-1"}
    assert len(both) > 35
    assert {name: aws_region.DESCRIPTIONS[name] for name in both} == {name: theirs[name] for name in both}
    for part in partitions:
        for name in part["regions"]:
            assert aws_partition.partition_of(name) == part["partition"]


def test_a_partition_follows_from_the_region() -> None:
    assert read("aws_partition", data.Here(region="us-iso-east-1")) == {
        "id": "aws-iso",
        "partition": "aws-iso",
        "dns_suffix": "c2s.ic.gov",
        "reverse_dns_prefix": "gov.ic.c2s",
    }
    assert read("aws_partition", data.Here(region="eu-west-1"))["partition"] == "aws"
    assert read("aws_partition", data.Here(partition="aws-cn"))["reverse_dns_prefix"] == "cn.com.amazonaws"
    assert all(str(each).startswith("?") for each in read("aws_partition").values())
    assert str(read("aws_partition", data.Here(partition="aws-x"))["dns_suffix"]).startswith("?")


def test_the_caller_is_known_by_the_account_alone() -> None:
    found = read("aws_caller_identity", data.Here(account="123456789012"))
    assert (found["account_id"], found["id"]) == ("123456789012", "123456789012")
    assert str(found["arn"]).startswith("? data.aws_caller_identity")
    assert str(found["user_id"]).startswith("?")
    assert str(read("aws_caller_identity")["account_id"]).startswith("?")


def test_default_tags_are_the_providers() -> None:
    tags = Map({"team": "a"}, STRING)
    found = read("aws_default_tags", data.Here(region="eu-west-1", default_tags=tags))
    assert found == {"id": "aws", "tags": tags}
    assert read("aws_default_tags")["tags"] == "? the provider's default tags"
