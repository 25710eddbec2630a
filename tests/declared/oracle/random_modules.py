"""Random modules: variables with types and defaults, locals, modules below, repeated `terraform_data`, outputs.

Hides the shapes. A root module calls many such modules, so that one run of Terraform answers for all of them.
"""

from pathlib import Path
from random import Random

from random_expressions import BOOL, MAP, NUMBER, OBJECT, OBJECTS, SET, STRING, STRINGS, TYPES, Maker

TYPE_OF = {
    STRING: "string",
    NUMBER: "number",
    BOOL: "bool",
    STRINGS: "list(string)",
    "list(number)": "list(number)",
    MAP: "map(string)",
    SET: "set(string)",
    OBJECT: (
        "object({ name = string, size = optional(number, 5), on = optional(bool), items = optional(list(string), []) })"
    ),
    OBJECTS: "list(object({ name = string, size = optional(number, 1), on = bool, items = set(string) }))",
}
NO_NAMES: dict[str, tuple[str, ...]] = {}


class _Module:
    """One module while it is written: what it has so far can be referred to."""

    def __init__(self, random: Random, depth: int) -> None:
        self.random = random
        self.depth = depth
        self.maker = Maker(random.randrange(1 << 30), NO_NAMES)
        self.files: dict[str, str] = {}
        self.parts: list[str] = []
        self.variables: dict[str, str] = {}
        self.outputs: dict[str, str] = {}

    def any_type(self) -> str:
        return self.random.choice(TYPES)

    def expression(self, kind: str, depth: int = 2) -> str:
        made = self.maker.make(kind, self.random.randint(0, depth))
        return made if self.random.random() < 0.6 else f"try({made}, {self.maker.make(kind, 0)})"

    def known(self, kind: str, reference: str) -> None:
        self.maker.names[kind].append(reference)

    def variable(self, number: int) -> None:
        kind, name = self.any_type(), f"in{number}"
        lines = [f"type = {TYPE_OF[kind]}"] if self.random.random() < 0.8 else []
        if self.random.random() < 0.6:
            # A default is a constant: no function may be called.
            constant = Maker(self.random.randrange(1 << 30), NO_NAMES).make(STRINGS if kind == SET else kind, 0)
            lines.append(f"default = {constant}")
        else:
            self.variables[name] = kind
        if self.random.random() < 0.2:
            lines.append("nullable = false")
        self.parts.append(_block(f'variable "{name}"', lines))
        self.known(kind, f"var.{name}")

    def local(self, number: int) -> None:
        kind = self.any_type()
        self.parts.append(_block("locals", [f"here{number} = {self.expression(kind, 3)}"]))
        self.known(kind, f"local.here{number}")

    def resource(self, number: int) -> None:
        kind, name = self.any_type(), f"kept{number}"
        address = f"terraform_data.{name}"
        lines, form = self._repetition()
        lines.append(f"input = {self.expression(kind)}")
        if self.random.random() < 0.3:
            lines.append(f"triggers_replace = {self.expression(self.any_type(), 1)}")
        self.parts.append(_block(f'resource "terraform_data" "{name}"', lines))
        self.maker.names[NUMBER] = [each for each in self.maker.names[NUMBER] if each != "count.index"]
        self.maker.names[STRING] = [each for each in self.maker.names[STRING] if not each.startswith("each.")]
        if form == "one":
            self.known(kind, f"{address}.input")
        elif kind == STRING:
            self.known(STRINGS, f"{address}[*].input" if form == "count" else f"values({address})[*].input")
        self.known(NUMBER, f"length({address})" if form != "one" else f"length([{address}])")
        if self.random.random() < 0.15 and form == "one":
            self.known(STRING, f"{address}.id")

    def _repetition(self) -> tuple[list[str], str]:
        form = self.random.choice(("one", "one", "count", "each"))
        if form == "count":
            lines = [f"count = {self.random.choice((self.random.randint(0, 2), f'({self.expression(BOOL)} ? 1 : 0)'))}"]
            self.known(NUMBER, "count.index")
        elif form == "each":
            kind = self.random.choice((SET, MAP))
            lines = [f"for_each = {self.expression(kind)}"]
            self.known(STRING, "each.key")
            self.known(STRING, "each.value")
        else:
            lines = []
        return lines, form

    def call(self, number: int) -> None:
        below = _module(self.random, self.depth - 1)
        name = f"below{number}"
        self.files |= {f"{name}/{path}": text for path, text in below.files.items()}
        lines, form = self._repetition()
        lines.insert(0, f'source = "./{name}"')
        lines += [f"{variable} = {self.expression(kind)}" for variable, kind in below.variables.items()]
        self.parts.append(_block(f'module "{name}"', lines))
        self.maker.names[NUMBER] = [each for each in self.maker.names[NUMBER] if each != "count.index"]
        self.maker.names[STRING] = [each for each in self.maker.names[STRING] if not each.startswith("each.")]
        for output, kind in below.outputs.items():
            if form == "one":
                self.known(kind, f"module.{name}.{output}")
            elif kind == STRING:
                self.known(
                    STRINGS, f"module.{name}[*].{output}" if form == "count" else f"values(module.{name})[*].{output}"
                )
        if form != "one":
            self.known(NUMBER, f"length(module.{name})")

    def output(self, number: int) -> None:
        kind = self.any_type()
        self.parts.append(_block(f'output "out{number}"', [f"value = {self.expression(kind, 3)}", "sensitive = false"]))
        self.outputs[f"out{number}"] = kind


def _block(head: str, lines: list[str]) -> str:
    return head + " {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def _module(random: Random, depth: int) -> _Module:
    module = _Module(random, depth)
    makers = [module.variable, module.local, module.resource, module.local, module.resource]
    for number in range(random.randint(1, 3)):
        module.variable(number)
    for number in range(10, 10 + random.randint(2, 5)):
        random.choice(makers)(number)
    if depth and random.random() < 0.6:
        module.call(0)
    for number in range(20, 20 + random.randint(0, 3)):
        random.choice(makers)(number)
    for number in range(random.randint(1, 3)):
        module.output(number)
    module.files["main.tf"] = "\n".join(module.parts)
    return module


def write_root(folder: Path, seed: int, count: int) -> list[str]:
    """Writes a root module that calls so many random modules, each in a file of its own; names of the calls."""
    names = []
    for number in range(count):
        random = Random(f"{seed}/{number}")
        name, module, caller = f"m{number}", _module(random, 2), Maker(random.randrange(1 << 30), NO_NAMES)
        for path, text in module.files.items():
            place = folder / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        lines = [f'source = "./{name}"']
        lines += [f"{variable} = {caller.make(kind, 1)}" for variable, kind in module.variables.items()]
        call = _block(f'module "{name}"', lines) + _block(
            f'output "{name}"', [f"value = module.{name}", "sensitive = true"]
        )
        (folder / f"{name}.tf").write_text(call, encoding="utf-8")
        names.append(name)
    return names
