"""Makes the demo's recording and state anew: real Terraform applies the demo's estate to moto, which records.

    DRIFTWARDEN_TF_PLUGIN_DIR=<mirror of the AWS provider> python scripts/record_demo.py

Needs the terraform binary and the AWS provider 5.100; takes about five minutes, because every wait of the provider is
waited out one after the other (`-parallelism=1`). With the same seed and the same order of requests moto gives the
same identifiers when the recording is played back, so the state stays true.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from agent.demo.cloud import SEED, web_identity_token
from agent.demo.story import PIPELINE_SUBJECT

ESTATE = Path(__file__).parent.parent / "agent" / "demo" / "estate"


def main() -> None:
    """Records into the estate's folder."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "estate"
        shutil.copytree(ESTATE, work, ignore=shutil.ignore_patterns("terraform.tfstate*", "recording*"))
        server, endpoint = _moto(Path(folder))
        try:
            _post(f"{endpoint}/moto-api/seed?a={SEED}")
            _post(f"{endpoint}/moto-api/recorder/start-recording")
            _apply(work, endpoint, _credentials(endpoint))
            _post(f"{endpoint}/moto-api/recorder/stop-recording")
        finally:
            server.terminate()
            server.wait()
        (ESTATE / "terraform.tfstate").write_text((work / "terraform.tfstate").read_text())
        _keep((Path(folder) / "recording.jsonl").read_text())


def _moto(folder: Path) -> tuple["subprocess.Popen[bytes]", str]:
    log = folder / "moto.log"
    env = os.environ | {"MOTO_RECORDER_FILEPATH": str(folder / "recording.jsonl")}
    with log.open("wb") as sink:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        server = subprocess.Popen(command, stdout=sink, stderr=sink, env=env)
    for _ in range(600):
        found = re.search(r"Running on (http://\S+)", log.read_text())
        if found:
            return server, found[1]
        time.sleep(0.1)
    raise SystemExit(f"moto did not start: {log.read_text()}")


def _post(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=30).read()


def _credentials(endpoint: str) -> dict[str, str]:
    """The pipeline's session: GitHub's token for it."""
    sts = boto3.client("sts", endpoint_url=endpoint, region_name="us-east-1", config=Config(signature_version=UNSIGNED))
    answer = sts.assume_role_with_web_identity(
        RoleArn="arn:aws:iam::123456789012:role/payments-deploy",
        RoleSessionName="CHG-1001",
        WebIdentityToken=web_identity_token(PIPELINE_SUBJECT),
    )
    issued = answer["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": issued["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": issued["SecretAccessKey"],
        "AWS_SESSION_TOKEN": issued["SessionToken"],
    }


def _apply(work: Path, endpoint: str, credentials: dict[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    env = kept | credentials | {"AWS_ENDPOINT_URL": endpoint, "TF_VAR_database_password": "demo-only-not-a-secret"}
    plugins = os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", "")
    init = ["terraform", "init", "-input=false", *([f"-plugin-dir={plugins}"] if plugins else [])]
    subprocess.run(init, cwd=work, env=env, check=True)
    subprocess.run(["terraform", "apply", "-auto-approve", "-parallelism=1"], cwd=work, env=env, check=True)


def _keep(recording: str) -> None:
    """Only what a replay needs: method, path, the headers that say who and what, the body."""
    needed = ("authorization", "content-type", "x-amz-target", "user-agent")
    lines = []
    for line in recording.splitlines():
        entry = json.loads(line)
        headers = {name: value for name, value in entry["headers"].items() if name.lower() in needed}
        path = re.sub(r"^https?://[^/]+", "", entry["url"])
        lines.append(json.dumps({"method": entry["method"], "path": path, "headers": headers, "body": entry["body"]}))
    packed = gzip.compress("\n".join(lines).encode(), mtime=0)
    (ESTATE / "recording.jsonl.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
