"""The identity map: who an actor is at the time of the event, and what must never make anybody somebody else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Actor, Attempt, Change, Directory, Person, Trail
from agent.people import IDENTITY_CENTER, Index, Users, identify, known

AT = datetime(2026, 2, 3, 9, tzinfo=UTC)
ACCOUNT = "111122223333"
DANA_ARN = f"arn:aws:iam::{ACCOUNT}:user/dana"
SSO_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admins_0123456789abcdef/dana@acme.example"
IAM_USER = Actor("dana", "person", DANA_ARN, "IAM user", 0.7)
SSO_USER = Actor("dana@acme.example", "person", SSO_ARN, "IAM Identity Center user in X", 0.95)
PIPELINE = Actor(
    "acme/shop",
    "pipeline",
    how="OIDC subject",
    confidence=0.95,
    role=f"arn:aws:iam::{ACCOUNT}:role/deploy",
    subject="repo:acme/shop:ref:refs/heads/main",
)
WORKLOAD = Actor(
    "dana",
    "workload",
    f"arn:aws:sts::{ACCOUNT}:assumed-role/App/dana",
    "lambda",
    0.95,
    f"arn:aws:iam::{ACCOUNT}:role/App",
)


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T00:00:00+00:00")


def last(text: str) -> datetime:
    return day(text) + timedelta(days=1, microseconds=-1)


def person(id: str = "dana", *principals: str, **fields: object) -> Person:  # noqa: A002  the map's own word
    given = {"principals": principals or (DANA_ARN, "dana@acme.example"), "source": "identities.yaml:2"}
    return Person(id, **(given | fields))


def seen(actor: Actor, *people: Person, at: datetime = AT, key: str = "") -> Actor:
    return identify(actor, at, Index(Directory(people)), key=key)


@pytest.mark.parametrize("actor", [IAM_USER, SSO_USER])
def test_an_employee(actor: Actor) -> None:
    found = seen(actor, person(name="Dana Diaz", groups=("payments", "oncall"), team="payments"))
    assert (found.person, found.groups, found.team) == ("dana", ("payments", "oncall"), "payments")
    assert found.how == f"{actor.how}; Dana Diaz, identities.yaml:2"
    assert (found.kind, found.name, found.confidence) == ("person", actor.name, actor.confidence)


@pytest.mark.parametrize(
    ("actor", "principal"),
    [
        (IAM_USER, "arn:aws:iam::*:user/dana"),
        (IAM_USER, "dana"),
        (IAM_USER, "DANA"),
        (SSO_USER, "Dana@Acme.Example"),
        (SSO_USER, "arn:aws:sts::*:assumed-role/AWSReservedSSO_*/dana@acme.example"),
        (SSO_USER, "*@acme.example"),
        (Actor("d-1", "person", "", "SAML subject", 0.95, subject="ns/d-1"), "ns/d-1"),
        (Actor("dana@x", "person", "arn:b", "sourceIdentity; …", 0.95, source_identity="dana@x"), "dana@x"),
    ],
)
def test_what_a_person_is_known_by(actor: Actor, principal: str) -> None:
    assert seen(actor, person("dana", principal)).person == "dana"
    assert seen(actor, person("dana", f"{principal}x")).person == ""


def test_a_key_may_have_an_owner_of_its_own() -> None:
    team, robot = person("team", DANA_ARN), person("robot", "AKIAROBOT", kind="service", sponsor="lena")
    assert seen(IAM_USER, team, robot, key="AKIAROBOT").person == "robot"
    assert seen(IAM_USER, team, robot, key="AKIAOTHER").person == "team"


def test_who_is_not_in_the_map_stays_as_they_were() -> None:
    assert seen(IAM_USER, person("erik", "erik")) == IAM_USER
    assert seen(IAM_USER) == IAM_USER


# --- kinds -----------------------------------------------------------------------------------------------


def test_a_contractor_stays_a_person_with_a_sponsor() -> None:
    found = seen(IAM_USER, person(name="Dana Diaz", kind="contractor", sponsor="lena"))
    assert (found.kind, found.person) == ("person", "dana")
    assert found.how == "IAM user; Dana Diaz, contractor of lena, identities.yaml:2"


def test_nobody_is_accountable_for_a_shared_credential() -> None:
    found = seen(IAM_USER, person("ops", kind="shared", team="ops"))
    assert (found.kind, found.person, found.team) == ("shared", "ops", "ops")
    assert found.how == "IAM user; shared credential, identities.yaml:2"


def test_a_service_credential_is_no_person() -> None:
    found = seen(IAM_USER, person("robot", kind="service", sponsor="lena"))
    assert (found.kind, found.how) == ("workload", "IAM user; service credential of lena, identities.yaml:2")
    assert seen(PIPELINE, person("ci", "repo:acme/shop:*", kind="service", sponsor="lena")).kind == "pipeline"


def test_root_stays_root() -> None:
    root = Actor(f"root of {ACCOUNT}", "root", f"arn:aws:iam::{ACCOUNT}:root", "root user", 0.95)
    for kind in ("employee", "shared", "service"):
        found = seen(root, person("lena", root.arn, kind=kind, sponsor="x"))
        assert (found.kind, found.person) == ("root", "lena")


# --- time ------------------------------------------------------------------------------------------------


def test_a_credential_of_somebody_who_left() -> None:
    gone = person(valid_until=last("2026-01-31"), groups=("payments",), team="payments")
    assert seen(IAM_USER, gone, at=last("2026-01-31")).kind == "person"
    found = seen(IAM_USER, gone)
    assert (found.kind, found.person, found.groups, found.confidence) == ("unknown", "dana", (), 0.3)
    assert found.how == "IAM user; dana's entry ended 2026-01-31, identities.yaml:2"


def test_a_credential_that_is_used_too_early() -> None:
    found = seen(IAM_USER, person(valid_from=day("2026-03-01")))
    assert (found.kind, found.how) == ("unknown", "IAM user; dana's entry begins 2026-03-01, identities.yaml:2")


def test_names_are_reused() -> None:
    first = person("dana-diaz", valid_until=last("2026-01-31"))
    second = person("dana-cole", valid_from=day("2026-02-10"))
    by_day = {
        text: seen(IAM_USER, second, first, at=day(text)).person
        for text in ("2025-06-01", "2026-01-31", "2026-02-03", "2026-02-10", "2027-01-01")
    }
    assert by_day == {
        "2025-06-01": "dana-diaz",
        "2026-01-31": "dana-diaz",
        "2026-02-03": "dana-diaz",
        "2026-02-10": "dana-cole",
        "2027-01-01": "dana-cole",
    }
    between = seen(IAM_USER, second, first, at=day("2026-02-03"))
    assert (between.kind, "dana-diaz's entry ended 2026-01-31" in between.how) == ("unknown", True)


def test_a_person_who_comes_back_in_another_kind() -> None:
    before = person(kind="contractor", sponsor="lena", valid_until=last("2026-01-31"))
    after = person(valid_from=day("2026-02-01"))
    assert "contractor of lena" in seen(IAM_USER, before, after, at=day("2026-01-31")).how
    assert "contractor" not in seen(IAM_USER, before, after, at=day("2026-02-01")).how


# --- what the map must not do ----------------------------------------------------------------------------


def test_a_name_somebody_typed_is_nobody() -> None:
    typed = Actor("dana@acme.example", "unknown", SSO_ARN, "the session name is its caller's own word", 0.3)
    assert seen(typed, person()) == typed
    hint = replace(IAM_USER, confidence=0.49)
    assert seen(hint, person()) == hint


def test_a_machine_named_like_a_person_is_a_machine() -> None:
    everywhere = person("dana", "dana", "arn:aws:sts::*:assumed-role/*/dana", WORKLOAD.role, PIPELINE.subject)
    assert seen(WORKLOAD, everywhere) == WORKLOAD
    assert seen(PIPELINE, everywhere) == PIPELINE
    named_like_a_robot = replace(WORKLOAD, name="robot", arn="")
    assert seen(named_like_a_robot, person("robot", "robot", kind="service", sponsor="lena")) == named_like_a_robot
    found = seen(
        WORKLOAD, person("app", f"arn:aws:iam::{ACCOUNT}:role/App", kind="service", sponsor="lena", team="shop")
    )
    assert (found.kind, found.person, found.team) == ("workload", "app", "shop")


def test_behind_a_broker_it_is_the_human_or_nobody() -> None:
    broker = f"arn:aws:iam::{ACCOUNT}:user/broker"
    found = Actor("dana", "person", broker, "sourceIdentity; through broker", 0.75, source_identity="dana")
    assert seen(found, person("broker", broker, "broker")) == found
    assert seen(found, person("dana", "dana"), person("broker", broker)).person == "dana"


def test_a_session_name_beside_source_identity_is_not_looked_at() -> None:
    """Marco's sourceIdentity is enforced; his session name, which ends the ARN, is his own choice."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Shared/dana@acme.example"
    marco = Actor("marco", "person", arn, "sourceIdentity; …", 0.95, source_identity="marco")
    assert seen(marco, person("dana", "arn:aws:sts::*:assumed-role/*/dana@acme.example")) == marco


def test_source_identity_and_an_iam_user_of_that_name_agree() -> None:
    agreed = replace(IAM_USER, name="Dana@acme.example", source_identity="Dana@acme.example")
    assert seen(agreed, person("dana", DANA_ARN)).person == "dana"


def test_aws_itself_is_nobody() -> None:
    service = Actor("autoscaling.amazonaws.com", "service", "", "AWSService", 1.0)
    assert seen(service, person("x", "autoscaling.amazonaws.com", kind="service", sponsor="y")) == service


def test_letters_that_merely_look_alike_are_other_names() -> None:
    kelvin = replace(SSO_USER, name="dana\u212a", arn="")
    assert seen(kelvin, person("danak", "danak")) == kelvin


# --- sources -----------------------------------------------------------------------------------------------


def test_the_file_wins_over_aws_and_a_name_over_a_wildcard() -> None:
    aws = person("from-aws", "dana@acme.example", source=f"{IDENTITY_CENTER}d-1")
    wild = person("wild", "*@acme.example")
    file = person("from-file", "dana@acme.example")
    assert seen(SSO_USER, aws).person == "from-aws"
    assert seen(SSO_USER, aws, wild).person == "wild"
    assert seen(SSO_USER, aws, wild, file).person == "from-file"
    # Whoever left by the file stays gone, however long their user is kept.
    assert seen(SSO_USER, aws, replace(file, valid_until=last("2026-01-31"))).kind == "unknown"


def test_two_at_once_are_not_told_apart() -> None:
    found = seen(SSO_USER, person("one", "dana@acme.example"), person("two", "dana@acme.example"))
    assert (found.person, found.kind) == ("", "person")
    assert found.how.endswith("; the identity map gives one, two: cannot tell whom")
    assert seen(found, person("one", "dana@acme.example"), person("two", "dana@acme.example")) == found


@given(
    st.sampled_from([IAM_USER, SSO_USER, PIPELINE, WORKLOAD]),
    st.floats(0, 1),
    st.lists(st.sampled_from(["dana", "dana@acme.example", DANA_ARN, "*dana*", "arn:*", "repo:*"]), max_size=3),
    st.sampled_from(["employee", "contractor", "shared", "service"]),
    st.integers(-60, 60),
)
def test_the_map_makes_nobody_surer(actor: Actor, sure: float, principals: list[str], kind: str, days: int) -> None:
    actor = replace(actor, confidence=sure)
    one = Person("p", kind=kind, principals=tuple(principals), sponsor="s", valid_until=AT + timedelta(days=days))
    found = identify(actor, AT, Index(Directory((one,))))
    assert found.confidence <= actor.confidence
    assert (found.name, found.arn, found.subject, found.role) == (actor.name, actor.arn, actor.subject, actor.role)
    if sure < 0.5:
        assert found == actor
    if actor.kind in ("pipeline", "workload"):
        assert found.kind != "person"


# --- a whole trail, and users of ticket systems --------------------------------------------------------------


def change(actor: Actor, at: datetime = AT, session: str = "") -> Change:
    return Change(("e",), at, "sqs:SetQueueAttributes", actor, "cli", ACCOUNT, "eu-west-1", session=session)


def test_every_part_of_a_trail_is_looked_up_at_its_time() -> None:
    early = day("2026-01-15")
    trail = Trail(
        day("2026-01-01"),
        AT,
        changes=(change(IAM_USER), change(IAM_USER, early), change(Actor("x", "person", "", "", 0.9), session="AKIA1")),
        sessions=(change(IAM_USER, early),),
        state_writes=(change(IAM_USER, early),),
        sign_ins=(change(IAM_USER),),
        attempts=(Attempt(IAM_USER, ACCOUNT, 3, early, AT, 3, (), ()),),
    )
    directory = Directory((person(valid_until=last("2026-01-31")), person("robot", "AKIA1")))
    found = known(trail, directory)
    assert [one.actor.kind for one in found.changes] == ["unknown", "person", "person"]
    assert [one.actor.person for one in found.changes] == ["dana", "dana", "robot"]
    assert [one.actor.kind for one in (*found.sessions, *found.state_writes)] == ["person", "person"]
    assert found.sign_ins[0].actor.kind == "unknown"
    assert found.attempts[0].actor.kind == "unknown"
    assert known(trail, Directory()) is trail
    assert known(found, directory) == found


def test_users_of_ticket_systems() -> None:
    users = Users(
        Directory(
            (
                person("dana", users=("ddiaz", "Dana@acme.example")),
                person("old-erik", users=("erik",), valid_until=last("2026-01-31")),
                person("new-erik", users=("erik",), valid_from=day("2026-02-01")),
            )
        )
    )
    asked = ("dana", "DDiaz", "dana@acme.example", "marco", "Marco", "erik")
    assert [users.person(name, AT) for name in asked] == ["dana", "dana", "dana", "marco", "marco", "new-erik"]
    assert users.person("erik", day("2026-01-15")) == "old-erik"
