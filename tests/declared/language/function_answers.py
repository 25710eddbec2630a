"""Calls of functions and what the real Terraform answers, one a line in `function_answers/`.

Hides the files they are about, how Terraform is asked (one root, an output for each expression, applied without a
provider), and how an answer is spelled. `python tests/declared/language/function_answers.py` records all anew.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

from agent.declared.hcl import tree
from agent.declared.hcl.parse import parse
from agent.declared.language.conversion import text as spelled
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Budget, Names, evaluate
from agent.declared.language.functions import Place
from agent.declared.language.types import to_json
from agent.declared.language.values import Value, to_plain, type_of, unmarked

HERE = Path(__file__).parent / "function_answers"
SEPARATOR = "  =>  "
ERROR = "error"


def families() -> list[str]:
    """Names of the files with answers."""
    return sorted(path.stem for path in HERE.glob("*.txt"))


def recorded(family: str) -> Mapping[str, str]:
    """Expression → Terraform's answer, as `answer` spells it."""
    lines = (HERE / f"{family}.txt").read_text(encoding="utf-8").splitlines()
    found = dict[str, str]()
    for line in lines:
        expression, _, found[expression] = line.partition(SEPARATOR)
    return found


def make_files(folder: Path) -> None:
    """The files that the expressions are about, some of which no repository can hold; `main.tf` is Terraform's."""
    texts = {
        "a.txt": "hello\n",
        "u.txt": "héllo e\u0301",
        "bom.txt": "\ufeffbom",
        "empty.txt": "",
        ".dot.txt": "h\n",
        ".hid/f.txt": "h\n",
        "sub/b.txt": "x\n",
        "sub/deep/c.txt": "y\n",
        "sub/deep/c.json": "z\n",
        "we[ird/q.txt": "q\n",
        "t.tpl": "Hi ${name}%{ for x in xs } ${x}%{ endfor }\n",
        "rec.tpl": '${templatefile("t.tpl", {name="a", xs=[]})}',
        "one.tpl": "${x}",
        "tfile.tpl": '${file("a.txt")}',
        "pm.tpl": "${path.module}",
        "ts.tpl": "${templatestring(y, {})}",
        "main.tf": "",
    }
    for name, content in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "bin.dat").write_bytes(b"\xff\xfe\x00")
    (folder / "linkdir").symlink_to("sub")
    (folder / "linkfile").symlink_to("a.txt")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "dirx.txt").mkdir()


class Scope:
    """No names at all, in a folder of files."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder, folder)
        self.budget = Budget()

    def root(self, name: str) -> Value | Names:
        """See `Scope`."""
        raise EvaluationError(f"there is no `{name}`")


def ours(expressions: Iterable[str], folder: Path) -> Mapping[str, str]:
    """Our answers."""
    texts = list(expressions)
    body = parse("".join(f"e{number} = {text}\n" for number, text in enumerate(texts)).encode())
    return {text: _ours(each.value, folder) for text, each in zip(texts, body.attributes, strict=True)}


def _ours(expression: tree.Expression, folder: Path) -> str:
    try:
        value = unmarked(evaluate(expression, Scope(folder)))[0]
    except EvaluationError:
        return ERROR
    return answer(to_json(type_of(value)), to_plain(value))


def answer(type_: object, value: object) -> str:
    """A type and a plain value in one line."""
    return f"{json.dumps(type_)} {_json(value)}"


def _json(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(key)}: {_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return spelled(value)
    return json.dumps(value, ensure_ascii=False)


def asked(expressions: Iterable[str]) -> Mapping[str, str]:
    """The real Terraform's answers."""
    kept, refused = list(expressions), list[str]()
    with tempfile.TemporaryDirectory() as name:
        root, out = Path(name) / "root", Path(name) / "out"
        root.mkdir()
        make_files(root)
        while True:
            code = "".join(_output(number, text) for number, text in enumerate(kept))
            (root / "main.tf").write_text(code, encoding="utf-8")
            wrong = _wrong(_terraform(root, "apply", "-auto-approve", "-json", f"-state={out}"), code)
            if not wrong:
                break
            refused += [kept[number] for number in wrong]
            kept = [text for number, text in enumerate(kept) if number not in wrong]
        outputs = json.loads(out.read_text(encoding="utf-8"), parse_float=Decimal)["outputs"]
    found = dict.fromkeys(refused, ERROR)
    for number, text in enumerate(kept):
        output = outputs.get(f"e{number}", {"value": None})  # null is not in state
        known = output["value"] is not None
        found[text] = answer(output["type"][1]["v"], output["value"]["v"]) if known else ERROR
    return {text: found[text] for text in expressions}


def _output(number: int, text: str) -> str:
    return f'output "e{number}" {{\n sensitive = true\n value = try({{\n v = {text}\n}}, null)\n}}\n'


def _wrong(done: str, code: str) -> set[int]:
    lines = code.splitlines()
    found = set()
    for line in done.splitlines():
        place = json.loads(line).get("diagnostic", {}).get("range", {"filename": ""})
        if place["filename"].endswith("main.tf"):
            above = [each for each in lines[: place["start"]["line"]] if each.startswith("output")]
            number = re.search(r"\d+", above[-1])
            assert number
            found.add(int(number[0]))
    return found


def _terraform(folder: Path, *arguments: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    env |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    command = ["terraform", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False)
    return done.stdout


def record() -> None:
    """Writes the answers of all files anew."""
    for family in families():
        found = asked(recorded(family))
        lines = [f"{text}{SEPARATOR}{each}\n" for text, each in found.items()]
        (HERE / f"{family}.txt").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    record()
