"""Properties of `parse` over generated input: trees survive being written, junk never crashes it."""

from decimal import Decimal

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import parse
from agent.declared.hcl.tree import (
    Attribute,
    Binary,
    Block,
    Body,
    Call,
    Conditional,
    Expression,
    For,
    GetAttr,
    Index,
    Item,
    Literal,
    Number,
    Object,
    Splat,
    Template,
    Tuple,
    Unary,
    Variable,
)

NAMES = st.sampled_from(["a", "b1", "c-d", "_e", "for_each", "count"])
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||"])
TEXTS = st.text(st.sampled_from('ab {}"\\$%#/*\n\té~<'), max_size=6)
FAST = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def _deeper(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.builds(
            lambda part, text: Template((text, part)), inner, TEXTS.filter(lambda text: text and text[-1] != "$")
        ),
        st.builds(lambda items: Tuple(tuple(items)), st.lists(inner, max_size=3)),
        st.builds(lambda items: Object(tuple(items)), st.lists(st.tuples(inner, inner), max_size=2)),
        st.builds(Conditional, inner, inner, inner),
        st.builds(Binary, OPERATORS, inner, inner),
        st.builds(Unary, st.just("!"), inner),
        st.builds(
            lambda name, items, more: Call(name, tuple(items), more and bool(items)),
            NAMES,
            st.lists(inner),
            st.booleans(),
        ),
        st.builds(For, st.just("k"), st.just("v"), inner, st.none() | inner, inner, st.none() | inner, st.just(False)),
        st.builds(GetAttr, inner, NAMES),
        st.builds(Index, inner, inner),
        st.builds(lambda source, name: Splat(source, GetAttr(Item(), name)), inner, NAMES),
    )


EXPRESSIONS = st.recursive(
    st.one_of(
        st.builds(Literal, st.none() | st.booleans() | TEXTS),
        st.builds(lambda n: Number(Decimal(n)), st.integers(0, 10**30)),
        st.builds(Variable, NAMES.filter(lambda name: name != "for_each")),
    ),
    _deeper,
    max_leaves=12,
)


def quoted(text: str) -> str:
    for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("${", "$${"), ("%{", "%%{")):
        text = text.replace(plain, escape)
    return text


def written(node: Expression) -> str:
    """HCL for a tree: every operand in parentheses, so that only the tree decides."""
    match node:
        case Literal(value=str(text)):
            return f'"{quoted(text)}"'
        case Literal(value=value):
            return "null" if value is None else str(value).lower()
        case Number(value=value):
            return str(value)
        case Variable(name=name):
            return name
        case Template(parts=(str(text), inner)):
            return f'"{quoted(text)}${{{written(inner)}}}"'
        case Tuple(items=items):
            return f"[{', '.join(map(written, items))}]"
        case Object(items=items):
            return "{" + ", ".join(f"({written(key)}) = {written(value)}" for key, value in items) + "}"
        case Conditional(condition=condition, yes=yes, no=no):
            return f"({written(condition)}) ? ({written(yes)}) : ({written(no)})"
        case Binary(operator=operator, left=left, right=right):
            return f"(({written(left)}) {operator} ({written(right)}))"
        case Unary(operator=operator, operand=operand):
            return f"{operator}({written(operand)})"
        case Call(name=name, arguments=arguments, expand=expand):
            return f"{name}({', '.join(map(written, arguments))}{'...' if expand else ''})"
        case For(collection=collection, key=key, value=value, condition=condition):
            opener, closer = "[]" if key is None else "{}"
            pair = f"({written(key)}) => " if key is not None else ""
            tail = f" if ({written(condition)})" if condition is not None else ""
            return f"{opener}for k, v in ({written(collection)}) : {pair}({written(value)}){tail}{closer}"
        case GetAttr(source=source, name=name):
            return f"({written(source)}).{name}"
        case Index(source=source, key=key):
            return f"({written(source)})[{written(key)}]"
        case Splat(source=source, each=GetAttr(name=name)):
            return f"({written(source)})[*].{name}"
    raise AssertionError(node)


@FAST
@given(EXPRESSIONS, st.integers(0, 3), st.sampled_from(["", " # c", " // c", " /* c */"]))
def test_a_written_tree_reads_back(tree: Expression, lines: int, comment: str) -> None:
    text = "\n" * lines + f"block /* x */ label {{\n  v = {written(tree)}{comment}\n}}\n"
    block = Block("block", ("label",), Body((Attribute("v", tree, lines + 2),)), lines + 1)
    assert Body((), (block,)) == parse(text.encode())


@FAST
@given(EXPRESSIONS)
def test_the_cache_keeps_every_tree(tree: Expression) -> None:
    body = Body((Attribute("v", tree, 1),))
    assert body == msgspec.msgpack.decode(msgspec.msgpack.encode(body), type=Body)


PIECES = st.one_of(
    st.sampled_from(['"', "${", "}", "{", "%{", "~}", "if ", "endif", "for ", "in ", "$${", "%%{", "\\", "é", "\r"]),
    st.sampled_from(["<<EOT\n", "EOT\n", "<<-", "\n", " ", "=", "=>", "[*]", ".*", ".", "a", "b ", "1", "-", "!", ","]),
    st.sampled_from(["(", ")", "[", "]", "?", ":", "#", "//", "/*", "*/", "...", "::"]),
)


@settings(deadline=None, max_examples=400)
@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=30))
def test_junk_is_a_parse_error_or_a_tree(text: str) -> None:
    try:
        body = parse(text.encode("utf-8", "surrogatepass"), "junk.tf")
    except ParseError as error:
        assert error.line >= 1
        assert error.column >= 1
        assert error.line <= text.count("\n") + 2
    else:
        assert isinstance(body, Body)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_bytes_are_a_parse_error_or_a_tree(data: bytes) -> None:
    try:
        assert isinstance(parse(data), Body)
    except ParseError as error:
        assert error.message
