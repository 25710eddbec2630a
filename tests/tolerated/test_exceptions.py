"""Exception files: which entries count, which are refused and on which line, and how people change them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from permissions import NOW, SINCE, Office

from agent.config import Config
from agent.model import Directory, Person
from agent.signing import SigningError
from agent.tables import Estate
from agent.tickets.document import DocumentError
from agent.tolerated import approvals_of, exceptions, read_tolerated
from agent.tolerated.approving import add, approve, checks, end, find
from agent.tolerated.exceptions import Exceptions, read, state
from agent.tolerated.scope import is_wide

LONGEST = timedelta(days=90)
GOOD = """\
- id: EX-1
  addresses: [aws_sqs_queue.orders]
  attributes: [delay_seconds]
  reason: a migration
  owner: dana
  approver: sam
  since: 2026-11-26
  until: 2026-12-31
"""


def entry(**fields: Any) -> dict[str, Any]:
    base = {
        "id": "EX-1",
        "addresses": ["aws_sqs_queue.orders"],
        "reason": "a migration",
        "owner": "dana",
        "approver": "sam",
        "since": f"{SINCE:%Y-%m-%dT%H:%M:%SZ}",
        "until": "2026-12-31",
    }
    return {name: value for name, value in (base | fields).items() if value is not None}


def loaded(at_work: Office) -> Exceptions:
    return read(at_work.folder / "exceptions", LONGEST, at_work.approvals, NOW)


def sign(at_work: Office, file: Path, id_: str = "EX-1", who: str = "sam", at: Any = NOW) -> Path:
    check = checks(at_work.config, at_work.approvals, NOW)
    return approve(file, id_, exceptions.KIND, check, at_work.key(who), at, "acme")


# --- what counts ---------------------------------------------------------------------------------------------


def test_no_folder_is_no_exception(at_work: Office) -> None:
    assert read(at_work.folder / "nowhere", LONGEST, at_work.approvals, NOW) == Exceptions()


def test_without_a_signature_it_waits(at_work: Office) -> None:
    at_work.write("exceptions/legacy.yaml", GOOD)
    got = loaded(at_work)
    assert got.problems == ()
    (one,) = got.found
    assert (one.id, one.addresses, one.attributes) == ("EX-1", ("aws_sqs_queue.orders",), ("delay_seconds",))
    assert one.approved == ""
    assert one.source.endswith("exceptions/legacy.yaml:1")
    assert state(one, NOW) == "waiting"


def test_signed_by_its_approver_it_is_in_force(at_work: Office) -> None:
    file = at_work.write("exceptions/legacy.yaml", "# ours since 2019\n" + GOOD + "  ticket: OPS-1  # the project\n")
    sign(at_work, file)
    got = loaded(at_work)
    assert got.problems == ()
    assert got.found[0].approved == "signed by sam@acme.example, 2026-11-27 12:00 UTC"
    assert state(got.found[0], NOW) == "in force"
    assert file.read_text().startswith("# ours since 2019\n")
    assert "# the project" in file.read_text()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (NOW + timedelta(days=20), "in force"),
        (NOW + timedelta(days=21), "expiring"),
        (NOW + timedelta(days=35), "expired"),
        (NOW - timedelta(days=30), "not begun"),
    ],
)
def test_what_an_exception_is_by_its_time(at_work: Office, now: Any, expected: str) -> None:
    sign(at_work, at_work.write("exceptions/legacy.yaml", GOOD))
    assert state(loaded(at_work).found[0], now) == expected


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("delay_seconds", "policy"), "does not count"),
        (("a migration", "a vacation"), "does not count"),
        (("until: 2026-12-31", "until: 2027-01-31"), "does not count"),
        (("approver: sam", "approver: kim"), "does not count"),
        (("id: EX-1", "id: EX-2"), "does not count"),
        (("approved: '2026-11-27T12:00:00Z'", "approved: '2026-11-27T12:00:01Z'"), "does not count"),
        (("  approved: '2026-11-27T12:00:00Z'\n", ""), "needs 'approved'"),
        (("approved: '2026-11-27T12:00:00Z'", "approved: '2026-11-27T13:00:00Z'"), "between 'since' and now"),
        (("approved: '2026-11-27T12:00:00Z'", "approved: '2026-11-20T12:00:00Z'"), "between 'since' and now"),
    ],
)
def test_an_approval_is_for_what_stood_there(at_work: Office, change: tuple[str, str], why: str) -> None:
    file = sign(at_work, at_work.write("exceptions/legacy.yaml", GOOD))
    content = file.read_text()
    assert change[0] in content
    file.write_text(content.replace(change[0], change[1]))
    got = loaded(at_work)
    assert [one.approved for one in got.found] == [""]
    assert why in got.problems[0]
    assert f"{file}:" in got.problems[0]


def test_an_approval_for_another_estate_is_none_for_this(at_work: Office) -> None:
    file = sign(at_work, at_work.write("exceptions/legacy.yaml", GOOD))
    other = msgspec.structs.replace(at_work.config, estate=Estate(name="acme-staging"))
    got = read(file.parent, LONGEST, approvals_of(other, at_work.approvals.directory), NOW)
    assert [one.approved for one in got.found] == [""]
    assert "does not count" in got.problems[0]


def test_an_approval_of_one_entry_is_none_of_another(at_work: Office) -> None:
    file = sign(at_work, at_work.write("exceptions/legacy.yaml", GOOD))
    copied = file.read_text().replace("EX-1", "EX-2").replace("aws_sqs_queue.orders", "aws_sqs_queue.invoices")
    at_work.write("exceptions/more.yaml", copied)
    assert [bool(one.approved) for one in loaded(at_work).found] == [True, False]


@pytest.mark.parametrize(
    ("who", "written", "why"),
    [
        ("kim", GOOD, "kim@acme.example's signature, not sam's"),
        ("dana", GOOD, "dana@acme.example's signature, not sam's"),
        ("kim", GOOD.replace("approver: sam", "approver: kim"), "kim has not the role approver"),
        ("ci", GOOD.replace("approver: sam", "approver: ci"), "ci has not the role approver"),
    ],
)
def test_a_signature_that_would_not_count_is_not_written(at_work: Office, who: str, written: str, why: str) -> None:
    file = at_work.write("exceptions/legacy.yaml", written)
    with pytest.raises(DocumentError, match=why):
        sign(at_work, file, who=who)
    assert file.read_text() == written


def test_a_key_that_is_not_there_signs_nothing(at_work: Office) -> None:
    file = at_work.write("exceptions/legacy.yaml", GOOD)
    with pytest.raises(SigningError):
        sign(at_work, file, who="nobody")
    assert file.read_text() == GOOD


def test_without_signers_or_roles_nobody_approves(at_work: Office) -> None:
    file = sign(at_work, at_work.write("exceptions/legacy.yaml", GOOD))
    everybody = Directory((Person("dana"), Person("sam", principals=("sam@acme.example",))))
    for approvals, why in (
        (approvals_of(Config(base=str(at_work.folder)), everybody), "names no allowed_signers"),
        (approvals_of(at_work.config, Directory()), "the identity map has no one person 'sam'"),
        (approvals_of(at_work.config, everybody), "sam has not the role approver"),
    ):
        got = read(file.parent, LONGEST, approvals, NOW)
        assert [one.approved for one in got.found] == [""]
        assert why in got.problems[0] or "not sam's" in got.problems[0]


def test_who_left_may_not_approve_and_what_they_approved_stays(at_work: Office) -> None:
    text = GOOD.replace("2026-11-26", "2027-03-01").replace("2026-12-31", "2027-03-31")
    file = at_work.write("exceptions/legacy.yaml", text)
    with pytest.raises(DocumentError, match=r"no one person 'sam' at 2027-03-02|not sam's"):
        later = NOW.replace(year=2027, month=3, day=2)
        approve(
            file,
            "EX-1",
            exceptions.KIND,
            checks(at_work.config, at_work.approvals, later),
            at_work.key("sam"),
            later,
            "acme",
        )
    old = sign(at_work, at_work.write("exceptions/other.yaml", GOOD.replace("EX-1", "EX-2")), "EX-2")
    got = read(old.parent, LONGEST, at_work.approvals, NOW.replace(year=2027, month=4))
    assert {one.id: bool(one.approved) for one in got.found} == {"EX-1": False, "EX-2": True}


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (("  reason: a migration\n", ""), 1, "exception EX-1 needs a reason"),
        (("a migration", '"  "'), 4, "needs a reason"),
        (("  owner: dana\n", ""), 1, "needs owner"),
        (("  approver: sam\n", ""), 1, "needs approver"),
        (("  since: 2026-11-26\n", ""), 1, "needs since"),
        (("  until: 2026-12-31\n", ""), 1, "needs until"),
        (("  addresses: [aws_sqs_queue.orders]\n", ""), 1, "needs one of addresses, keys, types, accounts"),
        (("approver: sam", "approver: dana"), 6, "'dana' is the owner too"),
        (("approver: sam", "approver: DSmith"), 6, "'DSmith' is the owner too"),
        (("approver: sam", "approver: dana@acme.example"), 6, "is the owner too"),
        (("until: 2026-12-31", "until: 2027-12-31"), 8, "until 2027-02-24 at the latest"),
        (("until: 2026-12-31", "until: 2026-11-25"), 8, "later than 'since'"),
        (("until: 2026-12-31", "until: 2026-02-31"), 8, "there is no 2026-02-31"),
        (("until: 2026-12-31", "until: soon"), 8, "must be a time"),
        (("until: 2026-12-31", "until: 2026-12-31T10:00:00"), 8, "has no time zone"),
        (("[aws_sqs_queue.orders]", "['*']"), 2, "would be everything"),
        (("[aws_sqs_queue.orders]", "[aws_sqs_queue.orders, '?*']"), 2, "would be everything"),
        (("addresses: [aws_sqs_queue.orders]", "types: ['aws_*']"), 2, "would be everything"),
        (("addresses: [aws_sqs_queue.orders]", "accounts: ['1*']"), 2, "would be everything"),
        (("addresses: [aws_sqs_queue.orders]", "keys: ['arn:aws:']"), 2, "would be everything"),
        (("addresses: [aws_sqs_queue.orders]", "addresses: aws_sqs_queue.orders"), 2, "must be a list"),
        (("addresses:", "adresses:"), 2, "did you mean 'addresses'?"),
        (("id: EX-1", "id: 'EX 1'"), 1, "an entry needs an id"),
        (("id: EX-1", "id:"), 1, "an entry needs an id"),
        (("owner: dana", "owner: [dana]"), 5, "must be text"),
        (("- id: EX-1", "- &a\n  id: EX-1"), 1, ""),
    ],
)
def test_an_entry_that_is_refused_says_where_and_why(
    at_work: Office, change: tuple[str, str], line: int, why: str
) -> None:
    assert change[0] in GOOD
    file = at_work.write("exceptions/legacy.yaml", GOOD.replace(*change))
    at_work.write("exceptions/other.yaml", GOOD.replace("EX-1", "EX-9"))
    got = loaded(at_work)
    if not why:  # an anchor that nobody refers to is harmless
        assert len(got.found) == 2
        return
    assert [one.id for one in got.found] == ["EX-9"]
    assert any(one.startswith(f"{file}:{line}: ") and why in one for one in got.problems), got.problems


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("exceptions: []\n", "must be a list of entries"),
        ("- id: EX-1\n  id: EX-1\n", "field 'id' stands here and on line 1"),
        ("- *a\n", "alias '*a' is not taken"),
        ("- [\n", "is not YAML"),
        ("- just text\n", "an exception must be a mapping"),
        ("\xff", ""),
    ],
)
def test_a_file_that_is_none_is_told_and_the_others_count(at_work: Office, content: str, why: str) -> None:
    file = at_work.write("exceptions/broken.yaml", content)
    if not why:
        file.write_bytes(b"\xff\n")
        why = "is not UTF-8"
    at_work.write("exceptions/good.yaml", GOOD)
    got = loaded(at_work)
    assert [one.id for one in got.found] == ["EX-1"]
    assert why in got.problems[0]
    assert str(file) in got.problems[0]


def test_two_entries_of_one_id_are_neither_in_force(at_work: Office) -> None:
    sign(at_work, at_work.write("exceptions/a.yaml", GOOD))
    at_work.write("exceptions/b.yaml", GOOD.replace("orders", "invoices"))
    got = loaded(at_work)
    assert got.found == ()
    assert got.problems == (
        f"{at_work.folder}/exceptions/b.yaml:1: id 'EX-1' stands in {at_work.folder}/exceptions/a.yaml:1 as well; "
        "neither is in force",
    )


def test_empty_and_hidden_files_say_nothing(at_work: Office) -> None:
    at_work.write("exceptions/empty.yaml", "# none yet\n")
    at_work.write("exceptions/.legacy.yaml.swp.yaml", "- broken")
    at_work.write("exceptions/README.md", "- broken")
    assert loaded(at_work) == Exceptions()


@pytest.mark.parametrize(
    ("field", "pattern", "wide"),
    [
        ("addresses", "*", True),
        ("addresses", "module.*", True),
        ("addresses", "aws_*.*", True),
        ("addresses", "*/*", True),
        ("addresses", "shop/*", False),
        ("addresses", "module.vpc.*", False),
        ("addresses", "a.b", False),
        ("keys", "arn:aws:*", True),
        ("keys", "arn:aws-cn:", True),
        ("keys", "arn:aws:sqs:", False),
        ("keys", "q", False),
        ("keys", "", True),
        ("types", "aws_*", True),
        ("types", "aws_s3_*", True),
        ("types", "aws_sqs_queue", False),
        ("accounts", "111122223333", False),
        ("accounts", "111122*", True),
    ],
)
def test_what_would_be_everything(field: str, pattern: str, wide: bool) -> None:
    assert is_wide(field, pattern) is wide


# --- what people do ------------------------------------------------------------------------------------------


def test_adding_writes_a_file_that_waits(at_work: Office) -> None:
    file = add(at_work.config, entry(attributes=["delay_seconds"]), None, at_work.approvals, NOW)
    assert file == at_work.folder / "exceptions" / "EX-1.yaml"
    assert [state(one, NOW) for one in loaded(at_work).found] == ["waiting"]


def test_adding_to_a_file_keeps_what_is_in_it(at_work: Office) -> None:
    file = at_work.write("exceptions/legacy.yaml", "# ours\n" + GOOD.replace("migration", "migration  # long") + "\n")
    sign(at_work, file)
    before = file.read_text()
    add(at_work.config, entry(id="EX-2", accounts=["012345678901"]), file, at_work.approvals, NOW)
    assert file.read_text().startswith(before.rstrip("\n"))
    got = loaded(at_work)
    assert {one.id: bool(one.approved) for one in got.found} == {"EX-1": True, "EX-2": False}
    assert got.found[1].accounts == ("012345678901",)
    empty = at_work.write("exceptions/empty.yaml", "# none yet\n")
    add(at_work.config, entry(id="EX-3"), empty, at_work.approvals, NOW)
    assert empty.read_text().startswith("# none yet\n- id: EX-3\n")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"reason": None}, "needs a reason"),
        ({"owner": None}, "needs owner"),
        ({"approver": "dana"}, "is the owner too"),
        ({"until": "2027-12-31"}, "at the latest"),
        ({"addresses": ["*"]}, "would be everything"),
        ({"id": "EX/1"}, "needs an id"),
        ({"id": "EX-0"}, "already"),
    ],
)
def test_what_would_be_refused_is_not_added(at_work: Office, fields: dict[str, Any], why: str) -> None:
    at_work.write("exceptions/legacy.yaml", GOOD.replace("EX-1", "EX-0"))
    with pytest.raises(DocumentError, match=why):
        add(at_work.config, entry(**fields), None, at_work.approvals, NOW)
    assert [file.name for file in sorted((at_work.folder / "exceptions").iterdir())] == ["legacy.yaml"]


def test_ending_takes_no_approval_and_lengthens_nothing(at_work: Office) -> None:
    file = sign(at_work, at_work.write("exceptions/legacy.yaml", GOOD))
    end(file, "EX-1", NOW)
    got = loaded(at_work)
    assert got.problems == ()
    assert state(got.found[0], NOW + timedelta(seconds=1)) == "expired"
    file.write_text(file.read_text().replace("ended: '2026-11-27", "ended: '2027-11-27"))
    assert loaded(at_work).found[0].until.date().isoformat() == "2026-12-31"


def test_an_entry_is_found_by_its_id(at_work: Office) -> None:
    file = at_work.write("exceptions/legacy.yaml", GOOD)
    folders = {"exception": file.parent, "standing-change": at_work.folder / "standing"}
    assert find(folders, "EX-1") == ("exception", file)
    with pytest.raises(DocumentError, match="0 entries have the id 'EX-2'"):
        find(folders, "EX-2")
    at_work.write("standing/same.yaml", GOOD)
    with pytest.raises(DocumentError, match="2 entries have the id 'EX-1'"):
        find(folders, "EX-1")


def test_a_file_that_cannot_be_kept_as_it_is_is_left_alone(at_work: Office) -> None:
    written = GOOD.replace("a migration", "2026-99-99")
    file = at_work.write("exceptions/legacy.yaml", written)
    try:
        sign(at_work, file)
    except DocumentError:
        assert file.read_text() == written
    else:
        assert loaded(at_work).found[0].reason == "2026-99-99"


def test_everything_tolerated_at_once(at_work: Office) -> None:
    sign(at_work, at_work.write("exceptions/legacy.yaml", GOOD))
    at_work.write("baseline/shop.yaml", "entries: []\n")
    got = read_tolerated(at_work.config, at_work.approvals.directory, NOW, b"k" * 32)
    assert [one.id for one in got.exceptions] == ["EX-1"]
    assert got.baseline == ()
    assert "shop.yaml" in got.problems[0]
