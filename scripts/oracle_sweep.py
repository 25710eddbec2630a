"""Draws expressions and configurations at random and holds ours against the real Terraform, for as long as one likes.

    .venv/bin/python scripts/oracle_sweep.py [FIRST [SEEDS]]

Seeds FIRST, FIRST + 1, …, each 300 expressions and 50 modules. Ends with 1 where anything differs.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "declared" / "oracle"))

import expression_oracle  # noqa: E402  found below tests, on the path since the line above
import module_answers  # noqa: E402  as above
import random_expressions  # noqa: E402  as above
from our_answers import difference, ours  # noqa: E402  as above


def main() -> int:
    """Exit code."""
    given = [int(each) for each in sys.argv[1:]]
    first, seeds = (*given, *(1000, 20)[len(given) :])
    wrong = 0
    for seed in range(first, first + seeds):
        answers = expression_oracle.ask("random", random_expressions.expressions(seed, 300))
        told = {text: answer for text, answer in answers.items() if "error" not in answer}
        found = [f"{text}\n    {each}" for text, answer in told.items() if (each := difference(answer, ours(text)))]
        with tempfile.TemporaryDirectory() as folder:
            found += module_answers.differences(Path(folder), seed, 50)
            modules = len(list(Path(folder).glob("m*.tf")))
        print(f"seed {seed}: {len(told)} expressions, {modules} modules, {len(found)} differences", flush=True)
        print(*found, sep="\n", end="\n" if found else "")
        wrong += len(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
