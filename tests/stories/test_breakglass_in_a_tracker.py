"""Break-glass as an engineer lives it in a ticket: a Roundup issue, answered by its people under their own names."""

from typing import Any

from company import CONFIG, Company
from people import RoundupPeople
from roundup_server import BOT, BOT_PASSWORD, Tracker

from agent.tickets.roundup import Roundup

FORM = """\
driftwarden document

why: Orders were lost
incident: INC-1
done: Raised the time-out until the backlog was gone
told: the on-call, by phone
way-back: codify
"""


def said_in(tracker: Tracker, ref: str) -> list[tuple[str, str]]:
    """Who said what in an issue, oldest first."""
    with tracker.client("dana") as client:
        issue = client.get(f"rest/data/issue/{ref.removeprefix('issue')}").json()["data"]["attributes"]
        numbers = sorted(int(message["id"]) for message in issue["messages"])
        found = [
            client.get(f"rest/data/msg/{number}", params={"@verbose": "3"}).json()["data"]["attributes"]
            for number in numbers
        ]
    return [(one["author"]["username"], one["content"]) for one in found]


def status_of(tracker: Tracker, ref: str) -> str:
    with tracker.client("dana") as client:
        found = client.get(f"rest/data/issue/{ref.removeprefix('issue')}", params={"@verbose": "2"}).json()
    return str(found["data"]["attributes"]["status"]["name"])


def case_of(company: Company) -> dict[str, Any]:
    (case,) = company.scan().document["cases"]
    return dict(case)


def test_from_detection_to_closed(company: Company, tracker: Tracker) -> None:
    table = f"[tickets.roundup]\nurl = '{tracker.url}'\nuser = '{BOT}'\npassword = '{BOT_PASSWORD}'\n"
    filing = CONFIG.replace('mode = "file"', 'mode = "file"\nfile_to = "roundup"')
    company.configure(filing + table)
    people = RoundupPeople(tracker, Roundup(tracker.url, BOT, BOT_PASSWORD))
    company.emergency_calls(20, "ASIADANAROUNDUP00000")
    ref = str(case_of(company)["ticket"])
    ((author, form),) = said_in(tracker, ref)
    assert (author, form.count("why:")) == (BOT, 1)

    # Too little: whoever wrote it is told what is missing, once.
    people.reply(ref, "dana", FORM.replace("why: Orders were lost", "why:"))
    for _ in range(2):
        assert case_of(company)["stage"] == "awaiting-document"
    answers = [text for who, text in said_in(tracker, ref) if who == BOT and "does not count" in text]
    assert len(answers) == 1
    assert "why" in answers[0]

    people.reply(ref, "dana", FORM)
    assert case_of(company)["stage"] == "awaiting-review"
    people.reply(ref, "dana", "driftwarden review: accept\nIt was me, and it was fine.")
    assert case_of(company)["stage"] == "awaiting-review"
    assert any("somebody else reviews it" in text for _, text in said_in(tracker, ref))

    people.reply(ref, "sam", "driftwarden review: accept\nAs the on-call asked.")
    assert case_of(company)["stage"] == "way-back"
    company.codify(80)
    last = company.scan()
    assert (last.document["cases"], last.scan.status) == ([], "clean")
    assert status_of(tracker, ref) == "resolved"
