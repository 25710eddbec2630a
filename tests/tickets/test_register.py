"""The register's files: what is read, what is refused and how it is said, what filing writes."""

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import told
from roundup_server import PAGE

from agent.model import Case, CaseKey, FindingId, Ticket, TicketEvent, TicketScope
from agent.tickets import TicketError, document
from agent.tickets.register import Register
from agent.tickets.terms import LISTS
from agent.tickets.text import lines

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DAY = timedelta(days=1)
CASE = Case(
    CaseKey("0123456789abcdef"),
    "aws_sqs_queue.orders: changed by dana (console) without authority",
    findings=(FindingId("F-aaaaaaaaaaaa"), FindingId("F-bbbbbbbbbbbb")),
    severity="high",
    rules=("unticketed-change",),
    controls=("SOX-CC-05", "PCI DSS 6.5.1"),
    opened_at=NOW,
    body="aws_sqs_queue.orders\n  visibility_timeout_seconds: declared 30, live 900",
)


@pytest.fixture
def register(tmp_path: Path) -> Register:
    directory = tmp_path / "tickets"
    directory.mkdir()
    return Register(directory, lambda: NOW)


def problems(register: Register, text: str | bytes) -> list[str]:
    """What is wrong with a file, its directory left out."""
    data = text.encode() if isinstance(text, str) else text
    (register.directory / "chg.yaml").write_bytes(data)
    return [problem.removeprefix(f"{register.directory.parent}/") for problem in register.check()]


def test_the_ticket_of_the_page_is_read(register: Register) -> None:
    (text,) = [block.split("```")[0] for block in PAGE.read_text().split("```yaml\n")[1:]]
    assert problems(register, text) == []
    (ticket,) = register.lookup(["CHG-1042"], NOW, NOW).found
    assert ticket == Ticket(
        "CHG-1042",
        "register",
        title="Raise the visibility timeout of the orders queue",
        url="https://tickets.example.com/CHG-1042",
        requester="dana",
        implementer="dana",
        scope=TicketScope(("aws_sqs_queue.orders", "module.orders.*"), accounts=("012345678901",)),
        start=datetime(2026, 11, 22, 10, tzinfo=UTC),
        end=datetime(2026, 11, 22, 12, tzinfo=UTC),
        history=(
            TicketEvent(datetime(2026, 11, 20, 9, 12, tzinfo=UTC), "requested"),
            TicketEvent(datetime(2026, 11, 21, 15, 40, tzinfo=UTC), "approved"),
            TicketEvent(datetime(2026, 11, 21, 15, 40, tzinfo=UTC), approved_by="sam"),
            TicketEvent(datetime(2026, 11, 22, 10, 5, tzinfo=UTC), "implementing"),
            TicketEvent(datetime(2026, 11, 22, 10, 30, tzinfo=UTC), "closed"),
        ),
    )


def test_everything_that_can_be_asked_for_is_read(register: Register) -> None:
    scope = {name: f"[a={name}]" for name in LISTS}
    lines = "".join(f"  {name}: {items}\n" for name, items in scope.items())
    text = f"ref: A\nplan: sha256:{'0f' * 32}\ngroups: [dba, platform]\nscope:\n{lines}"
    assert problems(register, text) == []
    (ticket,) = register.lookup([], NOW, NOW).found
    assert ticket.scope == TicketScope(*((f"a={name}",) for name in LISTS))
    assert ticket.plan
    assert (ticket.plan.fingerprint, ticket.plan.changes, ticket.groups) == (
        f"sha256:{'0f' * 32}",
        None,
        ("dba", "platform"),
    )


EDITED = """\
ref: A
implementer: dana
scope: {types: [aws_a, aws_b]}
window: {end: 2026-11-22T18:00Z}
history:
- {at: 2026-11-20T09:00Z, state: draft}
- {at: 2026-11-20T10:00Z, state: approved, approved_by: sam, group: security}
- {at: 2026-11-21T10:00Z, edited: {scope: {types: [aws_a]}, window: }}
- {at: 2026-11-21T11:00Z, state: approved, approved_by: kim}
- {at: 2026-11-21T12:00Z, edited: {implementer: lee}}
"""


def test_an_edit_ends_the_approvals_of_what_was_approved_before(register: Register) -> None:
    assert problems(register, EDITED) == []
    found = register.lookup(["A"], NOW, NOW).found
    assert [(one.implementer, one.scope.types, one.end and one.end.hour) for one in found] == [
        ("lee", ("aws_a",), None),
        ("lee", ("aws_a", "aws_b"), 18),
        ("dana", ("aws_a", "aws_b"), 18),
    ]
    assert [told(one) for one in found] == [
        ["draft", "approved", "+sam", "edited after approval", "-sam"],
        ["edited after approval", "approved", "+kim", "edited after approval", "-kim"],
        ["edited after approval"],
    ]
    assert found[0].history[2].group == "security"


def test_scalars_stay_as_written_and_times_become_utc(register: Register) -> None:
    text = "ref: 1042\ntitle: no\nrequester: 0x1F\nwindow: {start: 2026-11-22 10:00+02:00}\n"
    text += "scope: {accounts: [012345678901]}\n"
    assert problems(register, text) == []
    (ticket,) = register.lookup([], NOW, NOW).found
    assert (ticket.ref, ticket.title, ticket.requester) == ("1042", "no", "0x1F")
    assert ticket.scope.accounts == ("012345678901",)
    assert (ticket.start, ticket.end) == (datetime(2026, 11, 22, 8, tzinfo=UTC), None)


MISTAKES = {
    "unknown field": (
        "ref: A\ntitle: x\nimplementor: dana\n",
        ["tickets/chg.yaml:3: unknown field 'implementor'; did you mean 'implementer'?"],
    ),
    "unknown field, nothing near": (
        "ref: A\nscope:\n  colour: [red]\n",
        [
            "tickets/chg.yaml:3: unknown field 'colour'; 'scope' has addresses, resources, types, accounts, "
            "environments, tags, names, attributes, actions"
        ],
    ),
    "several at once": (
        "tickets:\n- ref: A\n  kind: urgent\n  scope: everything\n- title: x\n",
        [
            "tickets/chg.yaml:3: 'kind' must be normal, standard, emergency, not 'urgent'",
            "tickets/chg.yaml:4: 'scope' must be a mapping with fields addresses, resources, types, accounts, "
            "environments, tags, names, attributes, actions, not 'everything'",
            "tickets/chg.yaml:5: a ticket needs a ref, for example ref: CHG-1042",
        ],
    ),
    "not a list": (
        "ref: A\nscope: {types: aws_sqs_queue}\n",
        ["tickets/chg.yaml:2: 'types' must be a list, not 'aws_sqs_queue'"],
    ),
    "not text": ("ref: A\ntitle: [x]\n", ["tickets/chg.yaml:2: 'title' must be text, not a list"]),
    "item not text": (
        "ref: A\nscope:\n  types:\n  - {a: b}\n",
        ["tickets/chg.yaml:4: an item of 'types' must be text, not a mapping"],
    ),
    "no zone": (
        "ref: A\nwindow: {start: 2026-11-22T10:00}\n",
        ["tickets/chg.yaml:2: 'start' has no time zone; write 2026-11-22T10:00:00Z for UTC, or its offset"],
    ),
    "no time": (
        "ref: A\nwindow: {start: tomorrow}\n",
        ["tickets/chg.yaml:2: 'start' must be a time such as 2026-11-22T10:00:00Z, not 'tomorrow'"],
    ),
    "window backwards": (
        "ref: A\nwindow:\n  start: 2026-11-22T10:00Z\n  end: 2026-11-22T11:00+02:00\n",
        ["tickets/chg.yaml:4: 'end' must be later than 'start'"],
    ),
    "history backwards": (
        "ref: A\nhistory:\n- {at: 2026-11-22T10:00Z, state: approved}\n- {at: 2026-11-21T10:00Z, state: closed}\n",
        ["tickets/chg.yaml:4: history runs forward in time, and the entry above is of 2026-11-22T10:00:00Z"],
    ),
    "history without time": (
        "ref: A\nhistory:\n- state: approved\n",
        ["tickets/chg.yaml:3: a history entry needs a time, for example at: 2026-11-22T10:00:00Z"],
    ),
    "history without news": (
        "ref: A\nhistory:\n- at: 2026-11-22T10:00Z\n",
        ["tickets/chg.yaml:3: a history entry needs a state, approved_by, withdrawn_by or edited"],
    ),
    "group without approval": (
        "ref: A\nhistory:\n- {at: 2026-11-22T10:00Z, state: approved, group: security}\n",
        ["tickets/chg.yaml:3: 'group' is the group that 'approved_by' speaks for; there is no approval here"],
    ),
    "edited from nothing": (
        "ref: A\nhistory:\n- {at: 2026-11-22T10:00Z, edited: {}}\n",
        [
            "tickets/chg.yaml:3: 'edited' names what was edited, with what it said before: any of kind, implementer, "
            "scope, window, plan, groups"
        ],
    ),
    "edited, and not from what": (
        "ref: A\nhistory:\n- {at: 2026-11-22T10:00Z, edited: true}\n",
        [
            "tickets/chg.yaml:3: 'edited', which holds what was said before, must be a mapping with fields kind, "
            "implementer, scope, window, plan, groups, not 'true'"
        ],
    ),
    "edited from a mistake": (
        "ref: A\nhistory:\n- at: 2026-11-22T10:00Z\n  edited:\n    kind: urgent\n    titel: x\n",
        [
            "tickets/chg.yaml:5: 'kind' must be normal, standard, emergency, not 'urgent'",
            "tickets/chg.yaml:6: unknown field 'titel'; 'edited', which holds what was said before, has kind, "
            "implementer, scope, window, plan, groups",
        ],
    ),
    "no fingerprint": (
        "ref: A\nplan: latest\n",
        ["tickets/chg.yaml:2: 'plan' is a fingerprint such as sha256:9f2c… with 64 digits, not 'latest'"],
    ),
    "no tag": (
        "ref: A\nscope: {tags: [Team=blue, red]}\n",
        ["tickets/chg.yaml:2: an item of 'tags' must be Name=value, not 'red'"],
    ),
    "bad ref": (
        "ref: a b\n",
        ["tickets/chg.yaml:1: 'ref' is up to 64 letters, digits and . _ : / # -, for example CHG-1042"],
    ),
    "bad url": (
        "ref: A\nurl: javascript:alert(1)\n",
        ["tickets/chg.yaml:2: 'url' must start with https:// or http://"],
    ),
    "twice in a file": (
        "tickets:\n- ref: A\n- ref: B\n- ref: A\n",
        ["tickets/chg.yaml:4: ref 'A' stands in tickets/chg.yaml:2 as well"],
    ),
    "field twice": ("ref: A\ntitle: x\nref: B\n", ["tickets/chg.yaml:3: field 'ref' stands here and on line 1"]),
    "not a ticket": (
        "- ref: A\n",
        [
            "tickets/chg.yaml:1: a ticket must be a mapping with fields ref, title, kind, requester, implementer, url, "
            "scope, window, plan, groups, history, not a list",
            "tickets/chg.yaml:1: a ticket needs a ref, for example ref: CHG-1042",
        ],
    ),
    "a case": (
        "case: abc\nstate: open\nhistory: []\n",
        [
            "tickets/chg.yaml:1: unknown field 'case'; a ticket has ref, title, kind, requester, implementer, url, "
            "scope, window, plan, groups, history",
            "tickets/chg.yaml:1: a ticket needs a ref, for example ref: CHG-1042",
            "tickets/chg.yaml:2: unknown field 'state'; a ticket has ref, title, kind, requester, implementer, url, "
            "scope, window, plan, groups, history",
        ],
    ),
    "not YAML": (
        "ref: [A\ntitle: x\n",
        ["tickets/chg.yaml:2: is not YAML: while parsing a flow sequence did not find expected ',' or ']'"],
    ),
    "control character": (
        "ref: \x1b[31mA\n",
        ["tickets/chg.yaml: is not YAML: unacceptable character #x001b: control characters are not allowed"],
    ),
    "escaped control character": (
        'ref: A\n"\\e[31m": x\n',
        [
            "tickets/chg.yaml:2: unknown field '⟨U+001B⟩[31m'; a ticket has ref, title, kind, requester, implementer, "
            "url, scope, window, plan, groups, history"
        ],
    ),
    "not UTF-8": (b"ref: A\ntitle: \xff\n", ["tickets/chg.yaml:2: is not UTF-8"]),
    "two documents": (
        "ref: A\n---\nref: B\n",
        ["tickets/chg.yaml:2: a second document starts here; keep one to a file"],
    ),
    "tag": (
        "ref: !!python/name:os.system [x]\n",
        ["tickets/chg.yaml:1: tag 'tag:yaml.org,2002:python/name:os.system' is not taken; write the plain value"],
    ),
    "billion laughs": (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        ["tickets/chg.yaml:2: alias '*a' is not taken; write the value out"],
    ),
    "deep": ("ref: " + "[" * 100_000, ["tickets/chg.yaml:1: is nested deeper than 10 levels"]),
    "deep blocks": ("- " * 50_000, ["tickets/chg.yaml:1: is nested deeper than 10 levels"]),
    "large": ("#" * 1_000_001, ["tickets/chg.yaml: is larger than 1,000,000 bytes; split it"]),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_line(register: Register, text: str | bytes, said: list[str]) -> None:
    (register.directory / "good.yaml").write_text("ref: GOOD\n")
    assert [line.replace(f"{register.directory.parent}/", "") for line in problems(register, text)] == said
    found = register.lookup(["GOOD", "A", "B"], NOW, NOW)
    assert [ticket.ref for ticket in found.found] == ["GOOD"]
    assert found.unanswered == register.check()


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "tickets:\n", "tickets: []\n", "\ufeffref: A\n"])
def test_an_empty_file_is_no_mistake(register: Register, text: str) -> None:
    assert problems(register, text) == []


def test_a_reference_in_two_files_gives_no_authority(register: Register) -> None:
    (register.directory / "a.yaml").write_text("tickets: [{ref: A}, {ref: B}]\n")
    (register.directory / "b.yml").write_text("# later\nref: A\n")
    found = register.lookup(["A", "B"], NOW, NOW)
    assert [ticket.ref for ticket in found.found] == ["B"]
    assert found.unanswered == (
        f"{register.directory}/b.yml:2: ref 'A' stands in {register.directory}/a.yaml:1 as well",
    )


def test_only_yaml_files_of_the_directory_itself_are_tickets(register: Register) -> None:
    (register.directory / "sub").mkdir()
    for name in ("sub/a.yaml", ".a.yaml", "a.yaml.swp", "README.md"):
        (register.directory / name).write_text("ref: A\n")
    assert register.lookup(["A"], NOW, NOW).found == ()


def test_what_cannot_be_read_is_named(register: Register) -> None:
    os.mkfifo(register.directory / "pipe.yaml")
    (register.directory / "gone.yaml").symlink_to("nowhere")
    (register.directory / "folder.yaml").mkdir()
    assert register.lookup([], NOW, NOW).unanswered == tuple(
        f"{register.directory}/{name}.yaml: is not a regular file" for name in ("folder", "gone", "pipe")
    )


def test_a_missing_directory_is_unanswered_and_takes_no_cases(tmp_path: Path) -> None:
    register = Register(tmp_path / "nowhere", lambda: NOW)
    assert register.lookup([], NOW, NOW).unanswered == (f"{tmp_path}/nowhere: no such directory",)
    assert register.find(CASE) is None
    with pytest.raises(TicketError, match="nowhere/cases: No such file or directory") as failed:
        register.open(CASE)
    assert not failed.value.permanent
    assert not (tmp_path / "nowhere").exists()


def test_a_case_file_reads_well(register: Register) -> None:
    register.open(CASE)
    register.update("DW-0123456789ab", "seen again\n  delay_seconds: declared 0, live 5")
    register.close("DW-0123456789ab", "what was found is no longer so")
    assert (
        (register.directory / "cases" / "DW-0123456789ab.yaml").read_text()
        == """\
case: 0123456789abcdef
title: 'aws_sqs_queue.orders: changed by dana (console) without authority'
state: closed
severity: high
rules:
- unticketed-change
controls:
- SOX-CC-05
- PCI DSS 6.5.1
findings:
- F-aaaaaaaaaaaa
- F-bbbbbbbbbbbb
body: |
  aws_sqs_queue.orders
    visibility_timeout_seconds: declared 30, live 900
history:
- at: '2026-11-22T10:30:00Z'
  state: open
- at: '2026-11-22T10:30:00Z'
  note: |
    seen again
      delay_seconds: declared 0, live 5
- at: '2026-11-22T10:30:00Z'
  state: closed
  note: what was found is no longer so
"""
    )


def test_what_people_write_into_a_case_stays(register: Register) -> None:
    ref = register.open(CASE)
    file = register.cases / f"{ref}.yaml"
    mine = "# dana: looking into it\nassignee: dana   # until Friday\n"
    file.write_text(mine + file.read_text() + "- at: 2026-11-22T11:00:00Z\n  note: asked sam  # by phone\n")
    register.close(ref, "put back")
    text = file.read_text()
    assert text.startswith(mine)
    assert "- at: 2026-11-22T11:00:00Z\n  note: asked sam  # by phone\n" in text
    assert text.endswith("  state: closed\n  note: put back\n")


def test_a_broken_case_file_is_an_error_and_not_a_second_case(register: Register) -> None:
    file = register.cases / f"{register.open(CASE)}.yaml"
    file.write_text(file.read_text().replace("state: open", "state: [open", 1))
    for act in (register.find, register.open):
        with pytest.raises(TicketError, match=r"cases/DW-0123456789ab.yaml:4: is not YAML"):
            act(CASE)
    assert [file] == list(register.cases.iterdir())


def test_two_keys_with_one_beginning_are_two_cases(register: Register) -> None:
    other = Case(CaseKey("0123456789abXXXX"), "other", (), "low")
    assert [register.open(CASE), register.open(other)] == ["DW-0123456789ab", "DW-0123456789ab-2"]
    assert [register.find(CASE), register.find(other)] == ["DW-0123456789ab", "DW-0123456789ab-2"]


def test_its_own_case_is_found_before_one_that_shares_a_finding(register: Register) -> None:
    register.open(Case(CaseKey("000000000000"), "shares a finding", CASE.findings, "low"))
    ref = register.open(CASE)
    assert register.find(CASE) == ref


def test_many_at_once_open_one_case(register: Register) -> None:
    refs: list[str] = []
    threads = [threading.Thread(target=lambda: refs.append(register.open(CASE))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refs == ["DW-0123456789ab"] * 8
    assert [file.name for file in register.cases.iterdir()] == ["DW-0123456789ab.yaml"]


def test_a_draft_left_by_a_crash_does_no_harm(register: Register) -> None:
    file = register.cases / f"{register.open(CASE)}.yaml"
    draft = file.with_name(f".{file.name}.draft")
    os.link(file, draft)
    before = file.read_text()
    register.update(file.stem, "more")
    assert file.read_text() == before + "- at: '2026-11-22T10:30:00Z'\n  note: more\n"
    assert not draft.exists()


def test_a_file_system_that_refuses_is_an_error_that_may_pass(register: Register) -> None:
    ref = register.open(CASE)
    before = (register.cases / f"{ref}.yaml").read_text()
    (register.cases / f".{ref}.yaml.draft").mkdir()
    with pytest.raises(TicketError, match="tickets/cases: Is a directory") as failed:
        register.update(ref, "more")
    assert not failed.value.permanent
    assert (register.cases / f"{ref}.yaml").read_text() == before


def test_a_date_that_is_none_is_an_error_with_the_file(register: Register) -> None:
    ref = register.open(CASE)
    file = register.cases / f"{ref}.yaml"
    file.write_text(file.read_text() + "- at: 2026-22-11\n  note: mine\n")
    with pytest.raises(TicketError, match=rf"cases/{ref}.yaml: cannot be kept as it is: month must be in 1..12"):
        register.update(ref, "more")
    assert register.find(CASE) == ref


def test_a_full_case_takes_no_more_notes_and_can_be_closed(register: Register) -> None:
    ref = register.open(CASE)
    for number in range(3):
        register.update(ref, f"{number}\n" + "\U0001f600" * 1999 + ("\n" + "\U0001f600" * 1999) * 28)
    with pytest.raises(TicketError, match="is full, and takes no more notes") as failed:
        register.update(ref, "one more")
    assert failed.value.permanent
    register.close(ref, ("\U0001f600" * 1999 + "\n") * 100)
    assert register.find(CASE) is None
    assert (register.cases / f"{ref}.yaml").stat().st_size < document.MAX_BYTES


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(), max_size=120), title=st.text(max_size=40))
def test_any_text_can_be_filed_and_read_again(tmp_path_factory: pytest.TempPathFactory, text: str, title: str) -> None:
    register = Register(tmp_path_factory.mktemp("any"), lambda: NOW)
    ref = register.open(Case(CaseKey("k"), title, (FindingId("F-1"),), "low", body=text))
    register.update(ref, f"note {text}")
    register.close(ref, title)
    read = document.parse(document.text(register.cases / f"{ref}.yaml"), Path("x")).data
    assert isinstance(read, dict)
    assert isinstance(history := read["history"].data, list)
    assert [(read["body"].data or "").strip("\n"), read["state"].data] == [lines(text), "closed"]
    assert [event.data["note"].data.strip("\n") for event in history[1:2]] == [lines(f"note {text}")]


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@`,?~ \n\t\\0"), max_size=60))
def test_any_yaml_is_read_or_refused(text: str) -> None:
    try:
        document.parse(text, Path("x"))
    except document.DocumentError as error:
        assert str(error).startswith("x:")
