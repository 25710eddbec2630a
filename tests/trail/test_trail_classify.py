"""What kind of record it is: the rules one by one, with the records that break the obvious ones."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trail_records import in_role, record, user

from agent.trail import classify
from agent.trail.decode import Record
from agent.trail.noise import NOISE


def of(name: str = "SetQueueAttributes", service: str = "sqs", **fields: object) -> Record:
    return msgspec.json.decode(msgspec.json.encode(record(name, service, **fields)), type=Record)


@pytest.mark.parametrize(
    ("sort", "fields"),
    [
        ("change", {}),
        ("change", {"readOnly": "false"}),
        ("read", {"readOnly": True}),
        ("read", {"readOnly": "True"}),
        ("change", {"readOnly": None}),
        ("read", {"readOnly": None, "name": "DescribeInstances"}),
        ("read", {"readOnly": None, "name": "GenerateDataKeyWithoutPlaintext"}),
        ("change", {"readOnly": False, "name": "EncryptVolume"}),
        ("read", {"readOnly": None, "name": "InvokeModel"}),
        ("change", {"readOnly": False, "name": "VerifyDomainIdentity"}),
        ("read", {"readOnly": False, "name": "GetSessionToken"}),
        ("read", {"readOnly": False, "name": "SearchUsers"}),
        ("change", {"readOnly": False, "name": "GetOrCreateThing"}),
        ("change", {"readOnly": False, "name": "Getaway"}),
        ("read", {"readOnly": False, "name": "CreateToken", "service": "sso"}),
        ("read", {"readOnly": False, "name": "CreateTokenWithIAM", "service": "sso-oauth"}),
        ("change", {"readOnly": False, "name": "CreateToken", "service": "license-manager"}),
        ("read", {"readOnly": False, "name": "AssumeRoleForPodIdentity", "service": "eks-auth"}),
        ("read", {"readOnly": False, "name": "CheckMfa"}),
        ("session", {"readOnly": True, "name": "AssumeRole"}),
        ("session", {"readOnly": None, "name": "AssumeRoleWithWebIdentity"}),
        ("session", {"readOnly": False, "name": "AssumeRoot", "service": "sts"}),
        ("session", {"readOnly": True, "name": "AssumeRole", "errorCode": "ExpiredTokenException"}),
        ("read", {"readOnly": "null", "name": "ListQueues"}),
        ("other", {"eventCategory": "Data"}),
        ("other", {"eventCategory": "Insight"}),
        ("other", {"eventCategory": "NetworkActivity", "managementEvent": True}),
        ("other", {"eventCategory": None, "managementEvent": False}),
        ("other", {"eventCategory": None, "managementEvent": "false"}),
        ("change", {"eventCategory": None, "managementEvent": None}),
        ("change", {"eventType": "AwsServiceEvent"}),
        ("change", {"eventType": "AwsConsoleAction", "name": "SetContactAddress"}),
        ("read", {"eventType": "AwsConsoleAction", "name": "GetContactAddress"}),
        ("change", {"eventType": "AwsConsoleSignIn", "name": "PasswordUpdated", "service": "signin"}),
        (
            "failed",
            {
                "eventType": "AwsConsoleSignIn",
                "name": "PasswordUpdated",
                "service": "signin",
                "responseElements": {"PasswordUpdated": "Failure"},
            },
        ),
        ("change", {"responseElements": {"state": "Failure"}}),
        ("other", {"eventType": "AwsVpceEvent"}),
        ("other", {"eventType": "AwsVpceEvent", "eventCategory": "NetworkActivity"}),
        ("other", {"eventType": "AwsCloudTrailInsight"}),
        ("failed", {"errorCode": "Client.DryRunOperation"}),
        ("failed", {"errorCode": "ThrottlingException"}),
        ("failed", {"responseElements": {"message": "not allowed"}}),
        ("failed", {"responseElements": {"Message": "no", "__type": "ResourceInUse"}}),
        ("denied", {"responseElements": {"Message": "no", "__type": "AccessDeniedException"}}),
        (
            "denied",
            {"responseElements": {"message": "User: arn:aws:iam::1:user/d is not authorized to perform: x:Y"}},
        ),
        ("change", {"responseElements": {"message": "stored", "messageId": "7"}}),
        ("change", {"responseElements": None}),
        ("change", {"responseElements": "null"}),
    ],
)
def test_what_kind_of_record_it_is(sort: str, fields: dict) -> None:
    assert classify.sort(of(**fields)) == sort


@pytest.mark.parametrize(
    ("sort", "source", "name"),
    [
        *(("other", "s3", name) for name in ("PutObject", "CopyObject", "DeleteObjects", "UploadPartCopy")),
        ("other", "s3", "CompleteMultipartUpload"),
        ("change", "s3", "PutBucketPolicy"),
        ("change", "s3", "PutObjectLockConfiguration"),
        ("change", "medialive", "PutObject"),
    ],
)
def test_before_there_was_a_category_the_name_tells_of_the_data_plane(sort: str, source: str, name: str) -> None:
    old = {"eventCategory": None, "managementEvent": None, "readOnly": None, "eventVersion": "1.05"}
    assert classify.sort(of(name, source, **old)) == sort


@pytest.mark.parametrize(
    "code",
    [
        *("AccessDenied", "AccessDeniedException", "KMSAccessDeniedException", "EC2AccessDeniedException"),
        *("Client.UnauthorizedOperation", "UnauthorizedOperation", "UnauthorizedAccess", "UnauthorizedException"),
        *("NotAuthorized", "NotAuthorizedException", "AuthorizationError", "AuthorizationErrorException"),
        *("Client.AuthFailure", "InsufficientPrivilegesException", "ForbiddenException", "Unauthorized"),
    ],
)
@pytest.mark.parametrize(
    "call", [("SetQueueAttributes", False), ("ListQueues", True), ("AssumeRole", True), ("GetSessionToken", False)]
)
def test_any_call_that_is_refused_for_lack_of_permission_is_denied(code: str, call: tuple[str, bool]) -> None:
    name, read_only = call
    refused = of(name, "sts", readOnly=read_only, errorCode=code, requestParameters=None)
    assert classify.sort(refused) == "denied"


@pytest.mark.parametrize(
    "code",
    [
        *("InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "SignatureDoesNotMatch"),
        *("Client.InvalidAuthenticationCode", "Client.InvalidPermission.NotFound", "AuthorizationNotFound"),
        *("UnauthorizedClientException", "OptInRequired", "Client.OperationNotPermitted", "DryRunOperation"),
        *("InsufficientS3BucketPolicyException", "NotOrganizationMasterAccountException", "ForbiddenLabel"),
    ],
)
def test_any_other_error_is_a_failure_of_a_write_and_nothing_of_a_read(code: str) -> None:
    assert classify.sort(of(errorCode=code)) == "failed"
    assert classify.sort(of("ListQueues", readOnly=True, errorCode=code)) == "read"


def test_a_user_of_an_app_who_mistypes_a_password_is_refused_nothing_of_ours() -> None:
    code = {"errorCode": "NotAuthorizedException"}
    assert classify.sort(of("RespondToAuthChallenge", "cognito-idp", **code)) == "failed"
    assert classify.sort(of("CreateUserPool", "cognito-idp", errorCode="AccessDeniedException")) == "denied"


def test_what_the_policy_of_an_endpoint_refuses_is_denied_and_else_the_data_plane_is_not() -> None:
    network = {"eventType": "AwsVpceEvent", "eventCategory": "NetworkActivity", "managementEvent": None}
    assert classify.sort(of("GetObject", "s3", **network, errorCode="VpceAccessDenied")) == "denied"
    assert classify.sort(of("GetObject", "s3", eventCategory="Data", errorCode="AccessDenied")) == "other"


# --- sign-ins ------------------------------------------------------------------------------------------------


def signing(name: str, outcome: str = "Success", **fields: object) -> Record:
    """A record of the console's sign-in pages."""
    shown = {"responseElements": {name: outcome}, "requestParameters": None, "eventType": "AwsConsoleSignIn"}
    return of(name, "signin", **shown | fields)


def at_the_portal(name: str, outcome: str = "Success", **fields: object) -> Record:
    """A record of IAM Identity Center's, as its user guide shows them."""
    user = {"type": "Unknown", "principalId": "1", "arn": "", "accountId": "1", "accessKeyId": "", "userName": "dana"}
    shown = {"userIdentity": user, "requestParameters": None, "eventType": "AwsServiceEvent"}
    return of(name, "signin", **shown | {"serviceEventDetails": {name: outcome}} | fields)


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("sign-in", signing("ConsoleLogin")),
        ("sign-in", signing("ConsoleLogin", "Failure", errorMessage="Failed authentication")),
        ("sign-in", signing("ConsoleLogin", eventCategory=None, managementEvent=None, readOnly=None)),
        ("sign-in", signing("SwitchRole")),
        ("sign-in", signing("AssumeRole")),
        ("sign-in", signing("ExternalIdPDirectoryLogin", "Failure")),
        ("sign-in", at_the_portal("UserAuthentication")),
        ("sign-in", at_the_portal("UserAuthentication", eventType="AWSServiceEvent")),
        ("sign-in", of("Federate", "sso", eventType="AwsServiceEvent", readOnly=False)),
        ("sign-in", of("Authenticate", "sso", eventType="AwsServiceEvent", readOnly=None)),
        ("sign-in", at_the_portal("CredentialVerification", "Failure")),
        ("read", at_the_portal("CredentialVerification")),
        ("read", at_the_portal("CredentialChallenge")),
        ("sign-in", signing("CheckMfa", "Failure")),
        ("read", signing("CheckMfa")),
        ("read", signing("ExitRole")),
        ("read", signing("RenewRole")),
        ("read", of("Logout", "sso", readOnly=False)),
        ("read", of("GetSigninToken", "signin", readOnly=False)),
        ("change", of("Authenticate", "somebody-else", readOnly=False)),
    ],
)
def test_a_sign_in_is_told_once(sort: str, found: Record) -> None:
    """Each step of one leaves a record: what counts is that somebody entered, or at which step they failed."""
    assert classify.sort(found) == sort


NO_SUCH_USER = {
    "userIdentity": {"type": "IAMUser", "accountId": "1", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
    "errorMessage": "No username found in supplied account",
}
ROOT = {"type": "Root", "arn": "arn:aws:iam::1:root", "accountId": "1", "principalId": "1"}
SAML = {"MFAUsed": "No", "SamlProviderArn": "arn:aws:iam::1:saml-provider/Okta"}


@pytest.mark.parametrize(
    ("error", "mfa", "found"),
    [
        ("", "Yes", signing("ConsoleLogin", additionalEventData={"MFAUsed": "Yes"})),
        ("", "No", signing("ConsoleLogin", additionalEventData={"MFAUsed": "No"})),
        ("", "No", signing("ConsoleLogin", userIdentity=ROOT, additionalEventData={"MFAUsed": "No"})),
        ("", "", signing("ConsoleLogin")),
        ("", "", signing("ConsoleLogin", additionalEventData={"MFAUsed": True})),
        # A session that an identity provider vouches for reads `No` whatever the provider asked for.
        ("", "", signing("ConsoleLogin", userIdentity=in_role("A", "dana"), additionalEventData={"MFAUsed": "No"})),
        ("", "", signing("ConsoleLogin", additionalEventData=SAML)),
        ("failed", "", signing("ConsoleLogin", "Failure")),
        (
            "Failed authentication",
            "Yes",
            signing(
                "ConsoleLogin",
                "Failure",
                errorMessage="Failed authentication",
                additionalEventData={"MFAUsed": "Yes"},
            ),
        ),
        ("No username found in supplied account", "", signing("ConsoleLogin", "Failure", **NO_SUCH_USER)),
        ("x" * 200, "", signing("ConsoleLogin", "Failure", errorMessage="x" * 5000)),
        ("SomeCode", "", signing("ConsoleLogin", errorCode="SomeCode")),
        ("", "No", at_the_portal("UserAuthentication", additionalEventData={"CredentialType": "PASSWORD"})),
        ("", "Yes", at_the_portal("UserAuthentication", additionalEventData={"CredentialType": "PASSWORD,TOTP"})),
        ("", "Yes", at_the_portal("UserAuthentication", additionalEventData={"CredentialType": "WEBAUTHN"})),
        ("", "", at_the_portal("UserAuthentication", additionalEventData={"CredentialType": "EXTERNAL_IDP"})),
        (
            "failed",
            "Yes",
            at_the_portal("CredentialVerification", "Failure", additionalEventData={"CredentialType": "TOTP"}),
        ),
    ],
)
def test_how_a_sign_in_went(error: str, mfa: str, found: Record) -> None:
    assert classify.signed_in(found) == classify.SignIn(error, mfa)


# --- words that nobody knows ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("", {}),
        ("", {"eventVersion": "1.99"}),
        ("", {"eventVersion": None, "eventCategory": None, "eventType": None, "userIdentity": None}),
        ("", {"userIdentity": {"invokedBy": "ec2.amazonaws.com"}}),
        ("eventVersion '2.0' is not of version 1", {"eventVersion": "2.0"}),
        ("eventVersion '10.1' is not of version 1", {"eventVersion": "10.1"}),
        ("eventVersion '...' is not of version 1", {"eventVersion": "..."}),
        ("eventCategory 'Dreams' is unknown: not looked at", {"eventCategory": "Dreams"}),
        ("eventType 'AwsDream' is unknown: taken for a call", {"eventType": "AwsDream"}),
        ("userIdentity.type 'Robot' is unknown: taken for nobody known", {"userIdentity": {"type": "Robot"}}),
        ("", {"userIdentity": {"type": "Robot"}, "readOnly": True}),
        (
            "userIdentity.type 'Robot' is unknown: taken for nobody known",
            {"userIdentity": {"type": "Robot"}, "readOnly": True, "errorCode": "AccessDenied"},
        ),
        ("eventCategory '" + "x" * 24 + "' is unknown: not looked at", {"eventCategory": "x" * 100_000}),
        ("eventCategory '\\x1b[2J\\u202e' is unknown: not looked at", {"eventCategory": "\x1b[2J\u202e"}),
    ],
)
def test_words_that_are_unknown_are_told(reason: str, fields: dict) -> None:
    assert classify.strange(of(**fields)) == reason


WORDS = (
    st.none() | st.text(max_size=12) | st.sampled_from(["true", "ConsoleLogin", "AssumeRole", "AccessDenied", "Data"])
)
PARTS = (
    st.none() | st.text(max_size=5) | st.lists(st.integers()) | st.dictionaries(st.text(max_size=9), WORDS, max_size=3)
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("eventVersion", "eventType", "eventCategory", "errorCode", "errorMessage", "eventSource"),
                *("eventName", "userAgent", "sourceIPAddress", "recipientAccountId"),
            ]
        ),
        WORDS,
    ),
    st.dictionaries(
        st.sampled_from(
            [
                *("userIdentity", "requestParameters", "responseElements", "resources", "additionalEventData"),
                "serviceEventDetails",
            ]
        ),
        PARTS,
    ),
    st.none() | st.booleans() | st.text(max_size=5),
)
def test_no_record_whatever_is_in_it_raises(words: dict, parts: dict, flag: bool | str | None) -> None:
    found = of(**words, **parts, readOnly=flag, managementEvent=flag)
    assert classify.sort(found) in ("change", "failed", "denied", "read", "session", "sign-in", "other")
    assert isinstance(classify.strange(found), str)
    assert len(classify.signed_in(found).error) <= 200
    assert isinstance(classify.is_noise(found), bool)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
        ("CreateFunction20150331", "CreateFunction"),
        ("CreateDistribution2020_05_31", "CreateDistribution"),
        ("PutBucketPolicy", "PutBucketPolicy"),
        ("CreateSubnetV2", "CreateSubnetV2"),
    ],
)
def test_a_version_is_no_part_of_the_name(name: str, plain: str) -> None:
    assert classify.name(of(name)) == plain


@pytest.mark.parametrize(
    ("service", "name", "invoked_by", "noise"),
    [
        ("ssm", "PutInventory", "", True),
        ("ssm", "PutParameter", "", False),
        ("ec2messages", "SendReply", "", True),
        ("kms", "CreateGrant", "", False),
        ("kms", "CreateGrant", "rds.amazonaws.com", True),
        ("ec2", "CreateNetworkInterface", "", False),
        ("ec2", "CreateNetworkInterface", "lambda.amazonaws.com", True),
        ("ec2", "CreateNetworkInterface", "cloudformation.amazonaws.com", False),
        ("elasticloadbalancing", "RegisterTargets", "autoscaling.amazonaws.com", True),
        ("elasticloadbalancing", "RegisterTargets", "", False),
        ("sqs", "SetQueueAttributes", "", False),
    ],
)
def test_noise_is_data_and_may_depend_on_who_calls(service: str, name: str, invoked_by: str, noise: bool) -> None:
    caller = user() | ({"invokedBy": invoked_by} if invoked_by else {})
    assert classify.is_noise(of(name, service, userIdentity=caller)) is noise


def test_every_noise_entry_has_a_reason_and_stands_once() -> None:
    pairs = [(entry.source, name) for entry in NOISE for name in entry.names]
    assert sorted(set(pairs)) == sorted(pairs)
    assert [entry for entry in NOISE if len(entry.reason.split()) < 2] == []
