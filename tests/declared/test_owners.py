"""CODEOWNERS: the examples of GitHub's and GitLab's pages, and files that are hostile."""

import time
from pathlib import Path

import pytest

from agent.declared.owners import MAX_BYTES, MAX_LINES, owners, read_owners

GITHUB = """\
# The examples of GitHub's page.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/scripts/ @doctocat @octocat
**/logs @octocat-logs
/infra/ @octocat
/infra/github
"""


@pytest.mark.parametrize(
    ("path", "owned"),
    [
        ("main.tf", ("@global-owner1", "@global-owner2")),
        ("deep/er/x.js", ("@js-owner",)),
        ("x.go", ("docs@example.com",)),
        ("a/b.txt", ("@octo-org/octocats",)),
        ("build/logs/a/b", ("@octocat-logs",)),
        ("docs/getting-started.md", ("docs@example.com",)),
        ("docs/build-app/troubleshooting.md", ("@global-owner1", "@global-owner2")),
        ("x/docs/y.md", ("@global-owner1", "@global-owner2")),
        ("a/apps/b/c", ("@octocat",)),
        ("scripts/a", ("@doctocat", "@octocat")),
        ("x/scripts/a", ("@global-owner1", "@global-owner2")),
        ("deploy/x/logs/y", ("@octocat-logs",)),
        ("infra/prod/main.tf", ("@octocat",)),
        ("infra/github/main.tf", ()),
        ("infra/github", ()),
    ],
)
def test_github(path: str, owned: tuple[str, ...]) -> None:
    assert read_owners(GITHUB).of(path) == owned


GITLAB = r"""
* @everybody
README.md @docs
internal/README.md @inside
/top.tf @top
/docs/* @one-level
/terraform/ @platform
/path\ with\ spaces/ @space
\#file.rb @hash
^[Optional][2] @lead @@maintainers
*.rb
ee/*.rb @ee
[Database] @db
/db/
!/db/seeds/
[DATABASE]
/schema.rb @schema
"""


@pytest.mark.parametrize(
    ("path", "owned"),
    [
        ("x/y.tf", ("@everybody",)),
        ("x/README.md", ("@docs",)),
        ("x/internal/README.md", ("@inside",)),
        ("top.tf", ("@top",)),
        ("x/top.tf", ("@everybody",)),
        ("docs/a.md", ("@one-level",)),
        ("docs/a/b.md", ("@everybody",)),
        ("terraform/a/b.tf", ("@platform",)),
        ("path with spaces/x", ("@space",)),
        ("#file.rb", ("@hash", "@lead", "@@maintainers")),
        ("x/ee/a.rb", ("@everybody", "@ee")),
        ("db/a.sql", ("@everybody", "@db")),
        ("db/seeds/a.sql", ("@everybody",)),
        ("schema.rb", ("@everybody", "@lead", "@@maintainers", "@schema")),
    ],
)
def test_gitlab(path: str, owned: tuple[str, ...]) -> None:
    assert read_owners(GITLAB).of(path) == owned


def test_the_place_says_whose_syntax_it_is() -> None:
    text = "a/b.tf @x\n"
    assert read_owners(text, gitlab=False).of("c/a/b.tf") == ()
    assert read_owners(text, gitlab=True).of("c/a/b.tf") == ("@x",)


@pytest.mark.parametrize("place", [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"])
def test_where_it_lies(place: str, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("/infra/ @team\n")
    found = owners(tmp_path)
    assert (found.file, found.of("infra/a.tf")) == (place, ("@team",))


def test_where_there_is_none(tmp_path: Path) -> None:
    assert owners(tmp_path).of("infra/a.tf") == ()
    outside = tmp_path / "outside"
    outside.write_text("* @evil\n")
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "CODEOWNERS").symlink_to(outside)
    assert owners(tmp_path / "repository").of("a") == ()


def test_hostile_files(tmp_path: Path) -> None:
    began = time.monotonic()
    text = f"/{'a*' * 400}b @x\n{'**/' * 300}z @y\n[ @z\n\\ @z\n/ @z\n! @z\n*** @last\n"
    assert read_owners(text).of("a" * 5000) == ("@last",)
    assert time.monotonic() - began < 5
    (tmp_path / "CODEOWNERS").write_bytes(b"* @x\n" + b"#" * MAX_BYTES)
    assert owners(tmp_path).of("a") == ()


def test_a_file_of_too_many_lines_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "CODEOWNERS").write_text("a b@c.d\n" * (MAX_LINES + 1))
    found = owners(tmp_path)
    assert ("CODEOWNERS", ()) == (found.file, found.lines)


def test_the_thousands_of_resources_of_one_file_ask_once() -> None:
    found = read_owners("".join(f"x{n} @b\n" for n in range(2000)) + "*.tf @team\n")
    before = time.monotonic()
    assert all(("@team",) == found.of("a/b/c.tf") for _ in range(20_000))
    assert time.monotonic() - before < 10
