"""JSON over HTTP with servers that misbehave: every failure is a `TicketError` that says what may pass by itself."""

from datetime import UTC, datetime

import msgspec
import pytest
from misbehaving import Answer, misbehaving

from agent.tickets import TicketError
from agent.tickets.http import RefusedError, Site


class Thing(msgspec.Struct):
    """What is asked for."""

    name: str = ""


def site(url: str, timeout: float = 5.0) -> Site:
    return Site(url, None, {"Authorization": "Bearer secret-word"}, timeout)


def ahead(seconds: float) -> str:
    return str(int(datetime.now(UTC).timestamp() + seconds))


WAITS: dict[str, tuple[Answer, str]] = {
    "429 and a time": (Answer(429, {"Retry-After": "7"}), "7"),
    "403 and a time": (Answer(403, {"Retry-After": "30"}, b'{"message": "secondary"}'), "30"),
    "429 and no word": (Answer(429), "60"),
    "403 in words": (Answer(403, {}, b'{"message": "You have exceeded a secondary rate limit."}'), "60"),
    "403 and nothing left": (Answer(403, {"X-RateLimit-Remaining": "0"}), "60"),
    "429, nothing left, a strange reset": (
        Answer(429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}),
        "60",
    ),
    "a reset long ago": (Answer(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "12"}), "0"),
    "a reset in the far future": (Answer(403, {"RateLimit-Remaining": "0", "RateLimit-Reset": "9" * 12}), "3600"),
}


@pytest.mark.parametrize(("answer", "wait"), WAITS.values(), ids=WAITS)
def test_throttling_in_its_dialects_may_pass(answer: Answer, wait: str) -> None:
    with misbehaving(answer) as server, pytest.raises(RefusedError, match=f"to wait for {wait} s") as failed:
        site(server.url).ask("GET", "x", Thing)
    assert not failed.value.permanent
    assert failed.value.status == answer.status


def test_a_reset_is_when_we_come_back() -> None:
    throttled = Answer(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": ahead(100)})
    with misbehaving(throttled) as server:
        asked = site(server.url)
        for _ in range(3):
            with pytest.raises(TicketError, match=r"wait for (99|100) s"):
                asked.ask("GET", "x", Thing)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(403, {"X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": ahead(100)}, b'{"message": "Forbidden"}'),
        Answer(403, {}, b"<h1>Forbidden</h1>"),
        Answer(401, {"X-RateLimit-Remaining": "0"}),
        Answer(404),
        Answer(422),
    ],
)
def test_a_refusal_that_is_about_what_we_ask_does_not_pass(answer: Answer) -> None:
    with misbehaving(answer) as server, pytest.raises(RefusedError) as failed:
        site(server.url).ask("GET", "x", Thing)
    assert (failed.value.permanent, failed.value.status) == (True, answer.status)
    assert "secret-word" not in str(failed.value)


def test_a_token_that_ends_while_we_ask_is_named() -> None:
    with misbehaving(Answer(401)) as server, pytest.raises(RefusedError, match=r"does not accept our token$"):
        site(server.url).ask("GET", "x", Thing)
    with misbehaving(Answer(), Answer(401)) as server:
        asked = site(server.url)
        asked.ask("GET", "x", Thing)
        with pytest.raises(RefusedError, match=r"no longer accepts our token, .*: expired or revoked") as failed:
            asked.ask("GET", "x", Thing)
    assert failed.value.permanent


BAD: dict[str, tuple[Answer, str]] = {
    "half an answer": (Answer(headers={"Content-Length": "100"}, body=b'{"name": "x'), "did not answer: "),
    "half of its JSON": (Answer(body=b'{"name": "x'), "answered what we do not understand"),
    "no answer": (Answer(hang_up=True), "did not answer: "),
    "HTML": (Answer(body=b"<!doctype html><title>Sign in</title>"), "answered what we do not understand"),
    "not UTF-8": (Answer(body=b'{"name": "\xff"}'), "answered what we do not understand"),
    "another type": (Answer(body=b'{"name": 7}'), "answered what we do not understand: Expected `str`, got `int`"),
    "deep": (Answer(body=b"[" * 100_000), "answered what we do not understand"),
    "nothing where something is needed": (Answer(204, body=b""), "Expected `object`, got `null`"),
    "huge": (Answer(body=b" " * 16_000_001), "answered more than 16,000,000 bytes"),
    "compressed": (Answer(headers={"Content-Encoding": "br"}), "answered compressed, which we did not ask for"),
    "broken": (Answer(502, body=b"<h1>Bad gateway\x1b[2J</h1>"), "answered 502: <h1>Bad gateway⟨U+001B⟩[2J</h1>"),
}


@pytest.mark.parametrize(("answer", "why"), BAD.values(), ids=BAD)
def test_a_bad_answer_may_pass(answer: Answer, why: str) -> None:
    with misbehaving(answer) as server, pytest.raises(TicketError) as failed:
        site(server.url).ask("GET", "x", Thing)
    assert (failed.value.permanent, why in str(failed.value)) == (False, True), str(failed.value)


def test_a_slow_answer_is_not_waited_for() -> None:
    slow = misbehaving(Answer(body=b" " * 20, pieces=20, pause=0.05))
    with slow as server, pytest.raises(TicketError, match=r"had not answered in full after 0\.2 s"):
        site(server.url, timeout=0.2).ask("GET", "x", Thing)


def test_a_redirect_is_not_followed() -> None:
    with misbehaving(Answer(301, {"Location": "http://169.254.169.254/"})) as server:
        with pytest.raises(RefusedError, match=r"redirects to http://169\.254\.169\.254/; configure the address"):
            site(server.url).ask("GET", "x", Thing)
        assert len(server.asked) == 1


def test_an_answer_without_a_body_is_nothing() -> None:
    with misbehaving(Answer(204, body=b"")) as server:
        assert site(server.url).ask("PUT", "x", type(None), send={"a": 1}) is None


def test_pages_are_read_one_after_the_other() -> None:
    first = Answer(body=b'{"name": "1"}', headers={"Link": '<?page=2>; rel="next", <?page=9>; rel="last"'})
    last = Answer(body=b'{"name": "2"}', headers={"Link": '<?page=1>; rel="prev", <?page=9>; rel="last"'})
    with misbehaving(first, last) as server:
        asked = site(server.url)
        page = asked.ask_page("GET", "things", Thing, params={"size": "1"})
        assert (page.answer.name, page.next) == ("1", "things?page=2")
        page = asked.ask_page("GET", page.next or "", Thing)
        assert (page.answer.name, page.next) == ("2", None)
        assert server.asked == ["GET /tk/things?size=1", "GET /tk/things?page=2"]


@pytest.mark.parametrize(
    "link", ["<http://evil.example.com/tk/x?page=2>", "<//evil.example.com/tk/x>", "</admin>", "<file:///etc/passwd>"]
)
def test_a_next_page_elsewhere_is_refused_and_our_token_stays(link: str) -> None:
    with misbehaving(Answer(headers={"Link": f'{link}; rel="next"'})) as server:
        with pytest.raises(TicketError, match="which is another site"):
            site(server.url).ask_page("GET", "x", Thing)
        assert len(server.asked) == 1
        assert site(server.url).ask("GET", "x", Thing) == Thing()


@pytest.mark.parametrize("link", ["", "nonsense", "<>; rel=next", '<x>; rel="last"', "<" * 9000, '<x>; rel="nextest"'])
def test_other_links_are_none(link: str) -> None:
    with misbehaving(Answer(headers={"Link": link})) as server:
        assert site(server.url).ask_page("GET", "x", Thing).next is None
