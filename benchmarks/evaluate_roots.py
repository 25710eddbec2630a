"""Evaluates root modules and says how many instances they have: what `benchmarks/declared.py` measures from outside."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.declared.configuration import read_module
from agent.declared.evaluation import Surroundings, evaluate_root

if __name__ == "__main__":
    cache, *roots = map(Path, sys.argv[1:])
    count = 0
    for root in roots:
        around = Surroundings(cache=cache, region="us-east-1", account="123456789012")
        found = evaluate_root(read_module(root, root, cache), None, around)
        if found.problems:
            sys.exit(f"{root}: {found.problems[0]}")
        count += len(found.instances)
    print(count)
