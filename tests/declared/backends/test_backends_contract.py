"""What every backend keeps to: what is there is read, what is not is said, and no secret is said with it."""

import json
from typing import Any

import pytest
from state_places import CANARY, Place

from agent.declared import backends
from agent.declared.state import NoStateError, StateError, read_state

STATE = json.dumps(
    {"version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "l-1", "outputs": {}, "resources": []}
).encode()
OLDER = STATE.replace(b'"serial": 7', b'"serial": 6')


def refused(place: Place, location: str = "", **changes: Any) -> StateError:
    """The error, which holds no secret."""
    with pytest.raises(StateError) as caught:
        backends.read(location or place.location(), place.access(**changes))
    error: BaseException | None = caught.value
    assert CANARY not in str(error)
    assert "\n" not in str(error)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_present(place: Place) -> None:
    place.put(STATE, place.first)
    found = backends.read(place.location(), place.access())
    assert found.data == STATE == backends.fetch(place.location(), place.access())
    assert read_state(found.data, place.location()).serial == 7
    assert found.locked == ""
    assert bool(found.version) == place.versions
    assert (found.unseen == "") == (place.lock is not None)


def test_a_location_is_the_backends_and_no_secret(place: Place) -> None:
    location = place.location()
    begins = {"local": "terraform.tfstate", "http": "http://127.0.0.1", "cloud": "remote://localhost"}
    assert location.startswith(begins.get(place.name, f"{place.name}://"))
    assert CANARY not in location
    assert CANARY not in repr(place.access())
    place.put(f"{CANARY}".encode(), place.first)
    assert CANARY not in repr(backends.read(location, place.access()))


def test_absent(place: Place) -> None:
    error = refused(place)
    assert isinstance(error, NoStateError)
    assert "there is no" in str(error)


def test_empty(place: Place) -> None:
    place.put(b"", place.first)
    with pytest.raises(StateError, match=r"is empty|there is no state"):
        read_state(backends.fetch(place.location(), place.access()), place.location())


def test_denied(place: Place) -> None:
    place.put(STATE, place.first)
    if place.denied is None:
        # The local superuser and moto let everybody in: see test_backends.py.
        assert place.name in ("local", "s3")
        return
    error = refused(place, settings=place.settle(**place.denied))
    assert not isinstance(error, NoStateError)
    assert "access denied" in str(error) or "does not accept our" in str(error)


@pytest.mark.parametrize("data", [b"<html><body>Sign in</body></html>", b"\n <?xml version='1.0'?><Error/>"])
def test_a_page_instead_of_a_state(place: Place, data: bytes) -> None:
    place.put(data, place.first)
    assert "holds HTML or XML, not a state" in str(refused(place))


def test_garbage(place: Place) -> None:
    place.put(b"\x1f\x7f garbage " + CANARY.encode(), place.first)
    with pytest.raises(StateError, match=r"is not whole JSON") as error:
        read_state(backends.fetch(place.location(), place.access()), place.location())
    assert CANARY not in str(error.value)


def test_too_large(place: Place) -> None:
    place.put(STATE, place.first)
    assert backends.fetch(place.location(), place.access(limit=len(STATE))) == STATE
    error = refused(place, limit=len(STATE) - 1)
    assert f"{len(STATE):,} bytes, at most {len(STATE) - 1:,} are read: split the stack" in str(error)


def test_locked(place: Place) -> None:
    place.put(STATE, place.first)
    if place.lock is None or place.unlock is None:
        assert place.name == "http"
        assert backends.read(place.location(), place.access()).unseen
        return
    place.lock(place.first)
    found = backends.read(place.location(), place.access())
    assert "ann" in found.locked
    assert CANARY not in found.locked
    assert found.data == STATE
    place.unlock(place.first)
    assert backends.read(place.location(), place.access()).locked == ""


def test_workspaces(place: Place) -> None:
    blue = place.first.replace("red", "blue") if "red" in place.first else "blue"
    if not place.workspaces:
        with pytest.raises(StateError, match="has no workspaces: select `default`"):
            place.location(blue)
        return
    place.put(STATE, place.first)
    place.put(OLDER, blue)
    assert place.location() != place.location(blue)
    assert read_state(backends.fetch(place.location(), place.access()), "s").serial == 7
    assert read_state(backends.fetch(place.location(blue), place.access()), "s").serial == 6


def test_versions(place: Place) -> None:
    place.put(OLDER, place.first)
    place.put(OLDER.replace(b"6", b"5"), place.first)
    place.put(STATE, place.first)
    found = list(backends.history(place.location(), place.access()))
    if not place.versions:
        assert found == []
        with pytest.raises(StateError, match="has no versions"):
            backends.read(place.location(), place.access(), "1")
        return
    assert len(found) == 3
    assert found[0].id == backends.read(place.location(), place.access()).version
    assert [each.size for each in found] == [len(STATE)] * 3
    times = [each.modified for each in found if each.modified]
    assert times == sorted(times, reverse=True)
    assert len(times) == 3
    earlier = [backends.read(place.location(), place.access(), each.id) for each in found]
    assert [read_state(each.data, "s").serial for each in earlier] == [7, 5, 6]
    assert [each.version for each in earlier] == [each.id for each in found]


def test_a_version_there_is_not(place: Place) -> None:
    place.put(STATE, place.first)
    for version in ("version:v99", "99", "../..", "\r\nx: y"):
        with pytest.raises(StateError) as error:
            backends.read(place.location(), place.access(), version)
        assert CANARY not in str(error.value)


def test_nobody_answers(place: Place) -> None:
    away = {
        "http": {"address": f"http://ann:{CANARY}@127.0.0.1:9/{place.name}"},
        "consul": {"address": f"ann:{CANARY}@127.0.0.1:9"},
        "remote": {"hostname": "127.0.0.1:9"},
        "cloud": {"hostname": "127.0.0.1:9"},
        "gcs": {"storage_custom_endpoint": "http://127.0.0.1:9"},
        "azurerm": {"blob_endpoint": "http://127.0.0.1:9"},
        "pg": {"conn_str": f"postgresql://ann:{CANARY}@127.0.0.1:9/postgres"},
    }.get(place.name)
    if away is None:
        assert place.name in ("local", "s3"), "a file; s3's own test is in test_backends.py"
        return
    settings = place.settle(**away, token=CANARY)
    location = backends.locate(place.name, settings, place.first)
    assert CANARY not in location
    error = refused(place, location, settings=settings)
    assert "cannot connect" in str(error)
    assert not isinstance(error, NoStateError)
