"""File functions read what lies in the repository and nothing else, and say what they cannot tell."""

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from text_function_calls import value

from agent.declared.language import confined
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.functions import Place, call, files
from agent.declared.language.types import STRING
from agent.declared.language.values import Null, Object, Sensitive, Set, Unknown, Value


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a root module, beside a file that is none of its business."""
    (tmp_path / "secret.txt").write_text("password")
    root = tmp_path / "repository" / "live"
    root.mkdir(parents=True)
    (root / "a.txt").write_text("hello")
    (root.parent / "shared.txt").write_text("shared")
    (root.parent / ".git").mkdir()
    (root.parent / ".git" / "config").write_text("token")
    return root.parent


def called(repository: Path, name: str, *arguments: object) -> Value:
    """The result, in the root module `live`."""
    return call(name, [value(each) for each in arguments], Place(repository / "live", repository, rendered))


def rendered(text: str, _name: str, variables: Mapping[str, Value]) -> Value:
    """A template language of one variable."""
    return Null() if text == "null" else text.replace("${x}", str(variables.get("x", "")))


def test_files_of_the_repository_are_read(repository: Path) -> None:
    assert called(repository, "file", "a.txt") == "hello"
    assert called(repository, "file", "../shared.txt") == "shared"
    assert called(repository, "file", str(repository / "live" / "a.txt")) == "hello"
    assert called(repository, "fileexists", "b.txt") is False
    assert called(repository, "filesha256", "a.txt") == hashlib.sha256(b"hello").hexdigest()
    assert called(repository, "file", Sensitive("a.txt")) == Sensitive("hello")


@pytest.mark.parametrize("name", ["file", "filebase64", "fileexists", "filemd5", "filebase64sha512"])
def test_nothing_outside_is_looked_at(repository: Path, name: str) -> None:
    live = repository / "live"
    (live / "link.txt").symlink_to(repository.parent / "secret.txt")
    (live / "folder").symlink_to("/etc")
    (live / "hop").symlink_to("link.txt")
    paths = ["/etc/passwd", "../../secret.txt", "link.txt", "folder/passwd", "hop", "../../nothing", "/proc/self/mem"]
    for path in [*paths, "x/../../../secret.txt", "~/.aws/credentials", "~root/.profile"]:
        with pytest.raises(TooMuch, match=r"outside|home folder"):
            called(repository, name, path)


@pytest.mark.parametrize(
    ("path", "pattern"), [(".", "link/*"), ("link", "*"), ("..", "../*"), ("/etc", "*"), (".", "**/passwd"), ("~", "*")]
)
def test_no_pattern_looks_outside(repository: Path, path: str, pattern: str) -> None:
    (repository / "live" / "link").symlink_to("/etc")
    with pytest.raises(TooMuch, match=r"outside|home folder"):
        called(repository, "fileset", path, pattern)


def test_a_match_that_is_a_link_to_the_outside_is_not_looked_up(repository: Path) -> None:
    (repository / "live" / "b.txt").symlink_to(repository.parent / "secret.txt")
    with pytest.raises(TooMuch, match="outside"):
        called(repository, "fileset", ".", "*.txt")


def test_files_of_git_are_not_read(repository: Path) -> None:
    with pytest.raises(TooMuch, match="credentials"):
        called(repository, "file", "../.git/config")


def test_what_init_noted_of_the_backend_is_not_read(repository: Path) -> None:
    (repository / "live" / ".terraform").mkdir()
    for name in ("terraform.tfstate", "environment"):
        (repository / "live" / ".terraform" / name).write_text("noted")
    with pytest.raises(TooMuch, match="credentials"):
        called(repository, "file", ".terraform/terraform.tfstate")
    assert called(repository, "file", ".terraform/environment") == "noted"


def test_what_is_no_regular_file_is_not_read(repository: Path) -> None:
    os.mkfifo(repository / "live" / "pipe")
    for name in ("file", "fileexists", "filesha1"):
        with pytest.raises(TooMuch, match="regular"):
            called(repository, name, "pipe")
        with pytest.raises(EvaluationError, match=r"folder|no file"):
            called(repository, name, ".")


def test_files_have_a_largest_size(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 4)
    monkeypatch.setattr(files, "MAX_HASHED", 4)
    for name in ("file", "filebase64", "filemd5"):
        with pytest.raises(TooMuch, match="more than 4 bytes"):
            called(repository, name, "a.txt")


@pytest.mark.parametrize("path", ["nothing", "a.txt/b", "a\0b", "x" * 5_000, "loop"])
def test_what_is_not_there_is_an_error_that_try_may_swallow(repository: Path, path: str) -> None:
    (repository / "live" / "loop").symlink_to("loop")
    with pytest.raises(EvaluationError) as caught:
        called(repository, "file", path)
    assert not isinstance(caught.value, TooMuch)


def test_text_must_be_utf_8(repository: Path) -> None:
    (repository / "live" / "b").write_bytes(b"\xff")
    with pytest.raises(EvaluationError, match="UTF-8"):
        called(repository, "file", "b")
    assert called(repository, "filebase64", "b") == "/w=="


def test_a_pattern_has_bounds(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = repository / "live"
    (live.joinpath(*"d" * 70)).mkdir(parents=True)
    with pytest.raises(TooMuch, match="64 folders"):
        called(repository, "fileset", ".", "**/a.txt")
    for number in range(30):
        (live / f"{number}.txt").touch()
    monkeypatch.setattr(confined, "MAX_ENTRIES", 20)
    with pytest.raises(TooMuch, match="looks at more than 20 files"):
        called(repository, "fileset", ".", "*")


def test_a_link_to_its_own_folder_is_followed_as_often_as_the_system_does(repository: Path) -> None:
    (repository / "live" / "up").symlink_to(".")
    found = called(repository, "fileset", ".", "**/a.txt")
    assert isinstance(found, Set)
    assert len(found.items) == 41  # as Terraform 1.11 has it on Linux


def test_a_pattern_of_many_stars_takes_no_time(repository: Path) -> None:
    (repository / "live" / ("a" * 200)).touch()
    begin = time.monotonic()
    assert called(repository, "fileset", ".", "*a" * 60 + "b") == Set([], STRING)
    assert called(repository, "fileset", ".", "**/" * 60 + "a.txt") == Set(["a.txt"], STRING)
    assert time.monotonic() - begin < 2


def test_what_another_machine_decides_is_unknown(repository: Path) -> None:
    for name, argument in [("abspath", "a"), ("pathexpand", "~"), ("pathexpand", "~/a")]:
        found = called(repository, name, argument)
        assert isinstance(found, Unknown)
        assert found.why[0].startswith(name)
    braces = called(repository, "fileset", ".", "{a,{b,c}}.txt")
    assert isinstance(braces, Unknown)


def test_templates_see_what_is_unknown_in_their_variables(repository: Path) -> None:
    live = repository / "live"
    (live / "t.tpl").write_text("a ${x}")
    (live / "null.tpl").write_text("null")
    assert called(repository, "templatefile", "t.tpl", {"x": "b", "y": Unknown("var.y")}) == "a b"
    assert called(repository, "templatefile", "t.tpl", {"x": Sensitive("b")}) == Sensitive("a b")
    assert called(repository, "templatestring", "c ${x}", {"x": "b"}) == "c b"
    for arguments in [("t.tpl", Unknown("var.all")), (Unknown("var.path", STRING), {})]:
        found = called(repository, "templatefile", *arguments)
        assert isinstance(found, Unknown)
        assert isinstance(called(repository, "templatestring", *arguments), Unknown)
    with pytest.raises(EvaluationError, match="null"):
        called(repository, "templatefile", "null.tpl", {})
    with pytest.raises(EvaluationError, match="name of a variable"):
        called(repository, "templatefile", "t.tpl", {"a b": 1})
    with pytest.raises(EvaluationError, match="map or an object"):
        called(repository, "templatefile", "t.tpl", ["x"])


def test_a_template_renders_no_template(repository: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot render another"):
        call("templatestring", ["x", Object({})], Place(repository, repository))
