"""The reader's permissions follow from the specs, in IAM's names."""

from agent.live.policy import actions
from agent.resources import Attribute, Call, Spec, load


def test_actions_are_named_as_iam_names_them() -> None:
    specs = {name: spec for name, spec in load().items() if spec.service in ("s3", "sqs", "iam")}
    assert actions(specs) == (
        "iam:GetAccountAuthorizationDetails",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:ListRoles",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:ListAllMyBuckets",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ListQueueTags",
        "sqs:ListQueues",
        "tag:GetResources",
    )


def test_every_action_only_reads() -> None:
    verbs = ("Get", "List", "Describe")
    assert [action for action in actions(load()) if not action.split(":")[1].startswith(verbs)] == []


def test_a_type_that_is_another_one_needs_nothing() -> None:
    attributes = (Attribute("x", "X"),)
    alias = Spec("sqs", Call("list_queues"), ("x",), attributes, same_as="aws_sqs_queue")
    borrowed = Spec("sqs", Call("list_tables", service="dynamodb"), ("x",), attributes)
    assert actions({"aws_alias": alias}) == ()
    assert actions({"aws_borrowed": borrowed}) == ("dynamodb:ListTables",)
