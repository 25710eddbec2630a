"""The place a benchmark runs in: moto, the replaying proxy in front of it, and an estate applied by real Terraform.

Hides starting and stopping processes and which environment sends every AWS client there and nowhere else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import estate

ACCOUNT = "123456789012"
REGION = "us-east-1"
APPLY_PARALLELISM = 60
"""Most of an apply is waiting for queues, half a minute each; moto itself answers no faster for it."""


class LabError(Exception):
    """Something the benchmark needs is missing or did not work."""


@contextlib.contextmanager
def moto(folder: Path) -> Iterator[str]:
    """A moto server of our own → its URL."""
    with _served([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], folder / "moto.log") as url:
        yield url


@contextlib.contextmanager
def proxy(upstream: str, folder: Path) -> Iterator[Proxy]:
    """The replaying proxy in front of `upstream`, in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("replay.py")), upstream]
    with _served(command, folder / "proxy.log") as url:
        yield Proxy(url)


class Proxy:
    """A running replay proxy."""

    def __init__(self, url: str) -> None:
        self.url = url

    def begin(self, delay_ms: float) -> None:
        """Count from zero; from now on every answer takes this long."""
        self._told(f"/-/begin?delay_ms={delay_ms}")

    def stats(self) -> dict[str, Any]:
        """Since `begin`: `calls`, `missed` (asked of the mock), `cpu_s`, and `operations` with their counts."""
        return self._told("/-/stats")

    def _told(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
            return told


def variables(endpoint: str, bytecode: Path) -> dict[str, str]:
    """The environment of every child: this endpoint, made-up credentials, no settings of Terraform's or Python's.

    `bytecode`: where Python keeps what it compiled, as beside an installed package; nothing is written elsewhere.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_", "PYTHON"))}
    return kept | {
        "PYTHONPYCACHEPREFIX": str(bytecode),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
    }


def terraform() -> str:
    """The terraform binary. Raises LabError where there is none."""
    binary = shutil.which("terraform")
    if binary is None:
        raise LabError("the terraform binary is not on PATH")
    return binary


def apply(folder: Path, resources: int, endpoint: str) -> float:
    """Writes an estate into a new folder and applies it → seconds it took."""
    estate.write(folder, resources)
    plugins = os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", "")
    began = time.monotonic()
    _terraform(folder, endpoint, "init", *([f"-plugin-dir={plugins}"] if plugins else []))
    _terraform(folder, endpoint, "apply", "-auto-approve", f"-parallelism={APPLY_PARALLELISM}")
    return time.monotonic() - began


def _terraform(folder: Path, endpoint: str, command: str, *arguments: str) -> None:
    whole = [terraform(), command, "-input=false", "-no-color", *arguments]
    done = subprocess.run(
        whole, cwd=folder, env=variables(endpoint, folder), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabError(f"terraform {command}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")


@contextlib.contextmanager
def _served(command: list[str], log: Path) -> Iterator[str]:
    with log.open("wb") as sink:
        server = subprocess.Popen(command, stdout=sink, stderr=sink)
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait(timeout=10)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text(errors="replace"))
        if found:
            return found[0]
        time.sleep(0.05)
    raise LabError(f"{log.stem} did not start:\n{log.read_text(errors='replace')[-2000:]}")
