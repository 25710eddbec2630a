"""Terraform addresses in their parts: `module.a["x"].data.aws_b.c[0]`.

Hides their spelling, and what it means for one to lie within another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

Key = int | str | None

_STEP = re.compile(r'([\w-]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|(\.)')
_ESCAPED = re.compile(r'\\([nrt"\\])|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|([$%])\4\{')
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


@dataclass(frozen=True, slots=True)
class Step:
    """One module call on the way: its name and instance key."""

    name: str
    key: Key = None

    def __str__(self) -> str:
        return f"module.{self.name}{bracketed(self.key)}"


@dataclass(frozen=True, slots=True)
class Address:
    """A module instance, or a resource or resource instance in one; `type` is empty for a module."""

    modules: tuple[Step, ...] = ()
    type: str = ""
    name: str = ""
    index: Key = None
    mode: str = "managed"

    def __str__(self) -> str:
        parts = [str(each) for each in self.modules]
        if self.type:
            data = "data." if self.mode == "data" else ""
            parts.append(f"{data}{self.type}.{self.name}{bracketed(self.index)}")
        return ".".join(parts)

    @property
    def module_address(self) -> str:
        """Address of the module instance it lies in; empty for the root module."""
        return ".".join(str(each) for each in self.modules)

    def renamed(self, before: Address, after: Address) -> Address | None:
        """This address after a move; None where the move does not concern it."""
        if not before.type:
            if after.type or len(self.modules) < len(before.modules):
                return None
            mine = self.modules[: len(before.modules)]
            if not _within(mine, before.modules) or (
                after.modules[-1].key is not None and mine[-1] != before.modules[-1]
            ):
                return None
            target = (*after.modules[:-1], _keyed(after.modules[-1], before.modules[-1], mine[-1]))
            return replace(self, modules=(*target, *self.modules[len(before.modules) :]))
        if self.modules != before.modules or (self.type, self.name) != (before.type, before.name):
            return None
        if before.index is None and after.index is None:
            return replace(self, modules=after.modules, type=after.type, name=after.name)
        return replace(after, mode=self.mode) if self.index == before.index else None


def _within(mine: tuple[Step, ...], wanted: tuple[Step, ...]) -> bool:
    """Whether the steps are the wanted ones; a last step without a key stands for all instances of the call."""
    same = mine[:-1] == wanted[:-1] and mine[-1].name == wanted[-1].name
    return same and wanted[-1].key in (None, mine[-1].key)


def _keyed(after: Step, before: Step, mine: Step) -> Step:
    return replace(after, key=mine.key) if after.key is None and before.key is None else after


def parse_address(text: str) -> Address | None:
    """An address in Terraform's spelling; None for what is none."""
    words: list[Step] = []
    for found in _tokens(text):
        if found is None:
            return None
        word, number, key, dot = found.groups()
        if word is not None:
            words.append(Step(word))
        elif dot is None:
            if not words or words[-1].key is not None:
                return None
            words[-1] = replace(words[-1], key=int(number) if number is not None else _ESCAPED.sub(_unescaped, key))
    modules: list[Step] = []
    while len(words) >= 2 and words[0].name == "module" and words[0].key is None:
        modules.append(words[1])
        words = words[2:]
    mode = "managed"
    if len(words) == 3 and words[0] == Step("data"):
        mode, words = "data", words[1:]
    if not words and modules:
        return Address(tuple(modules))
    if len(words) != 2 or words[0].key is not None:
        return None
    return Address(tuple(modules), words[0].name, words[1].name, words[1].key, mode)


def _tokens(text: str) -> Iterator[re.Match[str] | None]:
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        yield found
        if found is None:
            return
        at = found.end()


def _unescaped(found: re.Match[str]) -> str:
    plain, short, long, marker = found.groups()
    if plain is not None:
        return _PLAIN[plain]
    return marker + "{" if marker is not None else chr(int(short or long, 16))


def bracketed(key: Key) -> str:
    """An instance key as addresses have it: `[0]`, `["x"]`, nothing."""
    if key is None:
        return ""
    return f"[{key}]" if isinstance(key, int) else f'["{"".join(_escaped(key))}"]'


def _escaped(key: str) -> Iterator[str]:
    """A map key as Terraform prints it: HCL escapes, and numbers for what is not printable."""
    for i, character in enumerate(key):
        if character in _ESCAPES:
            yield _ESCAPES[character]
        elif character in "$%" and key[i + 1 : i + 2] == "{":
            yield character * 2
        elif character.isprintable():
            yield character
        else:
            yield f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
