"""The human, pipeline or service behind a credential: every identity type, every join, and what must stay unknown."""

import msgspec
import pytest
from trail_records import ACCOUNT, assume, change_of, in_role, record, user

from agent.model import Actor
from agent.trail import identity
from agent.trail.decode import Record

SSO = "/aws-reserved/sso.amazonaws.com/eu-west-1/"
ADMINS = "AWSReservedSSO_Admins_0123456789abcdef"


def actor_of(caller: object, *others: dict, **fields: object) -> Actor:
    made = record(at="12:00:00", userIdentity=caller, **fields)
    return change_of(made, *others).actor


def said(actor: Actor) -> tuple[str, str, float]:
    return actor.name, actor.kind, actor.confidence


def federated(issuer: str = "") -> dict:
    found = {"type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/erik", "accountId": "1"}
    return found | ({"sessionContext": {"sessionIssuer": {"arn": issuer}}} if issuer else {})


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (user(), ("dana", "person", 0.7)),
        (user(key="ASIADANA"), ("dana", "person", 0.7)),
        ({"type": "IAMUser", "arn": "arn:aws:iam::1:user/team/erik"}, ("erik", "person", 0.7)),
        (
            {"type": "Root", "accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root"},
            (f"root of {ACCOUNT}", "root", 0.95),
        ),
        (in_role(ADMINS, "dana@example.com", "ASIA1", path=SSO), ("dana@example.com", "person", 0.95)),
        (
            {"type": "Unknown", "userName": "dana", "onBehalfOf": {"userId": "1", "identityStoreArn": "a"}},
            ("dana", "person", 0.95),
        ),
        ({"type": "Unknown", "onBehalfOf": {"userId": "u-1"}}, ("u-1", "person", 0.95)),
        ({"type": "IdentityCenterUser", "userName": "dana", "onBehalfOf": {"userId": "1"}}, ("dana", "person", 0.95)),
        (federated(), ("erik", "unknown", 0.3)),
        (federated("arn:aws:iam::1:user/broker"), ("broker", "person", 0.6)),
        (federated("arn:aws:iam::1:root"), ("root of 1", "root", 0.95)),
        ({"type": "IAMUser"}, ("unknown", "unknown", 0.1)),
        ({"type": "SAMLUser"}, ("unknown", "unknown", 0.1)),
        (
            {"type": "AWSAccount", "accountId": "444455556666", "principalId": "AIDAX"},
            ("account 444455556666", "unknown", 0.3),
        ),
        ({"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}, ("ecs.amazonaws.com", "service", 1.0)),
        ({"type": "Directory", "principalId": "d-1"}, ("d-1", "unknown", 0.1)),
        ({"type": "Unknown", "userName": "somebody"}, ("somebody", "unknown", 0.1)),
        ("a plain string", ("a plain string", "unknown", 0.1)),
        ({}, ("unknown", "unknown", 0.1)),
        (None, ("unknown", "unknown", 0.1)),
    ],
)
def test_principals(caller: object, expected: tuple[str, str, float]) -> None:
    assert said(actor_of(caller)) == expected


def test_a_service_linked_role_is_its_service() -> None:
    path = "/aws-service-role/autoscaling.amazonaws.com/"
    actor = actor_of(in_role("AWSServiceRoleForAutoScaling", "AutoScaling", path=path))
    assert said(actor) == ("autoscaling.amazonaws.com", "service", 1.0)
    assert actor.role == f"arn:aws:iam::{ACCOUNT}:role{path}AWSServiceRoleForAutoScaling"


@pytest.mark.parametrize(
    "caller",
    [
        in_role(ADMINS, "dana@example.com", "ASIA1"),
        in_role("AWSReservedSSO_Admins_0123456789abcdef-x", "dana@example.com", "ASIA1", path=SSO),
        in_role("Admin", "AWSReservedSSO_Admins_0123456789abcdef", "ASIA1"),
        {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{ADMINS}/dana@example.com"},
        {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForX/s"},
        in_role("Deploy", "dana", "ASIA1"),
        in_role("Deploy", "GitHubActions", "ASIA1"),
    ],
    ids=[
        "no SSO path",
        "no SSO name",
        "SSO in the session name",
        "path lost",
        "service role's path lost",
        "a name",
        "CI",
    ],
)
def test_a_name_anybody_could_choose_identifies_nobody(caller: dict) -> None:
    actor = actor_of(caller)
    assert actor.kind == "unknown"
    assert actor.confidence < 0.5
    assert actor.role.endswith(caller["arn"].split("/")[1])


def test_a_session_nobody_named_says_less_than_a_named_one() -> None:
    assert actor_of(in_role("Deploy", "botocore-session-1700000000", "ASIA1")).confidence == 0.1
    assert actor_of(in_role("Deploy", "aws-go-sdk-1688990082523310002", "ASIA1")).confidence == 0.1
    assert actor_of(in_role("Deploy", "erik", "ASIA1")).confidence == 0.3


def test_a_chain_is_followed_by_issued_key_to_the_user() -> None:
    first = assume(user(), "Hub", "d", "ASIAHUB", at="10:00:00")
    second = assume(in_role("Hub", "d", "ASIAHUB"), "Deploy", "x", "ASIADEPLOY", at="11:00:00")
    actor = actor_of(in_role("Deploy", "x", "ASIADEPLOY"), second, first)
    assert said(actor) == ("dana", "person", 0.7)
    assert actor.how == "IAM user; AssumeRole chain: dana → Hub → Deploy"
    assert actor.arn == f"arn:aws:iam::{ACCOUNT}:user/dana"
    assert actor.role == f"arn:aws:iam::{ACCOUNT}:role/Deploy"


def test_a_session_issued_before_the_interval_still_counts() -> None:
    early = assume(user(), "Deploy", "x", "ASIADEPLOY", at="01:00:00")
    assert actor_of(in_role("Deploy", "x", "ASIADEPLOY"), early).name == "dana"


def test_an_sso_user_in_another_role_stays_that_user() -> None:
    hop = assume(in_role(ADMINS, "dana@example.com", "ASIASSO", path=SSO), "Deploy", "x", "ASIA2")
    assert said(actor_of(in_role("Deploy", "x", "ASIA2"), hop)) == ("dana@example.com", "person", 0.95)


def test_without_keys_a_session_is_joined_by_arn_and_less_sure() -> None:
    keyless = assume(user(), "Deploy", "x", "ASIA1") | {"responseElements": None}
    actor = actor_of(in_role("Deploy", "x", "ASIADEPLOY"), keyless)
    assert said(actor) == ("dana", "person", 0.56)


def test_two_callers_of_one_session_name_are_told_from_nobody() -> None:
    one = assume(user(), "Deploy", "x", "ASIA1", at="11:00:00") | {"responseElements": None}
    two = assume(user("erik", "AKIAERIK"), "Deploy", "x", "ASIA2", at="11:30:00") | {"responseElements": None}
    actor = actor_of(in_role("Deploy", "x", "ASIA3"), one, two)
    assert (actor.kind, actor.confidence) == ("unknown", 0.3)
    assert actor.how == "sessions named x were issued to dana, erik: cannot tell whose"


def test_a_session_with_another_key_is_another_session() -> None:
    """Whoever may assume the role from elsewhere can copy the pipeline's session name, not its key."""
    theirs = assume(GITHUB, "Deploy", "ci", "ASIACI", call="AssumeRoleWithWebIdentity")
    actor = actor_of(in_role("Deploy", "ci", "ASIAMINE"), theirs)
    assert (actor.kind, actor.subject) == ("unknown", "")


def test_a_subject_joined_by_arn_alone_is_no_proof() -> None:
    keyless = assume(GITHUB, "Deploy", "ci", "x", call="AssumeRoleWithWebIdentity") | {"responseElements": None}
    actor = actor_of(in_role("Deploy", "ci", "ASIACI"), keyless)
    assert (actor.kind, actor.subject) == ("pipeline", "")


@pytest.mark.parametrize("at", ["12:05:00", "20:00:00"])
def test_a_session_cannot_be_used_before_it_is_issued(at: str) -> None:
    later = assume(user(), "Deploy", "x", "ASIA1", at=at) | {"responseElements": None}
    assert actor_of(in_role("Deploy", "x", "ASIA2"), later).kind == "unknown"


def test_a_loop_of_sessions_ends() -> None:
    one = assume(in_role("B", "b", "ASIAB"), "A", "a", "ASIAA")
    two = assume(in_role("A", "a", "ASIAA"), "B", "b", "ASIAB")
    assert actor_of(in_role("A", "a", "ASIAA"), one, two).kind == "unknown"


def test_a_failed_assume_role_issued_nothing() -> None:
    denied = assume(user(), "Deploy", "x", "ASIA1") | {"errorCode": "AccessDenied", "responseElements": None}
    assert actor_of(in_role("Deploy", "x", "ASIA1"), denied).kind == "unknown"


def test_of_two_accounts_copies_the_one_with_the_caller_counts() -> None:
    stranger = {"type": "AWSAccount", "accountId": "444455556666", "principalId": "AIDADANA"}
    ours = assume(stranger, "Deploy", "x", "ASIA1", at="11:30:01")
    theirs = assume(user(), "Deploy", "x", "ASIA1", sharedEventID="7") | {"recipientAccountId": "444455556666"}
    for order in ((ours, theirs), (theirs, ours)):
        assert actor_of(in_role("Deploy", "x", "ASIA1"), *order).name == "dana"


# --- OIDC, SAML, workloads -----------------------------------------------------------------------------------

GITHUB = {
    "type": "WebIdentityUser",
    "principalId": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com:sts.amazonaws.com:repo:acme/infra",
    "userName": "repo:acme/infra:ref:refs/heads/main",
    "identityProvider": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com",
}


def web(subject: str, provider: str) -> dict:
    return {"type": "WebIdentityUser", "userName": subject, "identityProvider": provider}


@pytest.mark.parametrize(
    ("caller", "name", "kind"),
    [
        (GITHUB, "acme/infra", "pipeline"),
        (
            web("repo:acme@1/infra@2:environment:prod", "token.actions.githubusercontent.com"),
            "acme@1/infra@2",
            "pipeline",
        ),
        (web("project_path:acme/infra:ref_type:branch:ref:main", "https://gitlab.com"), "acme/infra", "pipeline"),
        (web("organization:acme:project:p:workspace:w:run_phase:apply", "app.terraform.io"), "acme", "pipeline"),
        (web("plain-subject", "oidc.example.com"), "plain-subject", "pipeline"),
        (
            web("system:serviceaccount:shop:orders", "oidc.eks.eu-west-1.amazonaws.com/id/X"),
            "system:serviceaccount:shop:orders",
            "workload",
        ),
        (web("eu-west-1:0f-1", "cognito-identity.amazonaws.com"), "eu-west-1:0f-1", "unknown"),
    ],
)
def test_web_identities(caller: dict, name: str, kind: str) -> None:
    issued = assume(caller, "Deploy", "GitHubActions", "ASIACI", call="AssumeRoleWithWebIdentity")
    actor = actor_of(in_role("Deploy", "GitHubActions", "ASIACI"), issued)
    assert (actor.name, actor.kind, actor.subject) == (name, kind, caller["userName"])
    assert actor.role == f"arn:aws:iam::{ACCOUNT}:role/Deploy"


def test_a_saml_subject_is_a_person() -> None:
    caller = {"type": "SAMLUser", "principalId": "ns=:dana", "userName": "dana", "identityProvider": "ns="}
    issued = assume(caller, "Ops", "dana@example.com", "ASIASAML", call="AssumeRoleWithSAML")
    assert said(actor_of(in_role("Ops", "dana@example.com", "ASIASAML"), issued)) == ("dana", "person", 0.95)


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("ec2.amazonaws.com", "workload"),
        ("lambda.amazonaws.com", "workload"),
        ("ecs-tasks.amazonaws.com", "workload"),
        ("cloudformation.amazonaws.com", "unknown"),
        ("ssm.amazonaws.com", "unknown"),
    ],
)
def test_a_service_in_our_role_is_no_service_change(service: str, kind: str) -> None:
    issued = assume({"type": "AWSService", "invokedBy": service}, "App", "i-0123456789abcdef0", "ASIAAPP")
    assert actor_of(in_role("App", "i-0123456789abcdef0", "ASIAAPP"), issued).kind == kind


@pytest.mark.parametrize(
    ("caller", "agent", "confidence"),
    [
        (in_role("App", "i-0123456789abcdef0", "ASIA1", ec2RoleDelivery="2.0"), "", 0.95),
        (in_role("App", "i-0123456789abcdef0", "ASIA1"), "", 0.4),
        (
            in_role("App", "fn", "ASIA1") | {"inScopeOf": {"sourceArn": "arn:aws:lambda:eu-west-1:1:function:fn"}},
            "",
            0.95,
        ),
        (in_role("App", "fn", "ASIA1"), "Boto3/1.34 exec-env/AWS_Lambda_python3.12", 0.4),
        (in_role("App", "task", "ASIA1"), "aws-sdk-go-v2/1.30 exec-env/AWS_ECS_FARGATE", 0.4),
    ],
)
def test_workloads_are_sure_where_aws_says_so_and_hints_elsewhere(caller: dict, agent: str, confidence: float) -> None:
    actor = actor_of(caller, userAgent=agent)
    assert (actor.kind, actor.confidence) == ("workload", confidence)


# --- sourceIdentity ------------------------------------------------------------------------------------------


def test_source_identity_names_the_human_of_an_unjoined_session() -> None:
    actor = actor_of(in_role("Shared", "x", "ASIA1", sourceIdentity="dana@example.com"))
    assert said(actor) == ("dana@example.com", "person", 0.95)
    assert actor.source_identity == "dana@example.com"
    assert actor.how.startswith("sourceIdentity; ")


def test_source_identity_agrees_with_the_chain() -> None:
    issued = assume(user(), "Shared", "x", "ASIA1", sourceIdentity="Dana@example.com")
    actor = actor_of(in_role("Shared", "x", "ASIA1", sourceIdentity="Dana@example.com"), issued)
    assert said(actor) == ("Dana@example.com", "person", 0.95)


def test_source_identity_behind_a_broker_is_the_human_but_less_sure() -> None:
    issued = assume(user("broker"), "Shared", "x", "ASIA1", sourceIdentity="dana")
    actor = actor_of(in_role("Shared", "x", "ASIA1"), issued)
    assert said(actor) == ("dana", "person", 0.75)
    assert "broker" in actor.how


def test_source_identity_makes_no_pipeline_a_person() -> None:
    issued = assume(GITHUB, "Deploy", "ci", "ASIACI", call="AssumeRoleWithWebIdentity", sourceIdentity="dana")
    actor = actor_of(in_role("Deploy", "ci", "ASIACI", sourceIdentity="dana"), issued)
    assert (actor.kind, actor.name, actor.source_identity) == ("pipeline", "acme/infra", "dana")


# --- on behalf -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "channel"),
    [("cloudformation.amazonaws.com", "iac"), ("ssm.amazonaws.com", "service"), ("AWS Internal", "service")],
)
def test_what_a_person_has_a_service_do_is_the_persons_change(by: str, channel: str) -> None:
    change = change_of(record(userIdentity=user() | {"invokedBy": by}, userAgent=by, sourceIPAddress=by))
    assert (change.actor.name, change.actor.kind) == ("dana", "person")
    assert (change.channel, change.via) == (channel, by)


def test_a_service_acting_for_itself_is_via_nobody() -> None:
    change = change_of(record(userIdentity={"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}))
    assert (change.actor.kind, change.via) == ("service", "")


# --- spellings -----------------------------------------------------------------------------------------------


def test_lower_cased_keys_are_read() -> None:
    lowered = {
        "type": "AssumedRole",
        "principalid": "AROA:alan",
        "arn": "arn:aws:sts::112233445566:assumed-role/TestAdmin/alan",
        "accesskeyid": "ASIA1",
        "sessioncontext": {"sessionissuer": {"arn": "arn:aws:iam::112233445566:role/path/TestAdmin"}},
    }
    found = identity.of(msgspec.convert({"userIdentity": msgspec.Raw(msgspec.json.encode(lowered))}, Record))
    assert (found.key, found.session, found.role_arn) == (
        "ASIA1",
        "alan",
        "arn:aws:iam::112233445566:role/path/TestAdmin",
    )
    assert (found.role, found.account) == ("TestAdmin", "112233445566")


def test_a_federated_users_own_name_is_only_told() -> None:
    actor = actor_of(federated("arn:aws:iam::1:user/broker"))
    assert (actor.arn, actor.how) == ("arn:aws:iam::1:user/broker", "IAM user, federated as erik")


# --- what AWS vouches for ------------------------------------------------------------------------------------


def by_service(service: str, role: str, session: str, key: str, **asked: object) -> dict:
    return assume({"type": "AWSService", "invokedBy": service}, role, session, key, **asked)


@pytest.mark.parametrize(
    "service",
    [
        *("ec2.amazonaws.com", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com", "codebuild.amazonaws.com"),
        *("codedeploy.amazonaws.com", "codepipeline.amazonaws.com", "cloudformation.amazonaws.com"),
    ],
)
def test_the_service_that_sts_issued_a_role_to(service: str) -> None:
    actor = actor_of(in_role("App", "s", "ASIAAPP"), by_service(service, "App", "s", "ASIAAPP"))
    assert (actor.service, actor.role) == (service, f"arn:aws:iam::{ACCOUNT}:role/App")


def test_a_service_joined_by_name_alone_is_no_proof() -> None:
    keyless = by_service("codedeploy.amazonaws.com", "Deploy", "d-1", "x") | {"responseElements": None}
    actor = actor_of(in_role("Deploy", "d-1", "ASIADEPLOY"), keyless)
    assert (actor.kind, actor.service, actor.confidence) == ("workload", "", 0.76)


def test_nobody_takes_a_services_session_by_its_name() -> None:
    theirs = by_service("codedeploy.amazonaws.com", "Deploy", "d-1", "ASIADEPLOY")
    mine = assume(user("marco", "AKIAMARCO"), "Deploy", "d-1", "ASIAHAND")
    by_hand = actor_of(in_role("Deploy", "d-1", "ASIAHAND"), theirs, mine)
    assert (by_hand.name, by_hand.kind, by_hand.service) == ("marco", "person", "")
    stranger = actor_of(in_role("Deploy", "d-1", "ASIANOBODY"), theirs, mine)
    assert (stranger.kind, stranger.service) == ("unknown", "")


def test_a_role_that_a_services_session_goes_on_to_assume_was_not_issued_to_the_service() -> None:
    build = by_service("codebuild.amazonaws.com", "Build", "AWSCodeBuild-1", "ASIABUILD", at="11:00:00")
    hop = assume(in_role("Build", "AWSCodeBuild-1", "ASIABUILD"), "Deploy", "x", "ASIADEPLOY")
    actor = actor_of(in_role("Deploy", "x", "ASIADEPLOY"), build, hop)
    assert (actor.name, actor.kind, actor.service) == ("AWSCodeBuild-1", "workload", "")
    assert actor.how == ("codebuild.amazonaws.com assumed the role; AssumeRole chain: AWSCodeBuild-1 → Build → Deploy")


def test_a_pod_is_its_service_account() -> None:
    tags = [
        {"key": "kubernetes-namespace", "value": "flux-system"},
        {"key": "kubernetes-service-account", "value": "tf-controller"},
    ]
    issued = by_service("pods.eks.amazonaws.com", "Apply", "eks-prod-tf-0f1e", "ASIAPOD", tags=tags)
    actor = actor_of(in_role("Apply", "eks-prod-tf-0f1e", "ASIAPOD"), issued)
    assert said(actor) == ("system:serviceaccount:flux-system:tf-controller", "workload", 0.95)
    assert (actor.subject, actor.service) == (actor.name, "pods.eks.amazonaws.com")


def test_tags_make_nobody_elses_session_a_pods() -> None:
    tags = [{"key": "kubernetes-namespace", "value": "a"}, {"key": "kubernetes-service-account", "value": "b"}]
    issued = assume(user(), "Apply", "s", "ASIAHAND", tags=tags)
    actor = actor_of(in_role("Apply", "s", "ASIAHAND"), issued)
    assert (actor.name, actor.subject) == ("dana", "")
    without = by_service("pods.eks.amazonaws.com", "Apply", "eks-1", "ASIAPOD")
    assert actor_of(in_role("Apply", "eks-1", "ASIAPOD"), without).subject == ""


# --- chains and other credentials ----------------------------------------------------------------------------


def test_a_chain_is_followed_across_accounts_whichever_copy_comes_first() -> None:
    tools = "444455556666"
    dana = user() | {"arn": f"arn:aws:iam::{tools}:user/dana", "accountId": tools}
    hub = assume(dana, "Hub", "d", "ASIAHUB", at="10:00:00", roleArn=f"arn:aws:iam::{tools}:role/Hub")
    hub |= {"recipientAccountId": tools}
    hub["responseElements"]["assumedRoleUser"]["arn"] = f"arn:aws:sts::{tools}:assumed-role/Hub/d"
    stranger = {"type": "AWSAccount", "accountId": tools, "principalId": "AROAHUB:d"}
    ours = assume(stranger, "Deploy", "x", "ASIADEPLOY", at="11:00:00", sharedEventID="7")
    theirs = assume(in_role("Hub", "d", "ASIAHUB", account=tools), "Deploy", "x", "ASIADEPLOY", at="11:00:00")
    theirs |= {"recipientAccountId": tools, "sharedEventID": "7"}
    caller = in_role("Deploy", "x", "ASIADEPLOY")
    for order in ((hub, ours, theirs), (theirs, ours, hub)):
        actor = actor_of(caller, *order)
        assert said(actor) == ("dana", "person", 0.7)
        assert actor.how == "IAM user; AssumeRole chain: dana → Hub → Deploy"
        assert actor.arn == f"arn:aws:iam::{tools}:user/dana"
    # Without the other account's trail nobody is known.
    assert said(actor_of(caller, ours)) == (f"account {tools}", "unknown", 0.3)


def test_a_session_token_is_still_its_users() -> None:
    mfa = {"sessionContext": {"attributes": {"mfaAuthenticated": "true"}}}
    assert said(actor_of(user(key="ASIADANA") | mfa)) == ("dana", "person", 0.7)
    hop = assume(user(key="ASIADANA") | mfa, "Deploy", "x", "ASIA2")
    assert said(actor_of(in_role("Deploy", "x", "ASIA2"), hop)) == ("dana", "person", 0.7)


def test_a_federated_users_name_is_not_theirs_in_a_chain_either() -> None:
    hop = assume(federated("arn:aws:iam::1:user/broker"), "Deploy", "x", "ASIA2")
    assert said(actor_of(in_role("Deploy", "x", "ASIA2"), hop)) == ("broker", "person", 0.6)


def test_an_identity_center_user_without_a_name_is_their_id() -> None:
    caller = {"type": "IdentityCenterUser", "accountId": "1", "onBehalfOf": {"userId": "544894e8-80c1-707f"}}
    assert said(actor_of(caller)) == ("544894e8-80c1-707f", "person", 0.95)


def test_a_long_lived_key_is_its_owners() -> None:
    actor = actor_of({"type": "IAMUser", "arn": "arn:aws:iam::1:user/ci/robot", "accessKeyId": "AKIAROBOT"})
    assert (actor.name, actor.arn, actor.how) == ("robot", "arn:aws:iam::1:user/ci/robot", "IAM user")


def test_a_forged_session_of_a_key_names_nobody() -> None:
    """A key is good for one role, and from when it was issued."""
    real = assume(user("marco"), "Deploy", "x", "ASIADEPLOY", at="11:00:00")
    made = record(at="12:00:00", userIdentity=in_role("Deploy", "x", "ASIADEPLOY"))
    elsewhere = assume(user("dana"), "Other", "x", "ASIADEPLOY", at="11:30:00")
    afterwards = assume(user("erik"), "Deploy", "x", "ASIADEPLOY", at="13:00:00")
    for order in ((real, elsewhere, afterwards), (afterwards, elsewhere, real)):
        assert change_of(made, *order).actor.name == "marco"
    assert change_of(made, elsewhere, afterwards).actor.kind == "unknown"
