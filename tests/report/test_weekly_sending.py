"""The weekly job: made, kept, written, and e-mailed once, whatever happens in between."""

import email
from collections.abc import Iterator
from datetime import timedelta
from email import policy
from pathlib import Path
from typing import Any

import pytest
import weekly_story as story
from test_mail import Post, Postbox, certificates
from weeks import Life, at, config

from agent.mail import MailError
from agent.report.weekly import make, post, weekly_job
from agent.store import Store, connect
from agent.tables import ReportConfig, SmtpConfig

HOUR = timedelta(hours=1)
TO = ("lead@acme.example", "security@acme.example")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    """Servers that e-mail is handed to."""
    _, server = certificates(tmp_path_factory.mktemp("tls"))
    post = Post(server)
    yield post
    post.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store that knows of one bad night."""
    with connect(f"sqlite:///{tmp_path}/driftwarden.db") as opened:
        life = Life(opened)
        life.opens(at("2026-11-03 10:00"), 22)
        life.looks(at("2026-11-03 11:00"), at("2026-11-04 01:00"))
        yield opened


def given(folder: Path, port: int, **more: Any) -> Any:
    smtp = SmtpConfig(host="localhost", port=port, security="none", sender="driftwarden@acme.example")
    return config(folder, **({"report": ReportConfig(to=TO), "smtp": smtp} | more))


def messages(box: Postbox) -> list[Any]:
    return [email.message_from_bytes(content, policy=policy.default) for _, content in box.taken]


def test_it_is_sent_once(office: Post, store: Store, tmp_path: Path) -> None:
    box = Postbox(refuses=frozenset({TO[1]}))
    settings = given(tmp_path, office.open(box, "none"))
    done = weekly_job(settings, store, story.NOW)
    assert (done.id, done.sent, dict(done.refused)) == (
        "weekly-2026-W45",
        True,
        {TO[1]: "550 5.1.1 no such mailbox"},
    )
    assert [path.name for path in done.paths] == [f"weekly-2026-W45.{suffix}" for suffix in ("html", "md", "json")]
    (letter,) = messages(box)
    assert letter["Subject"] == "estate, week 2026-W45: incomplete; 1 change without authority, 1 in production"
    bodies = {kind: letter.get_body([kind]).get_content().replace("\r\n", "\n") for kind in ("plain", "html")}
    assert (bodies["plain"].strip(), bodies["html"].strip()) == (
        done.paths[1].read_text().strip(),
        done.paths[0].read_text().strip(),
    )
    (kept,) = store.reports.last("weekly", 5)
    assert (kept.sha256, kept.sent_at) == (done.sha256, story.NOW)
    (told,) = [one for one in store.ledger.events() if one.kind == "report.sent"]
    assert told.body == {"report": done.id, "sha256": done.sha256, "to": list(TO), "refused": [TO[1]]}
    # The daemon was restarted, or catches up: nobody gets it twice, though more is known by now.
    Life(store, runs=50).look(story.NOW)
    again = weekly_job(settings, store, story.NOW + HOUR)
    assert (again.sent, again.sent_before, len(box.taken)) == (False, story.NOW, 1)
    # A person may have it sent again; it is another letter.
    assert post(settings, store, make(settings, store, story.NOW + HOUR), story.NOW + HOUR)
    first, second = messages(box)
    assert first["Message-ID"] != second["Message-ID"]


def test_a_letter_nobody_knows_was_sent_comes_again_under_its_id(office: Post, store: Store, tmp_path: Path) -> None:
    box = Postbox()
    settings = given(tmp_path, office.open(box, "none"))

    class Died(BaseException):
        """The process ended here."""

    def die(*_: Any, **__: Any) -> None:
        raise Died

    with pytest.MonkeyPatch.context() as patch:
        # Between the server's answer and the store: the one moment at which both can differ.
        keep = post.__globals__["keep"]
        patch.setitem(post.__globals__, "keep", lambda *a, **k: die() if "sent_at" in k else keep(*a, **k))
        with pytest.raises(Died):
            weekly_job(settings, store, story.NOW)
    (kept,) = store.reports.last("weekly", 5)
    assert (kept.sent_at, len(box.taken)) == (None, 1)
    Life(store, runs=50).look(story.NOW)  # by now it says something else
    assert weekly_job(settings, store, story.NOW + HOUR).sent
    first, second = messages(box)
    assert first["Message-ID"] == second["Message-ID"]
    assert weekly_job(settings, store, story.NOW + 2 * HOUR).sent_before == story.NOW + HOUR


def test_a_server_that_is_down_keeps_the_report_and_is_tried_again(office: Post, store: Store, tmp_path: Path) -> None:
    box = Postbox(data_answer="451 try again later")
    settings = given(tmp_path, office.open(box, "none"))
    with pytest.raises(MailError, match="451 try again later"):
        weekly_job(settings, store, story.NOW)
    (kept,) = store.reports.last("weekly", 5)
    assert kept.sent_at is None
    assert (tmp_path / "reports" / "weekly-2026-W45.html").exists()
    box.data_answer = ""
    assert weekly_job(settings, store, story.NOW + HOUR).sent
    assert len(box.taken) == 1


def test_who_is_refused_for_now_gets_it_later_and_nobody_gets_it_twice(
    office: Post, store: Store, tmp_path: Path
) -> None:
    gone = "gone@acme.example"
    box = Postbox(refuses=frozenset({gone}), later=frozenset({TO[1]}))
    settings = given(tmp_path, office.open(box, "none"), report=ReportConfig(to=(*TO, gone)))
    for hour in range(2):
        with pytest.raises(MailError, match=rf"not yet taken for {TO[1]}: 450 4\.2\.1 greylisted") as failed:
            weekly_job(settings, store, story.NOW + hour * HOUR)
        assert not failed.value.permanent
        assert gone not in str(failed.value)  # nobody tries that one again
        assert [to for to, _ in box.taken] == [[TO[0]]]
    box.later = frozenset()
    Life(store, runs=50).look(story.NOW)  # by now the week says something else: the letter is the one the other got
    done = weekly_job(settings, store, story.NOW + 2 * HOUR)
    assert (done.sent, done.sent_before, dict(done.refused)) == (True, story.NOW, {})
    assert [to for to, _ in box.taken] == [[TO[0]], [TO[1]]]
    assert box.taken[0][1] == box.taken[1][1]
    assert not weekly_job(settings, store, story.NOW + 3 * HOUR).sent
    told = [one.body for one in store.ledger.events() if one.kind == "report.sent"]
    assert [(one["to"], one["refused"], one.get("again", [])) for one in told] == [
        ([*TO, gone], [gone, TO[1]], [TO[1]]),
        ([TO[1]], [TO[1]], [TO[1]]),
        ([TO[1]], [], []),
    ]


def test_where_nobody_is_named_it_is_written_and_not_sent(store: Store, tmp_path: Path) -> None:
    settings = given(tmp_path, 1, report=ReportConfig())
    done = weekly_job(settings, store, story.NOW)
    assert (done.sent, done.sent_before, len(done.paths)) == (False, None, 3)
    # Addresses that are added later get the report of the week that is over.
    with pytest.raises(MailError, match="cannot be reached"):
        weekly_job(given(tmp_path, 1), store, story.NOW + HOUR)
