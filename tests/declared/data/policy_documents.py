"""`documents.tf`, what the real provider makes of it, and what we do.

Hides how each is asked. `python tests/declared/data/policy_documents.py` records `documents.json` anew.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from agent.declared import data
from agent.declared.hcl import tree
from agent.declared.hcl.parse import parse
from agent.declared.language.evaluate import Budget, Names, evaluate
from agent.declared.language.functions import Place
from agent.declared.language.values import Object, Tuple, Value

HERE = Path(__file__).parent
CONFIGURATION = HERE / "documents.tf"
RECORDED = HERE / "documents.json"
PROVIDER = """
provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
"""
"""A provider that talks to nobody."""

Attributes = Mapping[str, str]
"""`id`, `json` and `minified_json`."""


def recorded() -> Mapping[str, Attributes]:
    """Name of a document → its attributes as recorded."""
    found: Mapping[str, Attributes] = json.loads(RECORDED.read_text(encoding="utf-8"))["documents"]
    return found


def asked(plugins: str) -> Mapping[str, Any]:
    """What `documents.json` holds, asked of the real provider, which is in the folder `plugins` or in the registry."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    env |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(CONFIGURATION, folder)
        (Path(folder) / "provider.tf").write_text(PROVIDER, encoding="utf-8")
        for arguments in (["init", *([f"-plugin-dir={plugins}"] if plugins else [])], ["apply", "-auto-approve"]):
            command = ["terraform", *arguments, "-input=false", "-no-color"]
            done = subprocess.run(
                command, cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False
            )
            if done.returncode:
                raise RuntimeError(f"terraform {arguments[0]}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        versions = subprocess.check_output(["terraform", "version", "-json"], cwd=folder, env=env, text=True)
        state = json.loads((Path(folder) / "terraform.tfstate").read_text(encoding="utf-8"))
    documents = {each["name"]: each["instances"][0]["attributes"] for each in state["resources"]}
    kept = ("id", "json", "minified_json")
    return {
        "provider": json.loads(versions)["provider_selections"]["registry.terraform.io/hashicorp/aws"],
        "documents": {name: {key: documents[name][key] for key in kept} for name in sorted(documents)},
    }


class Documents:
    """`data.aws_iam_policy_document.…`, each read when it is first asked for."""

    def __init__(self, text: str) -> None:
        body = parse(text.encode())
        self.blocks = {block.labels[1]: block.body for block in body.of_type("data")}
        self.place = Place(HERE, HERE)
        self.budget = Budget()
        self.known: dict[str, Value] = {}

    def root(self, name: str) -> Value | Names:
        assert name == "data"
        return self

    def get(self, name: str) -> Value | Names:
        if name == "aws_iam_policy_document":
            return self
        if name not in self.known:
            self.known[name] = Object(self.read(name))
        return self.known[name]

    def read(self, name: str) -> Mapping[str, Value]:
        """Attributes of one document."""
        found = data.read("aws_iam_policy_document", self._evaluated(self.blocks[name]), data.Here())
        assert found is not None
        return found

    def _evaluated(self, body: tree.Body) -> Object:
        items: dict[str, Value] = {each.name: evaluate(each.value, self) for each in body.attributes}
        for type_ in {block.type for block in body.blocks}:
            items[type_] = Tuple(self._evaluated(block.body) for block in body.of_type(type_))
        return Object(items)


@cache
def ours() -> Documents:
    """The documents as we read them."""
    return Documents(CONFIGURATION.read_text(encoding="utf-8"))


if __name__ == "__main__":
    answers = asked(os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", ""))
    RECORDED.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
