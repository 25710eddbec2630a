"""A first configuration, proposed from what a directory holds.

Hides how Terraform root modules, their regions and their states are recognised.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agent.declared.configuration import read_module
from agent.declared.hcl.error import ParseError

_SKIPPED = (".terraform", ".git", "node_modules", ".venv")
_DEEPEST = 6


def roots(directory: Path) -> tuple[Path, ...]:
    """Terraform root modules at or below a directory: folders of `.tf` files with a backend, a provider or a state.

    A folder whose name the file could not hold as it is (no Unicode, or with the look of a reference) is left out.
    """
    found = []
    for folder, folders, files in os.walk(directory):
        depth = len(Path(folder).relative_to(directory).parts)
        folders[:] = sorted(filter(_can_be_written, folders)) if depth < _DEEPEST else []
        text = "\n".join(_text(Path(folder) / name) for name in sorted(files) if name.endswith(".tf"))
        if text and ("terraform.tfstate" in files or "backend " in text or 'provider "' in text):
            found.append(Path(folder))
    return tuple(found)


def _can_be_written(name: str) -> bool:
    return name not in _SKIPPED and "${" not in name and not any("\ud800" <= c <= "\udfff" for c in name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def proposal(directory: Path) -> str:
    """A commented `driftwarden.toml` for what the directory holds."""
    found = roots(directory)
    names: Counter[str] = Counter()
    stacks = "\n".join(_stack(directory, root, names) for root in found) or _NO_STACK
    regions = sorted({region for root in found for region in _regions(root)}) or ["us-east-1"]
    shown = ", ".join(map(_quoted, regions))
    return _TEMPLATE.format(name=_name(directory.resolve().name), stacks=stacks, regions=shown)


def _stack(directory: Path, root: Path, names: Counter[str]) -> str:
    relative = root.relative_to(directory)
    name = _name("-".join(relative.parts) or directory.resolve().name)
    names[name] += 1
    name = name if names[name] == 1 else f"{name}--{names[name]}"
    return f"""[[stack]]
name = "{name}"
dir = {_quoted(relative.as_posix())}
{_where(root)}
# owner = "team-name"
"""


def _quoted(text: str) -> str:
    """A TOML string: JSON's but for DEL (https://toml.io/en/v1.0.0#string). A repository's names are not ours."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _where(root: Path) -> str:
    if (root / "terraform.tfstate").is_file():
        return 'state = "terraform.tfstate"'
    return '# state = "s3://bucket/key" # left out: where the backend block says'


def _regions(root: Path) -> Iterator[str]:
    try:
        module = read_module(root, root, None)
    except (ParseError, OSError):
        return
    yield from filter(None, (provider.text("region") for provider in module.providers.values()))


def _name(text: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in text).strip("-")
    return kept or "estate"


_NO_STACK = """\
# No Terraform root module was found here. A stack is a root module and its state:
# [[stack]]
# name = "payments"
# dir = "infra/payments"
# state = "s3://bucket/payments.tfstate"
"""

_TEMPLATE = """\
# driftwarden: what is looked after, and what makes a change authorised.
# `driftwarden check` proves that it works; `driftwarden scan` runs it. Every key is described in docs/configuration.md.
# Secrets are references: ${{env:NAME}}, ${{file:/path}}, ${{cred:name}} (systemd LoadCredential).

[estate]
name = "{name}"

{stacks}
# Which accounts are read, in which regions, with which credentials (default: the environment's).
[[account]]
regions = [{regions}]
# id = "123456789012"                                   # refuse other credentials
# role_arn = "arn:aws:iam::123456789012:role/driftwarden"
# external_id = "..."

# Where CloudTrail events come from: "lookup" needs no trail (90 days, two requests a second);
# "s3://bucket/prefix" reads a trail's bucket; a directory reads log files.
[trail]
source = "lookup"
lookback = "7d"

[authority]
tolerance = "15m"  # how far outside a ticket's window a call may fall
approvals = 1      # approvers besides the implementer

# A trusted pipeline: its role, and what proves that it is the pipeline and not a person in that role.
# [[authority.pipeline]]
# name = "deploy"
# role = "arn:aws:iam::123456789012:role/deploy"
# subject = "repo:org/repo:ref:refs/heads/main"         # or source_identity, or source_ips

# AWS principal = user in the ticket system, where the names differ.
# [authority.people]
# "dana@example.com" = "dana"

[tickets]
mode = "observe" # found and reported, nothing filed; "file" opens cases

[tickets.register]
path = "tickets" # a directory of YAML tickets under version control

[store]
url = "sqlite:///driftwarden.db"

[report]
dir = "reports"
"""
