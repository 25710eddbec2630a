"""The embedded cloud: a moto server on loopback with the CloudTrail recorder in front, and the applied estate in it.

Hides starting and stopping, and that the estate is a recording of a real `terraform apply`, played back with the seed
it was recorded with, so that every identifier is the one in the state file.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import urlsplit

import boto3

from agent.config import environment
from agent.demo.recorder import Identity, Recorder

ACCOUNT = "123456789012"
REGION = "us-east-1"
TRAIL_BUCKET = "payments-cloudtrail"
SEED = 42
_START_TIMEOUT = 90.0  # seconds; importing moto alone takes several on a small machine


class CloudError(Exception):
    """The embedded cloud did not start or did not take the estate."""


@contextlib.contextmanager
def cloud(folder: Path) -> Iterator[Recorder]:
    """A running cloud; `folder` receives the server's log."""
    log = folder / "moto.log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as sink:
        server = subprocess.Popen(command, stdout=sink, stderr=sink, env=environment())
    try:
        with Recorder(_address(server, log), ACCOUNT, region=REGION) as recorder:
            yield recorder
    finally:
        server.terminate()
        server.wait(timeout=10)


def replay(recorder: Recorder, estate: Traversable) -> int:
    """Plays the recorded apply through the recorder, as the pipeline that made it; gives the number of calls.

    Raises CloudError when the cloud answers otherwise than when it was recorded.
    """
    entries = gzip.decompress((estate / "recording.jsonl.gz").read_bytes()).decode().splitlines()
    upstream = http.client.HTTPConnection(urlsplit(recorder.endpoint).netloc, timeout=60)
    seed = urllib.request.Request(f"{recorder.upstream}/moto-api/seed?a={SEED}", method="POST")  # noqa: S310 loopback
    urllib.request.urlopen(seed, timeout=30).read()  # noqa: S310 loopback
    seen = []
    for line in entries:
        entry = json.loads(line)
        upstream.request(entry["method"], entry["path"], base64.b64decode(entry["body"] or ""), entry["headers"])
        answer = upstream.getresponse()
        said = answer.read().decode(errors="replace")
        if answer.status < 400:  # "there is no vpc-1" names vpc-1 too
            seen.append(said)
    state = json.loads((estate / "terraform.tfstate").read_text())
    groups = [
        instance["attributes"]["id"]
        for resource in state["resources"]
        if resource["type"] in ("aws_vpc", "aws_subnet", "aws_security_group", "aws_instance", "aws_kms_key")
        for instance in resource["instances"]
    ]
    answers = "\n".join(seen)
    lost = [name for name in groups if name not in answers]
    if lost:
        raise CloudError(f"the recording did not replay with its identifiers: {', '.join(lost)} are not there")
    return len(entries)


def session(recorder: Recorder, key: str, who: Identity) -> boto3.Session:
    """A boto3 session whose calls are `who`'s."""
    recorder.know(key, who)
    return boto3.Session(key, "demo", "demo" if key.startswith("ASIA") else None, region_name=REGION)


def web_identity_token(subject: str) -> str:
    """The OIDC token GitHub would sign for a workflow with this subject; its signature is not a real one."""
    claims = {"iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com", "sub": subject}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "demo"])


def deliver(recorder: Recorder) -> None:
    """CloudTrail delivers what happened so far."""
    recorder.deliver(TRAIL_BUCKET)


def variables(recorder: Recorder) -> dict[str, str]:
    """Environment variables that send every AWS client of a process to this cloud and nowhere else."""
    return {
        "AWS_ENDPOINT_URL": recorder.endpoint,
        "AWS_ACCESS_KEY_ID": "AKIADRIFTWARDENDEMO0",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.1)
    said = log.read_text(errors="replace")[-1000:]
    if "No module named" in said:
        raise CloudError("the embedded cloud is not installed: pip install 'driftwarden[demo]'")
    raise CloudError(f"the embedded cloud did not start:\n{said}")
