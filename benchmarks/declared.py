"""Evaluation of declared configuration against `terraform plan -refresh=false`, on one root in one run.

Prints a Markdown table of wall time, CPU time and memory, the ratios, and what a second look costs after one changed
file. Needs terraform and the AWS provider (`DRIFTWARDEN_TF_PLUGIN_DIR`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import measure
import nested

HERE = Path(__file__).parent
STATE_MB = 200


def main() -> None:
    """Runs all three measurements."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--instances", type=int, default=10_000)
    options.add_argument("--roots", type=int, default=20)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--without-terraform", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print("| what | wall s | CPU s | peak MB | instances |\n|---|--:|--:|--:|--:|")
        one_root(Path(place), given.instances, given.repeats, terraform=not given.without_terraform)
        many_roots(Path(place), given.roots, given.repeats)
        large_state(Path(place))


def one_root(place: Path, instances: int, repeats: int, *, terraform: bool) -> None:
    """One root of so many instances: ours cold and warm, and Terraform's plan."""
    root = place / "one"
    root.mkdir()
    nested.write(root, instances)
    cold = shown("ours, first (nothing parsed before)", lambda: ours(place, [root], fresh=True), repeats)
    warm = shown("ours, again", lambda: ours(place, [root]), repeats)
    if terraform:
        theirs = shown("terraform plan -refresh=false", lambda: planned(root), 1)
        print(
            f"\n{theirs.wall / cold.wall:.1f} × less wall time on the first look, "
            f"{theirs.wall / warm.wall:.1f} × again;"
        )
        print(f"{theirs.cpu / warm.cpu:.1f} × less CPU, {theirs.peak / warm.peak:.1f} × less memory.\n")


def many_roots(place: Path, count: int, repeats: int) -> None:
    """Several roots that share no file, each with a module as they are published: cold, and after one changed file."""
    roots, lines = [], 0
    for n in range(count):
        root = place / f"root{n}"
        root.mkdir()
        lines += nested.write_as_published(root, f"root {n}")
        roots.append(root)
    cold = shown(f"{count} roots of {lines // count:,} lines, first", lambda: ours(place, roots, fresh=True), repeats)

    def edited() -> measure.Run:
        with (roots[0] / "modules" / "network" / "feature0.tf").open("a") as file:
            file.write("# edited\n")
        return ours(place, roots)

    warm = shown(f"{count} roots, one file changed", edited, repeats)
    print(f"\nAfter one changed file: {100 * warm.wall / cold.wall:.0f} % of the first look's wall time.\n")


def large_state(place: Path) -> None:
    """A state file of 200 MB, read whole."""
    path = place / "large.tfstate"
    write_state(path, STATE_MB * 1_000_000)
    script = "import sys, pathlib; from agent.declared.state import read_state; p = pathlib.Path(sys.argv[1]);"
    script += "print(len(read_state(p.read_bytes(), 'state').instances))"
    found = measured([sys.executable, "-c", script, str(path)], place)
    nothing = measured([sys.executable, "-c", "import agent.declared.state"], place)
    size = path.stat().st_size / 1e6
    print(f"State of {size:.0f} MB: {found.wall:.1f} s, peak {found.peak:.0f} MB = {found.peak / size:.2f} × its size")
    print(f"(of which Python and its libraries {nothing.peak:.0f} MB).")


def write_state(path: Path, size: int) -> None:
    """A state of queues, at least so many bytes long."""
    text = json.dumps({"description": "x" * 1200, "name": "queue", "tags": {"Team": "bench"}})
    with path.open("w") as file:
        file.write('{"version": 4, "serial": 1, "lineage": "bench", "terraform_version": "1.11.4", "resources": [\n')
        n = 0
        while file.tell() < size:
            file.write("," * (n > 0))
            file.write(
                f'{{"mode": "managed", "type": "aws_sqs_queue", "name": "q{n}",'
                '"provider": "provider[\\"registry.terraform.io/hashicorp/aws\\"]",'
                f'"instances": [{{"schema_version": 0, "attributes": {text}}}]}}\n'
            )
            n += 1
        file.write("]}")


def ours(place: Path, roots: Sequence[Path], *, fresh: bool = False) -> measure.Run:
    """Our evaluation of the roots, in a process of its own."""
    cache = place / "cache"
    if fresh:
        shutil.rmtree(cache, ignore_errors=True)
    return measured([sys.executable, str(HERE / "evaluate_roots.py"), str(cache), *map(str, roots)], place)


def planned(root: Path) -> measure.Run:
    """Terraform's plan of the same root, the provider installed beforehand."""
    binary = shutil.which("terraform") or sys.exit("terraform is not on PATH")
    plugins = os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", "")
    mirror = [f"-plugin-dir={plugins}"] if plugins else []
    environment = variables()
    subprocess.run(
        [binary, "init", "-input=false", *mirror], cwd=root, env=environment, check=True, capture_output=True
    )
    run = measure.run([binary, "plan", "-refresh=false", "-lock=false", "-input=false", "-no-color"], root, environment)
    if run.code:
        sys.exit(run.errors[-2000:])
    planned_ = next((line for line in run.output.splitlines() if line.startswith("Plan: ")), "Plan: 0 to add")
    return measure.Run(run.code, planned_.split()[1], "", run.wall, run.cpu, run.peak)


def measured(command: Sequence[str], place: Path) -> measure.Run:
    """One command that must succeed."""
    run = measure.run(command, place, variables())
    if run.code:
        sys.exit(run.errors[-2000:])
    return run


def variables() -> dict[str, str]:
    """The environment without what would change either tool's behaviour."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}


def shown(what: str, once: Callable[[], measure.Run], repeats: int) -> measure.Run:
    """A row of the table: the median of some runs."""
    runs = [once() for _ in range(repeats)]
    middle = [statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu", "peak")]
    with contextlib.suppress(BrokenPipeError):
        print(
            f"| {what} | {middle[0]:.2f} | {middle[1]:.2f} | {middle[2]:.0f} | {runs[0].output.strip()} |", flush=True
        )
    return measure.Run(0, runs[0].output, "", *middle)


if __name__ == "__main__":
    main()
