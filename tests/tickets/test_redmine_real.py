"""What a real Redmine does with what we send, and that the fake answers alike. `make redmine-contract` serves one."""

import re
import uuid

import httpx2
import pytest
import redmine_server
from people import HOUR, START
from redmine_fake import FIELDS, RedminePeople, Site, redmine, served

from agent.model import Case, CaseKey
from agent.tickets import TicketError

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.skipif(bool(redmine_server.MISSING), reason=redmine_server.MISSING or "there is one"),
]
NASTY = (
    "</pre><script>alert('dw')</script><img src=x onerror=alert('dw')> @dana #1 commit:abc [[Wiki]] {{include(x)}}\n"
    '</code></PRE ></kbd>\n~~~\n```\n@dana "a link":http://evil.example !http://evil.example/x.png! h1. Big\n<pre>'
)


@pytest.fixture
def people() -> RedminePeople:
    return redmine_server.people()


def page(people: RedminePeople, ref: str) -> str:
    """An issue as a person's browser gets it."""
    key = {"X-Redmine-API-Key": people.keys["dana"]}
    return httpx2.get(f"{people.url}issues/{ref.removeprefix('RM-')}", headers=key, timeout=60).text


def test_the_page_of_a_hostile_case_runs_and_links_nothing(people: RedminePeople) -> None:
    case = Case(CaseKey(uuid.uuid4().hex), NASTY, (), "low", body=NASTY)
    ref = people.system.open(case)
    people.system.update(ref, NASTY)
    html = page(people, ref)
    said = re.findall(r'<div[^>]*class="wiki"[^>]*>(.*?)</div>', html, re.DOTALL)
    assert len(said) >= 2
    for text in said:
        assert text.count("&lt;script&gt;") >= 1
        assert set(re.findall(r"<([a-z0-9]+)", text)) <= {"p", "pre", "code"}
    assert "<script>alert(" not in html
    assert "<img src=x" not in html


def test_a_wrong_key_is_a_strangers_and_is_found_out(people: RedminePeople) -> None:
    people.approved()
    strange = {"X-Redmine-API-Key": "0" * 40}
    assert httpx2.get(f"{people.url}issues.json", headers=strange, timeout=60).status_code == 200
    intruder = redmine(people.url, "0" * 40)
    found = intruder.lookup([], START, START + HOUR)
    assert found.found == ()
    assert found.unanswered == (f"redmine: {people.url}: does not accept our token",)
    with pytest.raises(TicketError, match="does not accept our token"):
        intruder.find(Case(CaseKey("k"), "x", (), "low"))


def test_a_transition_that_the_workflow_drops_is_an_error(people: RedminePeople) -> None:
    stubborn = redmine(people.url, people.keys["driftwarden"], tracker="Change")
    # 'Closed' is a status that the tracker of changes does not have.
    ref = people.change("dana")
    people.put("dana", ref, {"status_id": 5})  # 204
    with pytest.raises(TicketError, match="its workflow does not let our user close") as failed:
        stubborn.close(ref, "gone")
    assert failed.value.permanent


def test_the_fake_answers_as_the_real_one(people: RedminePeople) -> None:
    site = Site()
    with served(site) as url:
        fake = RedminePeople(url, {login: f"key-{login}" for login in people.keys}, redmine(url, "key-driftwarden"))
        shapes = [shape(one) for one in (people, fake)]
    assert shapes[0] == shapes[1]


def shape(people: RedminePeople) -> list[object]:
    """What a site answers to a few requests: names, kinds of values, statuses."""
    ref = people.approved()
    people.edit(ref)
    people.reply(ref, "lee", "a\nb")
    number = ref.removeprefix("RM-")
    asked = {"include": "journals,allowed_statuses"}
    issue = people.ask("dana", "GET", f"issues/{number}.json", 200, params=asked)["issue"]
    journals = [
        (
            [
                (one["property"], one["name"] if one["property"] == "attr" else FIELDS[int(one["name"]) - 1])
                for one in entry["details"]
            ],
            [(one["old_value"] is None, one["new_value"] is None) for one in entry["details"]],
            entry["notes"],
            entry["user"]["name"],
        )
        for entry in issue["journals"]
    ]
    ours = ("id", "project", "tracker", "status", "author", "subject", "description", "created_on", "updated_on")
    fields = [(one["name"], type(one["value"]).__name__, one.get("multiple")) for one in issue["custom_fields"]]
    statuses = [one["name"] for one in issue["allowed_statuses"]]
    lists = people.ask("dana", "GET", "issues.json", 200, params={"project_id": "changes", "bogus": "~x", "limit": "1"})
    answers = [
        httpx2.request(method, people.url + path, headers={"X-Redmine-API-Key": key}, timeout=60, json=sent).status_code
        for key in (people.keys["dana"], "wrong")
        for method, path, sent in (
            ("GET", "users/current.json", None),
            ("GET", "issues.json?project_id=nope", None),
            ("GET", "issues/999999.json", None),
            ("PUT", f"issues/{number}.json", {"issue": {"notes": "x"}}),
            ("POST", "issues.json", {"issue": {"project_id": "cases", "subject": "x" * 256}}),
        )
    ]
    return [
        journals,
        {name: sorted(issue[name]) if isinstance(issue[name], dict) else None for name in ours},
        fields,
        statuses,
        sorted(lists),
        answers,
    ]
