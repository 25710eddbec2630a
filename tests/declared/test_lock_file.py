"""The dependency lock file."""

from pathlib import Path

import pytest

from agent.declared.lock_file import MAX_BYTES, NAME, LockError, locked

WRITTEN = """\
# This file is maintained automatically by "terraform init".
# Manual edits may be lost in future updates.

provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.100.0"
  constraints = ">= 5.0.0"
  hashes = [
    "h1:edXOJWE4ORX8Fm+dpVpICzMZJat4AX0VRCAy/xkcOc0=",
  ]
}

provider "registry.acme.test:8443/acme/thing" {
  version = "0.1.0-beta.2"
}
"""


def test_which_version_of_each_provider_is_locked(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(WRITTEN)
    assert locked(tmp_path) == {
        "registry.terraform.io/hashicorp/aws": "5.100.0",
        "registry.acme.test:8443/acme/thing": "0.1.0-beta.2",
    }


def test_opentofu_s_name_of_hashicorp_s_provider_is_hashicorp_s(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('provider "registry.opentofu.org/hashicorp/aws" {\n  version = "6.2.0"\n}\n')
    assert locked(tmp_path) == {"registry.terraform.io/hashicorp/aws": "6.2.0"}


def test_no_lock_file_locks_nothing(tmp_path: Path) -> None:
    assert locked(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("provider {", r"\.terraform\.lock\.hcl:1:.*`terraform init`"),
        ('\nprovider "aws" {\n  version = "5.0.0"\n}\n', r'hcl:2: `provider "host/namespace/name"` is needed'),
        ('provider "registry.terraform.io/../aws" {\n  version = "5.0.0"\n}\n', r"hcl:1: `provider"),
        ('provider "a/b/c" "d" {\n  version = "5.0.0"\n}\n', r"hcl:1: `provider"),
        ('provider "registry.terraform.io/hashicorp/aws" {\n}\n', r'hcl:1: `version = "1.2.3"` is missing'),
        ('provider "a/b/c" {\n  version = 5\n}\n', r"is missing for a/b/c"),
        ('provider "a/b/c" {\n  version = var.version\n}\n', r"is missing for a/b/c"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(LockError, match=message):
        locked(tmp_path)


def test_a_lock_file_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(LockError, match="more than 1,000,000 bytes"):
        locked(tmp_path)


def test_a_link_leads_to_another_lock_file_only(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary-5521")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / NAME).symlink_to(tmp_path / "secret")
    with pytest.raises(LockError, match="only a file called") as caught:
        locked(tmp_path / "one")
    assert "canary" not in str(caught.value)

    (tmp_path / "two").mkdir()
    (tmp_path / "two" / NAME).write_text(WRITTEN)
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / NAME).symlink_to(tmp_path / "two" / NAME)
    assert locked(tmp_path / "three") == locked(tmp_path / "two")


def test_a_folder_of_that_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(LockError, match="only a file called"):
        locked(tmp_path)


def test_a_lock_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="File name too long"):
        locked(tmp_path / ("x" * 300))
