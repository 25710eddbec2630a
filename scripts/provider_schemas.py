"""Makes the table of a provider's schemas that ships with the package, from the provider itself.

    .venv/bin/python scripts/provider_schemas.py [SOURCE [DIRECTORY]] [--version CONSTRAINT] [--plugin-dir DIRECTORY]

SOURCE is a provider's source (default `hashicorp/aws`), DIRECTORY where tables are kept. Needs the terraform binary;
without a plugin directory it downloads the provider. Commit what it writes: nothing else is needed for one more
provider. `--check` writes nothing and fails where the table in DIRECTORY holds anything else than the provider says.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from agent.declared.schemas import source_of
from agent.declared.schemas.pack import entries, pack
from agent.declared.schemas.table import Table

ROOT = Path(__file__).parent.parent
TABLES = ROOT / "agent" / "declared" / "schemas" / "tables"


def main() -> int:
    """Runs the command line; 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="hashicorp/aws")
    parser.add_argument("directory", nargs="?", type=Path, default=TABLES)
    parser.add_argument("--version", default="")
    parser.add_argument("--plugin-dir", default=os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", ""))
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    source = source_of(given.source)
    if not source:
        parser.error(f"{given.source} is no provider's source: give it as `hashicorp/aws`")
    printed, version, terraform = printed_schemas(source, given.version, given.plugin_dir)
    path = given.directory / f"{source.replace(':', '_')}.schemas"
    if given.check:
        return check(path, version, printed)
    data = pack(source, version, f"terraform {terraform} providers schema -json", printed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{path}: {source} {version}, {len(data):,} bytes")
    return 0


def check(path: Path, version: str, printed: dict[str, Any]) -> int:
    """Compares entries, not bytes: another zlib may compress the same ones otherwise."""
    table = Table(path.read_bytes(), str(path))
    wanted = list(entries(printed))
    wrong = [name or "provider" for kind, name, entry in wanted if table.entry(kind, name) != entry]
    wrong += [name for kind in (0, 1, 2) for name in set(table.names(kind)) - {n for k, n, _ in wanted if k == kind}]
    if table.version != version:
        print(f"{path} was made from {table.version}, this is {version}")
    for name in wrong:
        print(f"{path} differs at {name}")
    return int(bool(wrong) or table.version != version)


def printed_schemas(source: str, constraint: str, plugins: str) -> tuple[dict[str, Any], str, str]:
    """What terraform prints of one provider, the provider's version, and terraform's."""
    binary = shutil.which("terraform")
    if binary is None:
        sys.exit("the terraform binary is not on PATH")
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    env |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}

    def run(*arguments: str) -> str:
        done = subprocess.run([binary, *arguments], cwd=root, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"terraform {arguments[0]}:\n{done.stdout}{done.stderr}")
        return done.stdout

    wanted = {"source": source} | ({"version": constraint} if constraint else {})
    with tempfile.TemporaryDirectory() as root:
        configuration = {"terraform": {"required_providers": {source.rpartition("/")[2]: wanted}}}
        (Path(root) / "main.tf.json").write_text(json.dumps(configuration), encoding="utf-8")
        run("init", "-input=false", "-no-color", *([f"-plugin-dir={plugins}"] if plugins else []))
        versions = json.loads(run("version", "-json"))
        printed = json.loads(run("providers", "schema", "-json"))
    version = versions["provider_selections"][source]
    return printed["provider_schemas"][source], version, versions["terraform_version"]


if __name__ == "__main__":
    sys.exit(main())
