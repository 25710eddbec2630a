"""The run of a pipeline behind a call: what its identity provider signed, what tags say, what is only a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trail_records import ACCOUNT, TERRAFORM, assume, change_of, in_role, record, user

from agent.model import Run
from agent.trail.runs import run

GITHUB = "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"
SHA = "9f3182061f1e2cca4702c368cbc039b7dc9d4485"
UUID = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
ULID = "01HZXK3V9J8Q4T5N6M7P8R9S0T"
SIGNED = "OIDC subject"
OWN_WORD = "session name, its caller's own word"


@pytest.mark.parametrize(
    ("subject", "provider", "expected"),
    [
        ("repo:acme/infra:ref:refs/heads/main", GITHUB, Run("github", "acme/infra", ref="refs/heads/main")),
        ("repo:acme/infra:environment:prod", GITHUB, Run("github", "acme/infra", environment="prod")),
        ("repo:acme/infra:environment:prod%3Aeu", GITHUB, Run("github", "acme/infra", environment="prod:eu")),
        ("repo:acme/infra:pull_request", GITHUB, Run("github", "acme/infra", pull_request="unnumbered")),
        ("repo:acme@1/infra@2:ref:refs/tags/v1", GITHUB, Run("github", "acme/infra", ref="refs/tags/v1")),
        (
            "repository:acme/infra:job_workflow_ref:acme/ci/.github/workflows/x.yml@refs/heads/main",
            GITHUB,
            Run("github", "acme/infra"),
        ),
        (
            "project_path:acme/net/infra:ref_type:branch:ref:main",
            "https://gitlab.com",
            Run("gitlab", "acme/net/infra", ref="main"),
        ),
        (
            "organization:acme:project:p:workspace:net:run_phase:apply",
            "app.terraform.io",
            Run("terraform-cloud", "acme/net", environment="apply"),
        ),
        (
            f"organization:acme:pipeline:net:ref:refs/heads/main:commit:{SHA}:step:",
            "agent.buildkite.com",
            Run("buildkite", "acme/net", commit=SHA, ref="refs/heads/main"),
        ),
        ("org/1/project/2/user/3", "oidc.circleci.com/org/1", Run("circleci", "2")),
        (
            "org/1/project/2/user/3/vcs-origin/github.com/acme/infra/vcs-ref/refs/heads/main",
            "oidc.circleci.com/org/1",
            Run("circleci", "github.com/acme/infra", ref="refs/heads/main"),
        ),
        (
            f"{{{UUID}}}:{{{UUID[:-1]}0}}",
            "api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
            Run("bitbucket", UUID, id=f"{UUID[:-1]}0"),
        ),
        (
            "space:prod:stack:net:run_type:TRACKED:scope:write",
            "acme.app.spacelift.io",
            Run("spacelift", "net", environment="prod"),
        ),
    ],
)
def test_what_the_provider_signed(subject: str, provider: str, expected: Run) -> None:
    found = run(subject, "any", (), provider)
    assert found is not None
    assert found.how == SIGNED
    assert found == Run(**{name: getattr(expected, name) for name in Run.__slots__} | {"how": SIGNED})


@pytest.mark.parametrize(
    ("subject", "provider"),
    [
        ("system:serviceaccount:shop:orders", "oidc.eks.eu-west-1.amazonaws.com/id/X"),
        ("somebody", "oidc.example.com"),
        ("org/1/project/2/user/3", "oidc.example.com"),
        ("", ""),
    ],
)
def test_a_subject_of_no_known_form_is_no_run(subject: str, provider: str) -> None:
    assert run(subject, "any", (), provider) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GitHubActions", Run("github")),
        ("GitHubActions-19000000001", Run("github", id="19000000001")),
        ("GitLabRunner-12-345", Run("gitlab", id="345")),
        ("terraform-run-run-AbCdEfGh12345678", Run("terraform-cloud", id="run-AbCdEfGh12345678")),
        (ULID, Run("spacelift", id=ULID)),
        ("terrateam", Run("terrateam")),
        ("dana-acme-shop-12", Run("atlantis", pull_request="12")),
        *((name, None) for name in ("dana", "CHG-7", "run-9", "x", "i-0123456789abcdef0", "prod-eu-12")),
        *((name, None) for name in ("botocore-session-1700000000", "aws-go-sdk-1688990082523310002", "CHG0012345")),
    ],
)
def test_a_session_name_is_a_claim(name: str, expected: Run | None) -> None:
    found = run("", name, (), "")
    assert found == (expected and Run(**{one: getattr(expected, one) for one in Run.__slots__} | {"how": OWN_WORD}))


def test_a_service_names_its_own_sessions() -> None:
    found = run("", f"AWSCodeBuild-{UUID}", (), "", "codebuild.amazonaws.com")
    assert found == Run("codebuild", id=UUID, how="session name, given by codebuild.amazonaws.com")


def test_name_and_tags_add_to_the_subject_and_take_nothing_from_it() -> None:
    tags = (("Repository", "evil/other"), ("run_id", "7"), ("sha", SHA))
    found = run("repo:acme/infra:pull_request", "PR-77", tags, GITHUB)
    assert found == Run(
        "github",
        "acme/infra",
        id="7",
        commit=SHA,
        pull_request="77",
        how=f"OIDC subject; id, commit: session tag; pull request: {OWN_WORD}",
    )


@pytest.mark.parametrize("name", ["deploy-19000000001", "19000000001"])
def test_github_run_ids_in_a_session_name(name: str) -> None:
    found = run("repo:acme/infra:ref:refs/heads/main", name, (), GITHUB)
    assert found is not None
    assert (found.id, found.how) == ("19000000001", f"OIDC subject; id: {OWN_WORD}")


def test_an_account_id_is_no_run_id() -> None:
    found = run("repo:acme/infra:ref:refs/heads/main", f"deploy-{ACCOUNT}", (), GITHUB)
    assert found is not None
    assert found.id == ""


def test_tags_alone_tell_of_a_run_where_they_name_one() -> None:
    spacelift = (("run", ULID), ("space", "prod"), ("stack", "net"))
    assert run("", ULID, spacelift, "") == Run("spacelift", "net", id=ULID, environment="prod", how="session tag")
    assert run("", "s", (("Branch", "main"), ("Commit", SHA), ("GitHub", "Actions")), "") == Run(
        "github", commit=SHA, ref="main", how="session tag"
    )
    assert run("", "s", (("build_number", "5"),), "") == Run("pipeline", id="5", how="session tag")
    assert run("", "s", (("Environment", "prod"), ("team", "shop")), "") is None


@given(st.text(max_size=300), st.text(max_size=100), st.lists(st.tuples(st.text(), st.text()), max_size=4), st.text())
def test_nothing_makes_it_raise(subject: str, name: str, tags: list[tuple[str, str]], provider: str) -> None:
    for one in (subject, f"repo:{subject}", f"organization:{subject}", f"space:{subject}"):
        found = run(one, name, tuple(tags), provider)
        assert found is None or found.system


def test_what_is_long_is_cut() -> None:
    found = run(f"repo:{'x' * 1000}:ref:{'y' * 1000}", "a-" * 50_000 + "7", (), GITHUB)
    assert found is not None
    assert (len(found.repository), len(found.ref)) == (256, 256)


# --- in a call -----------------------------------------------------------------------------------------------


def test_a_call_knows_its_run() -> None:
    subject = "repo:acme/infra:environment:prod"
    caller = {"type": "WebIdentityUser", "userName": subject, "identityProvider": GITHUB}
    issued = assume(
        caller,
        "deploy",
        "gha-19000000001",
        "ASIACI",
        call="AssumeRoleWithWebIdentity",
        principalTags={"sha": SHA},
    )
    made = record(userIdentity=in_role("deploy", "gha-19000000001", "ASIACI"), userAgent=TERRAFORM)
    found = change_of(made, issued).actor.run
    assert found is not None
    assert (found.system, found.repository, found.environment) == ("github", "acme/infra", "prod")
    assert (found.id, found.commit) == ("19000000001", SHA)
    assert found.how == f"OIDC subject; commit: session tag; id: {OWN_WORD}"


def test_a_person_is_no_run_whatever_they_call_their_session() -> None:
    issued = assume(user(), "deploy", "GitHubActions", "ASIAHAND")
    actor = change_of(record(userIdentity=in_role("deploy", "GitHubActions", "ASIAHAND")), issued).actor
    assert (actor.kind, actor.run) == ("person", None)


def test_a_stranger_with_such_a_name_has_no_more_than_a_claim() -> None:
    actor = change_of(record(userIdentity=in_role("deploy", "GitHubActions", "ASIAHAND"))).actor
    assert (actor.kind, actor.confidence) == ("unknown", 0.3)
    assert actor.run == Run("github", how=OWN_WORD)


def test_tags_of_a_session_joined_by_name_alone_are_nobodys() -> None:
    caller = {"type": "WebIdentityUser", "userName": "repo:acme/infra:ref:refs/heads/main", "identityProvider": GITHUB}
    keyless = assume(
        caller, "deploy", "ci", "x", call="AssumeRoleWithWebIdentity", tags=[{"key": "run_id", "value": "7"}]
    )
    keyless |= {"responseElements": None}
    assert change_of(record(userIdentity=in_role("deploy", "ci", "ASIACI")), keyless).actor.run is None
