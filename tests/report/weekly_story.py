"""Three weeks of an estate: a quiet one in which the clock changes, a bad one, one in which little was looked at."""

from datetime import timedelta

from trail_records import TERRAFORM, in_role, user
from weeks import Life, at, emergency_session, granted, said

from agent.document.authority import FileChange
from agent.model import CaseKey, Document, Gap, PolicyException, Review, Scope

HOSTILE = "mallory</td><script>alert(1)</script>[x](http://evil.example) |\n# @all"
QUIET, BAD, DARK = "2026-W43", "2026-W44", "2026-W45"
"""Monday 19 October, 26 October, 2 November 2026 in Berlin; the clock goes back on 25 October."""
NOW = at("2026-11-09 08:00")


def tell(life: Life) -> None:
    """The three weeks, up to Monday morning."""
    _quiet(life)
    _bad(life)
    _dark(life)


def _quiet(life: Life) -> None:
    """Two changes under tickets, one by hand; an exception, which ends in the next week."""
    life.exceptions = (
        PolicyException(
            "legacy",
            "until the migration",
            "lena",
            "sam",
            at("2026-10-29 00:00"),
            ("shop/aws_iam_role.*",),
            approved="signature of sam",
            source="exceptions/legacy.yaml:3",
            since=at("2026-09-01 00:00"),
        ),
    )
    life.tickets = [granted("CHG-7", at("2026-10-20 08:00"), at("2026-10-20 18:00"))]
    life.looks(at("2026-10-19 00:00"), at("2026-10-20 09:30"))
    life.call(at("2026-10-20 10:00"), 30, userAgent="aws-cli/2.31.0 app/CHG-7")
    life.looks(at("2026-10-20 11:00"), at("2026-10-22 09:00"))
    life.call(at("2026-10-22 10:00"), 45)
    life.looks(at("2026-10-22 11:00"), at("2026-10-24 00:00"))
    # The night of the change: an hour that comes twice.
    life.opens(at("2026-10-25 02:30"), 2222, userIdentity=user("nils", "AKIANILS"))
    life.looks(at("2026-10-24 00:00"), at("2026-10-26 00:00"))


def _bad(life: Life) -> None:
    """Ports opened to the world, a laptop's apply, an emergency documented late, a look-alike name, a looser rule."""
    life.looks(at("2026-10-26 00:00"), at("2026-10-27 09:00"))
    life.opens(at("2026-10-27 10:00"), 22, userIdentity=in_role("Engineer", "sam@acme.example", "ASIASAM"))
    life.call(at("2026-10-27 15:00"), 90, "invoices", userIdentity=user("marco", "AKIAMARCO"), userAgent=TERRAFORM)
    for minute in range(5):
        when = at("2026-10-28 03:00") + timedelta(minutes=minute)
        life.call(when, 120 + minute, "mail", userIdentity=emergency_session())
    life.opens(at("2026-10-28 16:00"), 3389, userIdentity=user(HOSTILE, "AKIAMALLORY"))
    life.news = (FileChange("rules/own.yaml", "changed", "4f1c2a9d0e5b6a7c", "lena@acme.example"),)
    life.exceptions += (
        PolicyException(
            "slow-queue",
            "load test <b>of</b> the queue",
            "dana",
            "kim",
            at("2026-11-12 00:00"),
            ("shop/aws_sqs_queue.orders",),
            attributes=("delay_seconds",),
            approved="signature of kim",
            source="exceptions/slow.yaml:1",
            since=at("2026-10-27 00:00"),
        ),
    )
    life.looks(at("2026-10-27 11:00"), at("2026-10-30 09:00"))
    (emergency,) = [one.key for one in life.store.cases.open() if one.grant]
    document = Document(
        "D-1",
        emergency,
        said("dana", at("2026-10-30 10:00")),
        "Orders were lost",
        "INC-4711",
        "Raised the time-out",
        "on-call",
        "revert",
    )
    life.says("breakglass.documented", document)
    life.looks(at("2026-10-30 11:00"), at("2026-11-02 00:00"))


def _dark(life: Life) -> None:
    """The first case is reviewed; then nothing ran for days, a region is denied, the ticket system is silent."""
    first = min(life.store.cases.open(), key=lambda one: (one.opened_at, one.key))
    life.says(
        "case.reviewed",
        Review("R-1", CaseKey(first.key), said("kim", at("2026-11-02 09:00")), accepted=True, reason="known, harmless"),
    )
    life.looks(at("2026-11-02 00:00"), at("2026-11-03 09:00"))
    life.gaps = (Gap(Scope(region="eu-central-1"), "ec2:DescribeSecurityGroups: AccessDenied for role reader", 4),)
    life.trail_gaps = (Gap(Scope(region="us-east-1"), "s3://trail: the digest of 14:00 is missing"),)
    life.silent = ("jira: no answer within 10 s",)
    life.looks(at("2026-11-06 18:00"), at("2026-11-07 09:00"))
    life.gaps, life.trail_gaps, life.silent = (), (), ()
    life.call(at("2026-11-08 23:00"), 200, "audit", userIdentity=user("nils", "AKIANILS"))
    life.looks(at("2026-11-07 09:00"), at("2026-11-09 03:00"))
