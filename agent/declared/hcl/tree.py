"""The syntax tree of one HCL file: plain, frozen values.

Hides nothing: the shapes are the contract between the parser and whoever evaluates. Every node is a msgspec struct so
that the parse cache holds data and never code; the names follow the HCL specification
(https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md).
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct


class Literal(Struct, frozen=True, array_like=True, gc=False, tag="lit"):
    """A string without interpolation (escapes resolved), a boolean or null."""

    value: str | bool | None


class Number(Struct, frozen=True, array_like=True, gc=False, tag="num"):
    """A number, exactly as written: HCL numbers are decimal and of any size."""

    value: Decimal


class Template(Struct, frozen=True, array_like=True, gc=False, tag="tpl"):
    """A quoted string or heredoc with interpolations or directives; strip markers (`~`) are applied already.

    A template of one expression and nothing else passes that value through, type and all.
    """

    parts: tuple[Part, ...]


class TemplateIf(Struct, frozen=True, array_like=True, gc=False, tag="tif"):
    """`%{ if condition }…%{ else }…%{ endif }` inside a template."""

    condition: Expression
    yes: tuple[Part, ...]
    no: tuple[Part, ...]


class TemplateFor(Struct, frozen=True, array_like=True, gc=False, tag="tfor"):
    """`%{ for key, value in collection }…%{ endfor }` inside a template; `key` is empty where it is not named."""

    key: str
    value: str
    collection: Expression
    body: tuple[Part, ...]


class Tuple(Struct, frozen=True, array_like=True, gc=False, tag="tup"):
    """`[a, b]`."""

    items: tuple[Expression, ...]


class Object(Struct, frozen=True, array_like=True, gc=False, tag="obj"):
    """`{a = b}`: pairs in source order; a bare word as key is a `Literal`."""

    items: tuple[tuple[Expression, Expression], ...]


class BareKey(Struct, frozen=True, array_like=True, gc=False, tag="key"):
    """`a.b` as key of an object, without parentheses: the name it spells, where a module call's `providers` has it."""

    reference: Expression


class For(Struct, frozen=True, array_like=True, gc=False, tag="for"):
    """`[for …]` where `key` is None, else `{for …}`."""

    key_name: str
    """Empty where only the value is named."""
    value_name: str
    collection: Expression
    key: Expression | None
    value: Expression
    condition: Expression | None
    grouped: bool
    """Written with `...`: values of one key become a list."""


class Conditional(Struct, frozen=True, array_like=True, gc=False, tag="if"):
    """`condition ? yes : no`."""

    condition: Expression
    yes: Expression
    no: Expression


class Binary(Struct, frozen=True, array_like=True, gc=False, tag="bin"):
    """`left operator right`."""

    operator: str
    left: Expression
    right: Expression


class Unary(Struct, frozen=True, array_like=True, gc=False, tag="un"):
    """`-operand` or `!operand`; a negative number is a `Number`."""

    operator: str
    operand: Expression


class Call(Struct, frozen=True, array_like=True, gc=False, tag="call"):
    """`name(arguments)`; `expand` where the last argument is followed by `...`."""

    name: str
    """Without the `core::` that built-in functions may carry."""
    arguments: tuple[Expression, ...]
    expand: bool


class Variable(Struct, frozen=True, array_like=True, gc=False, tag="var"):
    """The root of a reference: `var`, `local`, `aws_vpc`, or the name a `for` gave."""

    name: str


class GetAttr(Struct, frozen=True, array_like=True, gc=False, tag="attr"):
    """`source.name`."""

    source: Expression
    name: str


class Index(Struct, frozen=True, array_like=True, gc=False, tag="idx"):
    """`source[key]`, also the old spelling `source.0`."""

    source: Expression
    key: Expression


class Splat(Struct, frozen=True, array_like=True, gc=False, tag="splat"):
    """`source[*]…` or `source.*…`: `each` applied to every element, which it calls `Item`."""

    source: Expression
    each: Expression


class Item(Struct, frozen=True, array_like=True, gc=False, tag="item"):
    """The element the innermost `Splat` is at."""


Expression = (
    Literal
    | Number
    | Template
    | Tuple
    | Object
    | BareKey
    | For
    | Conditional
    | Binary
    | Unary
    | Call
    | Variable
    | GetAttr
    | Index
    | Splat
    | Item
)
Part = str | Expression | TemplateIf | TemplateFor
"""A piece of a template: text as it will appear (escapes resolved), an interpolated expression, or a directive."""


class Attribute(Struct, frozen=True, array_like=True, gc=False):
    """`name = value`."""

    name: str
    value: Expression
    line: int


class Block(Struct, frozen=True, array_like=True, gc=False):
    """`type "label" {…}`."""

    type: str
    labels: tuple[str, ...]
    body: Body
    line: int


class Body(Struct, frozen=True, array_like=True, gc=False):
    """What stands between the braces of a block, or in a file: names are unique among `attributes`."""

    attributes: tuple[Attribute, ...] = ()
    blocks: tuple[Block, ...] = ()

    def attribute(self, name: str) -> Expression | None:
        """The value the body gives an attribute, None where it does not set it."""
        for each in self.attributes:
            if each.name == name:
                return each.value
        return None

    def of_type(self, *types: str) -> tuple[Block, ...]:
        """The blocks of these types, in source order."""
        return tuple(block for block in self.blocks if block.type in types)
