"""Random expressions of the Terraform language, mostly of the type that is asked for; one seed, the same.

Hides the productions. They know the locals of `given.tf` by default; who has other names gives them.
"""

import json
from collections.abc import Callable, Mapping
from random import Random

STRING, NUMBER, BOOL, STRINGS, NUMBERS, OBJECTS, MAP, SET, OBJECT = (
    *("string", "number", "bool", "list(string)", "list(number)", "list(object)", "map(string)", "set(string)"),
    "object",
)
TYPES = (STRING, NUMBER, BOOL, STRINGS, NUMBERS, OBJECTS, MAP, SET, OBJECT)
"""`object` has a string `name`, a number `size`, a bool `on` and a list of strings `items`."""

GIVEN: Mapping[str, tuple[str, ...]] = {
    STRING: ("local.text", "local.object.name", "local.map.a", 'local.by_key["one"].id', "local.list[1]"),
    NUMBER: ("local.zero", "local.object.size", "local.numbers[0]", "local.maps.x.a", "local.tuple[1]"),
    BOOL: ("local.yes", "local.objects[1].on", "local.tuple[2]"),
    STRINGS: ("local.list", "local.object.items", "local.objects[*].id", "local.tuple"),
    NUMBERS: ("local.numbers", "local.objects[*].n", "values(local.maps.x)"),
    OBJECTS: (),
    MAP: ("local.map", "local.object.tags", "local.maps.x"),
    SET: ("local.set",),
    OBJECT: (),
}
WORDS = (
    *("a", "b", "ab", "Abc", "x-y", "a_b", "", " a ", "é", "日本", "1", "10", "true", "a,b", "A b c", "\n", 'q"q', "$"),
    "%",
)
PATTERNS = ('"a"', '"/[a-z]+/"', '""', '"-"')
NUMERALS = ("0", "1", "2", "3", "7", "10", "-1", "-5", "0.5", "1.25", "100", "1e3", "12345678901234567890", "0.1")
NAMES = ("a", "b", "name", "size", "key")
Production = Callable[["Maker"], str]


class Maker:
    """Makes expressions: `make(type, depth)`."""

    def __init__(self, seed: int, names: Mapping[str, tuple[str, ...]] = GIVEN) -> None:
        self.random = Random(seed)
        self.names: dict[str, list[str]] = {kind: list(names.get(kind, ())) for kind in TYPES}
        self.depth = 0
        self.loops = 0

    def any_type(self) -> str:
        return self.random.choice(TYPES)

    def make(self, kind: str, depth: int) -> str:
        """An expression that is, in most cases, of that type."""
        before, self.depth = self.depth, depth
        try:
            if depth <= 0 or self.random.random() < 0.12:
                return self._leaf(kind)
            if self.random.random() < 0.2:
                return self.random.choice(GENERAL)(self, kind)
            return self.random.choice(PRODUCTIONS[kind])(self)
        finally:
            self.depth = before

    def sub(self, kind: str) -> str:
        """A smaller expression inside another."""
        return self.make(kind, self.depth - 1 - self.random.randint(0, 1))

    def anything(self) -> str:
        return self.sub(self.any_type())

    def _leaf(self, kind: str) -> str:
        known = self.names[kind]
        if known and self.random.random() < 0.6:
            return self.random.choice(known)
        return LEAVES[kind](self)

    def word(self) -> str:
        return quoted(self.random.choice(WORDS))

    def number(self) -> str:
        return self.random.choice(NUMERALS)

    def some(self, make: Callable[[], str], most: int = 3) -> list[str]:
        return [make() for _ in range(self.random.randint(0, most))]

    def loop(self, kind: str, body: Callable[[str], str]) -> str:
        """The rest of a `for` over a value of a type, its element known as that of another while the body is made."""
        name = f"v{self.loops}"
        self.loops += 1
        element = {STRINGS: STRING, NUMBERS: NUMBER, OBJECTS: OBJECT, MAP: STRING, SET: STRING}[kind]
        collection = self.sub(kind)
        self.names[element].append(name)
        try:
            return f"{name} in {collection} : {body(name)}"
        finally:
            self.names[element].remove(name)

    def condition(self) -> str:
        return f" if {self.sub(BOOL)}" if self.random.random() < 0.4 else ""


def quoted(text: str) -> str:
    """A string as the language writes it."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _object(m: Maker, deep: bool = True) -> str:
    string, number, on, items = (m.sub(kind) if deep else m._leaf(kind) for kind in (STRING, NUMBER, BOOL, STRINGS))
    return f"{{ name = {string}, size = {number}, on = {on}, items = {items} }}"


def _listed(m: Maker, kind: str) -> str:
    return "[" + ", ".join(m.some(lambda: m.sub(kind))) + "]"


def _mapped(m: Maker, kind: str) -> str:
    return "{ " + ", ".join(f"{m.random.choice(NAMES)} = {m.sub(kind)}" for _ in range(m.random.randint(0, 2))) + " }"


def _template(m: Maker) -> str:
    parts = [
        lambda: m.random.choice(("-", " ", "x", "é", "$", "%%{", "$${", "\\n")),
        lambda: f"${{{m.sub(m.random.choice((STRING, NUMBER, BOOL)))}}}",
        lambda: f" ${{~ {m.sub(STRING)} ~}} ",
        lambda: f"%{{ if {m.sub(BOOL)} }}{m.random.choice(WORDS[:6])}%{{ else }}n%{{ endif }}",
        lambda: "%{ for " + m.loop(STRINGS, lambda name: "").removesuffix(" : ") + " ~} . %{ endfor }",
    ]
    return '"' + "".join(m.random.choice(parts)() for _ in range(m.random.randint(1, 3))) + '"'


LEAVES: Mapping[str, Production] = {
    STRING: Maker.word,
    NUMBER: Maker.number,
    BOOL: lambda m: m.random.choice(("true", "false")),
    STRINGS: lambda m: "[" + ", ".join(m.some(m.word)) + "]",
    NUMBERS: lambda m: "[" + ", ".join(m.some(m.number)) + "]",
    OBJECTS: lambda m: "[" + ", ".join(m.some(lambda: _object(m, deep=False), 2)) + "]",
    MAP: lambda m: "{ " + ", ".join(f"{name} = {m.word()}" for name in NAMES[: m.random.randint(0, 3)]) + " }",
    SET: lambda m: f"toset({LEAVES[STRINGS](m)})",
    OBJECT: lambda m: _object(m, deep=False),
}

GENERAL: tuple[Callable[[Maker, str], str], ...] = (
    lambda m, kind: f"({m.sub(BOOL)} ? {m.sub(kind)} : {m.sub(kind)})",
    lambda m, kind: f"({m.sub(BOOL)} ? {m.sub(kind)} : null)",
    lambda m, kind: f"({m.sub(BOOL)} ? {m.sub(kind)} : {m.anything()})",
    lambda m, kind: f"try({m.anything()}, {m.sub(kind)})",
    lambda m, kind: f"try({m.sub(OBJECT)}.{m.random.choice(NAMES)}, {m.sub(kind)})",
    lambda m, kind: f"try({m.sub(OBJECTS)}[{m.sub(NUMBER)}], {m.sub(kind)})",
    lambda m, kind: f"coalesce({m.sub(kind)}, {m.sub(kind)})",
    lambda m, kind: f"[{m.sub(kind)}, {m.sub(kind)}][{m.random.choice((0, 1))}]",
    lambda m, kind: f"{{ k = {m.sub(kind)} }}.k",
    lambda m, kind: f"one([{m.sub(kind)}])",
    lambda m, kind: f"jsondecode(jsonencode({m.sub(kind)}))",
    lambda m, kind: f"lookup({_mapped(m, kind)}, {quoted(m.random.choice(NAMES))}, {m.sub(kind)})",
    lambda m, kind: f"element([for x in [1, 2] : {m.sub(kind)}], {m.sub(NUMBER)})",
)

PRODUCTIONS: Mapping[str, tuple[Production, ...]] = {
    STRING: (
        _template,
        _template,
        lambda m: f"{m.random.choice(('upper', 'lower', 'title', 'trimspace', 'chomp', 'strrev'))}({m.sub(STRING)})",
        lambda m: f"{m.random.choice(('md5', 'sha1', 'base64encode', 'urlencode', 'basename'))}({m.sub(STRING)})",
        lambda m: f"join({m.word()}, {m.sub(m.random.choice((STRINGS, SET, NUMBERS)))})",
        lambda m: f"replace({m.sub(STRING)}, {m.random.choice(PATTERNS)}, {m.word()})",
        lambda m: f"substr({m.sub(STRING)}, {m.random.randint(-2, 3)}, {m.random.randint(-1, 4)})",
        lambda m: f'format("%s-%v", {m.sub(STRING)}, {m.sub(m.random.choice((NUMBER, BOOL, STRING, STRINGS)))})',
        lambda m: f'format("%05.1f|%d", {m.sub(NUMBER)}, floor({m.sub(NUMBER)}))',
        lambda m: f"{m.random.choice(('jsonencode', 'yamlencode'))}({m.anything()})",
        lambda m: f"tostring({m.sub(m.random.choice((NUMBER, BOOL, STRING)))})",
        lambda m: f"{m.sub(OBJECT)}.name",
        lambda m: f"element({m.sub(STRINGS)}, {m.sub(NUMBER)})",
        lambda m: f'lookup({m.sub(MAP)}, "{m.random.choice(NAMES)}", {m.sub(STRING)})',
        lambda m: f'try(regex("[a-z]+", {m.sub(STRING)}), {m.sub(STRING)})',
        lambda m: f"trim{m.random.choice(('', 'prefix', 'suffix'))}({m.sub(STRING)}, {m.word()})",
        lambda m: f"indent(2, {m.sub(STRING)})",
        lambda m: f"[for {m.loop(STRINGS, lambda _: m.sub(STRING))}][0]",
    ),
    NUMBER: (
        lambda m: f"({m.sub(NUMBER)} {m.random.choice('+-*')} {m.sub(NUMBER)})",
        lambda m: f"({m.sub(NUMBER)} {m.random.choice('/%')} {m.random.choice(NUMERALS[1:])})",
        # Not `-x`: ours has no negative zero (`known_differences`).
        lambda m: f"(0 - {m.sub(NUMBER)})",
        lambda m: f"length({m.sub(m.random.choice((STRING, STRINGS, MAP, SET, OBJECTS)))})",
        lambda m: f"{m.random.choice(('max', 'min'))}({m.sub(NUMBER)}, {m.sub(NUMBER)})",
        lambda m: f"{m.random.choice(('floor', 'ceil', 'abs', 'signum'))}({m.sub(NUMBER)})",
        lambda m: f"try(sum({m.sub(NUMBERS)}), 0)",
        lambda m: f"try(tonumber({m.sub(STRING)}), {m.sub(NUMBER)})",
        lambda m: f"try(index({m.sub(STRINGS)}, {m.sub(STRING)}), -1)",
        lambda m: f"{m.sub(OBJECT)}.size",
        lambda m: f"parseint({quoted(m.random.choice(('10', 'ff', '-7', '0')))}, 16)",
    ),
    BOOL: (
        lambda m: f"({m.sub(NUMBER)} {m.random.choice(('<', '<=', '>', '>='))} {m.sub(NUMBER)})",
        lambda m: f"({m.sub(kind := m.any_type())} {m.random.choice(('==', '!='))} {m.sub(kind)})",
        lambda m: f"({m.anything()} == {m.anything()})",
        lambda m: f"({m.sub(BOOL)} {m.random.choice(('&&', '||'))} {m.sub(BOOL)})",
        lambda m: f"!({m.sub(BOOL)})",
        lambda m: f"can({m.anything()})",
        lambda m: f"contains({m.sub(m.random.choice((STRINGS, SET)))}, {m.sub(STRING)})",
        lambda m: f"{m.random.choice(('startswith', 'endswith', 'strcontains'))}({m.sub(STRING)}, {m.word()})",
        lambda m: f"{m.random.choice(('alltrue', 'anytrue'))}([for {m.loop(STRINGS, lambda _: m.sub(BOOL))}])",
        lambda m: f"issensitive({m.anything()})",
        lambda m: f"{m.sub(OBJECT)}.on",
        lambda m: f"({m.anything()} == null)",
    ),
    STRINGS: (
        lambda m: _listed(m, STRING),
        lambda m: f"[for {m.loop(m.random.choice((STRINGS, SET, MAP)), lambda _: m.sub(STRING) + m.condition())}]",
        lambda m: f"[for {m.loop(OBJECTS, lambda name: f'{name}.name' + m.condition())}]",
        lambda m: f"concat({m.sub(STRINGS)}, {m.sub(STRINGS)})",
        lambda m: f"{m.random.choice(('reverse', 'distinct', 'compact', 'sort', 'tolist'))}({m.sub(STRINGS)})",
        lambda m: f"split({m.word()}, {m.sub(STRING)})",
        lambda m: f"keys({m.sub(m.random.choice((MAP, OBJECT)))})",
        lambda m: f"values({m.sub(MAP)})",
        lambda m: f"{m.sub(OBJECTS)}[*].name",
        lambda m: f"flatten([{m.sub(STRINGS)}, [{m.sub(STRINGS)}], {m.sub(STRING)}])",
        lambda m: f"flatten({m.sub(OBJECTS)}[*].items)",
        lambda m: f"tolist({m.sub(SET)})",
        lambda m: f"try(slice({m.sub(STRINGS)}, 0, {m.sub(NUMBER)}), [])",
        lambda m: f'formatlist("%s!", {m.sub(STRINGS)})',
        lambda m: f"coalescelist({m.sub(STRINGS)}, {m.sub(STRINGS)})",
        lambda m: f'regexall("[a-z]", {m.sub(STRING)})',
        lambda m: f"{m.sub(OBJECT)}.items",
        lambda m: f'[for pair in setproduct({m.sub(STRINGS)}, {m.sub(STRINGS)}) : join("/", pair)]',
        lambda m: f"matchkeys({m.sub(STRINGS)}, {m.sub(STRINGS)}, {m.sub(STRINGS)})",
        lambda m: f"flatten(chunklist({m.sub(STRINGS)}, 2))",
    ),
    NUMBERS: (
        lambda m: _listed(m, NUMBER),
        lambda m: f"[for {m.loop(NUMBERS, lambda _: m.sub(NUMBER) + m.condition())}]",
        lambda m: f"[for {m.loop(OBJECTS, lambda name: f'{name}.size')}]",
        lambda m: f"range({m.random.randint(0, 4)})",
        lambda m: f"{m.sub(OBJECTS)}[*].size",
        lambda m: f"concat({m.sub(NUMBERS)}, {m.sub(NUMBERS)})",
        lambda m: f"[for {m.loop(STRINGS, lambda name: f'length({name})')}]",
        lambda m: f"distinct({m.sub(NUMBERS)})",
    ),
    OBJECTS: (
        lambda m: _listed(m, OBJECT),
        lambda m: f"[for {m.loop(STRINGS, lambda _: m.sub(OBJECT))}]",
        lambda m: f"[for {m.loop(OBJECTS, lambda name: name + m.condition())}]",
        lambda m: f"concat({m.sub(OBJECTS)}, {m.sub(OBJECTS)})",
        lambda m: f"values({{ for {m.loop(OBJECTS, lambda name: f'{name}.name => {name}')} }})",
        lambda m: f"[{m.sub(OBJECT)}][*]",
        lambda m: f"tolist({m.sub(OBJECTS)})",
    ),
    MAP: (
        lambda m: _mapped(m, STRING),
        lambda m: f"{{ for {m.loop(SET, lambda name: f'{name} => {m.sub(STRING)}' + m.condition())} }}",
        lambda m: f"{{ for {m.loop(STRINGS, lambda name: f'{name} => {m.sub(STRING)}' + m.condition())} }}",
        lambda m: f"{{ for {m.loop(STRINGS, lambda name: f'length({name}) => {name}...')} }}",
        lambda m: f"{{ for key, {m.loop(MAP, lambda name: f'key => {name}' + m.condition())} }}",
        lambda m: f"merge({m.sub(MAP)}, {m.sub(MAP)})",
        lambda m: f"tomap({m.sub(MAP)})",
        lambda m: f"try(zipmap({m.sub(STRINGS)}, {m.sub(STRINGS)}), {{}})",
        lambda m: f"{{ for {m.loop(OBJECTS, lambda name: f'{name}.name => {name}.size')} }}",
        lambda m: f"merge([for {m.loop(STRINGS, lambda name: f'{{ ({name}) = {m.sub(STRING)} }}')}]...)",
        lambda m: f"{{ ({m.sub(STRING)}) = {m.sub(STRING)}, b = {m.sub(STRING)} }}",
        lambda m: f"transpose({{ a = {m.sub(STRINGS)}, b = {m.sub(STRINGS)} }})",
    ),
    SET: (
        lambda m: f"toset({m.sub(STRINGS)})",
        lambda m: f"{m.random.choice(('setunion', 'setintersection', 'setsubtract'))}({m.sub(SET)}, {m.sub(STRINGS)})",
        lambda m: f"toset(keys({m.sub(MAP)}))",
        lambda m: f"toset([for {m.loop(SET, lambda _: m.sub(STRING))}])",
        lambda m: f"toset({m.sub(NUMBERS)})",
    ),
    OBJECT: (
        _object,
        _object,
        lambda m: f"merge({m.sub(OBJECT)}, {{ size = {m.sub(NUMBER)} }})",
        lambda m: f"merge({m.sub(OBJECT)}, {_mapped(m, STRING)})",
        lambda m: f"element({m.sub(OBJECTS)}, {m.sub(NUMBER)})",
        lambda m: f"{{ for key, value in {m.sub(OBJECT)} : key => value }}",
        lambda m: f"{m.sub(OBJECTS)}[0]",
    ),
}


def expressions(seed: int, count: int, depth: int = 4) -> list[str]:
    """So many different expressions."""
    maker = Maker(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        text = maker.make(maker.any_type(), maker.random.randint(1, depth))
        if len(text) < 2_000:
            found[text] = None
    return list(found)
