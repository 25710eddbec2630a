"""What `parse` makes of every form of HCL, of what python-hcl2 gets wrong, and of what nobody can read."""

import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import MAX_BYTES, parse
from agent.declared.hcl.tree import (
    Attribute,
    BareKey,
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
    TemplateFor,
    TemplateIf,
    Tuple,
    Unary,
    Variable,
)

A, B, X, Y = (Variable(name) for name in "abxy")
ITEM = Item()


def number(text: str | int) -> Number:
    return Number(Decimal(text))


def value(text: str) -> Expression:
    found = parse(f"v = {text}\n".encode()).attribute("v")
    assert found is not None
    return found


FORMS = {
    "null": Literal(None),
    "true": Literal(True),
    "false": Literal(False),
    '"text"': Literal("text"),
    '""': Literal(""),
    r'"\n\t\r\"\\\u00e9\U0001F600"': Literal('\n\t\r"\\é😀'),
    "12345678901234567890123": number("12345678901234567890123"),
    "1.50": number("1.50"),
    "1e3": number("1e3"),
    "-7": number(-7),
    "-1.5": number("-1.5"),
    "-10": number(-10),
    "[]": Tuple(()),
    "[1, x,]": Tuple((number(1), X)),
    "[\n  1,\n  2\n]": Tuple((number(1), number(2))),
    "{}": Object(()),
    '{ a = 1, "b" : 2 }': Object(((Literal("a"), number(1)), (Literal("b"), number(2)))),
    "{\n  in = 1\n  true = 2\n  for = 3\n}": Object(
        ((Literal("in"), number(1)), (Literal("true"), number(2)), (Literal("for"), number(3)))
    ),
    '{ (a) = 1, "${b}-x" = 2, (x.y) = 3 }': Object(
        ((A, number(1)), (Template((B, "-x")), number(2)), (GetAttr(X, "y"), number(3)))
    ),
    "x ? 1 : 2": Conditional(X, number(1), number(2)),
    "x ? 1 : y ? 2 : 3": Conditional(X, number(1), Conditional(Y, number(2), number(3))),
    "a + b * x": Binary("+", A, Binary("*", B, X)),
    "a - b - x": Binary("-", Binary("-", A, B), X),
    "(a - b) * x": Binary("*", Binary("-", A, B), X),
    "a == b && !x || y": Binary("||", Binary("&&", Binary("==", A, B), Unary("!", X)), Y),
    "a >= b": Binary(">=", A, B),
    "-x": Unary("-", X),
    "f()": Call("f", (), False),
    "f(1, x...)": Call("f", (number(1), X), True),
    "provider::aws::arn_parse(x)": Call("provider::aws::arn_parse", (X,), False),
    "a.b.c": GetAttr(GetAttr(A, "b"), "c"),
    "a[0].b": GetAttr(Index(A, number(0)), "b"),
    'a["k"][x]': Index(Index(A, Literal("k")), X),
    "a.0.b": GetAttr(Index(A, number(0)), "b"),
    "a[*].b": Splat(A, GetAttr(ITEM, "b")),
    "a[*]": Splat(A, ITEM),
    "a.*.b": Splat(A, GetAttr(ITEM, "b")),
    "a.*.b[0]": Index(Splat(A, GetAttr(ITEM, "b")), number(0)),
    "a.*.b.0.c": Splat(A, GetAttr(Index(GetAttr(ITEM, "b"), number(0)), "c")),
    "a[*].b[0]": Splat(A, Index(GetAttr(ITEM, "b"), number(0))),
    "(a[*].b)[0]": Index(Splat(A, GetAttr(ITEM, "b")), number(0)),
    "f(x)[*].a": Splat(Call("f", (X,), False), GetAttr(ITEM, "a")),
    "[for x in a : x]": For("", "x", A, None, X, None, False),
    "[for x, y in a : y if x]": For("x", "y", A, None, Y, X, False),
    "{for x in a : x => y... if b}": For("", "x", A, X, Y, B, True),
    '"${x}"': Template((X,)),
    '"a${x}b"': Template(("a", X, "b")),
    '"${"in ${x}"}"': Template((Template(("in ", X)),)),
    '"%{ if x }yes%{ else }no%{ endif }"': Template((TemplateIf(X, ("yes",), ("no",)),)),
    '"%{ for x, y in a }${y}%{ endfor }"': Template((TemplateFor("x", "y", A, (Y,)),)),
    '"%{ if x ~}  a  %{~ endif }  b"': Template((TemplateIf(X, ("a",), ()), "  b")),
    "<<EOT\nline ${x}\n\nEOT": Template(("line ", X, "\n\n")),
    "<<-EOT\n    deep\n  less\n  EOT": Literal("  deep\nless\n"),
    "<<EOT\nEOT": Literal(""),
}
"""Every form of an expression, as python-hcl2 and Terraform read it alike."""

CORRECTED = {
    "a[*].b[*].x": Splat(A, Splat(GetAttr(ITEM, "b"), GetAttr(ITEM, "x"))),
    "a[*].b.*.x": Splat(A, Splat(GetAttr(ITEM, "b"), GetAttr(ITEM, "x"))),
    "a.*.b[*].x": Splat(Splat(A, GetAttr(ITEM, "b")), GetAttr(ITEM, "x")),
    "a -10": Binary("-", A, number(10)),
    "1-10": Binary("-", number(1), number(10)),
    "[for x in a : x -10]": For("", "x", A, None, Binary("-", X, number(10)), None, False),
    "(a\n  - b)": Binary("-", A, B),
    "(a # why\n  + b)": Binary("+", A, B),
    "[\n  -1,\n  -10\n]": Tuple((number(-1), number(-10))),
    "core::max(1, 2)": Call("max", (number(1), number(2)), False),
    "a /* inline */ + /* and */ b": Binary("+", A, B),
    "/* first */ a": A,
    "{for x in a : x\n  => y}": For("", "x", A, X, Y, None, False),
    "{for x in a : x // comment\n  => y}": For("", "x", A, X, Y, None, False),
    '"$${x}"': Literal("${x}"),
    '"$${"': Literal("${"),
    '"%%{"': Literal("%{"),
    '"$$${"': Literal("$${"),
    '"$${${x}}"': Template(("${", X, "}")),
    '"a ${~ x ~} b"': Template(("a", X, "b")),
    '"${~ x ~}"': Template((X,)),
    '" ${~ x }"': Template(("", X)),
    '"%{ if x }${~ y ~} %{ endif }"': Template((TemplateIf(X, (Y, ""), ()),)),
    '"# not a comment /* either */ // nor this"': Literal("# not a comment /* either */ // nor this"),
    "<<EOT\ntext\nEOT  ": Literal("text\n"),
    "<<EOT\r\ntext\r\nEOT\r": Literal("text\r\n"),
    "f(<<ONE\n1\nONE\n, <<TWO\n2\nTWO\n)": Call("f", (Literal("1\n"), Literal("2\n")), False),
    "!!a": Unary("!", Unary("!", A)),
    "!!!a.b[0] && x": Binary("&&", Unary("!", Unary("!", Unary("!", Index(GetAttr(A, "b"), number(0))))), X),
    "--1": number(1),
    "- -a": Unary("-", Unary("-", A)),
    "!-x": Unary("!", Unary("-", X)),
    "a - --b": Binary("-", A, Unary("-", Unary("-", B))),
    "[!!a, !!f(b), --x]": Tuple(
        (Unary("!", Unary("!", A)), Unary("!", Unary("!", Call("f", (B,), False))), Unary("-", Unary("-", X)))
    ),
    "!!a ? !!b : !!x": Conditional(*(Unary("!", Unary("!", each)) for each in (A, B, X))),
    "[for x in a : x if !!b]": For("", "x", A, None, X, Unary("!", Unary("!", B)), False),
    '"${!!a}"': Template((Unary("!", Unary("!", A)),)),
    "é.ü": GetAttr(Variable("é"), "ü"),
    "{ naïve = a }": Object(((Literal("naïve"), A),)),
    "[for ключ, знач in a : знач]": For("ключ", "знач", A, None, Variable("знач"), None, False),
    '"${\n  a\n}"': Template((A,)),
    '"x ${ a # why\n + b /* two\nlines */ } y"': Template(("x ", Binary("+", A, B), " y")),
    '"%{ if\n a\n}yes%{ endif }"': Template((TemplateIf(A, ("yes",), ()),)),
    '"${f(\n  a,\n  [\n    b\n  ]\n)}"': Template((Call("f", (A, Tuple((B,))), False),)),
    '"${<<X\nin\nX\n}"': Template((Literal("in\n"),)),
    '"e\u0301"': Literal("\u00e9"),
    '<<EOT\n" { ( <<X # /* \nEOT': Literal('" { ( <<X # /* \n'),
}
"""Valid HCL that python-hcl2 8.1.4 rejects or reads as something else."""

REFUSED = {
    'v = "x\ny"': (1, 5, "a string ends at the end of its line"),
    "v = [1, 2": (1, 5, "`[` is opened here and never closed: add `]`"),
    "a {\n  v = 1\n": (1, 3, "`{` is opened here and never closed: add `}`"),
    "v = (1]": (1, 7, "`]` where `)` must close the `(` of line 1"),
    "v = }": (1, 5, "`}` closes nothing: remove it"),
    r'v = "\ud800"': (1, 6, r"unknown escape `\u`"),
    r'v = "\U00110000"': (1, 6, r"unknown escape `\U`"),
    r'v = "\q"': (1, 6, r"unknown escape `\q`"),
    "v = 1\n\n  v = 2": (3, 1, "`v` is set already in line 1: keep one of them"),
    "a {\n  b {\n    v = 1\n    v = 1\n  }\n}": (4, 1, "`v` is set already in line 3"),
    "v = \n": (1, 5, "unexpected end of the line: a value would be right"),
    "= 1": (1, 1, "unexpected `=`"),
    "v = 1 2": (1, 7, "unexpected `2`: the end of the line or a name would be right"),
    "v = 'x'": (1, 5, "unexpected `'`: a value would be right"),
    "v = <<EOT\ntext": (1, 5, "the heredoc opened here never ends: add a line with `EOT` alone"),
    "/* open": (1, 1, "a comment is opened here and never closed"),
    'v = "%{ if x }"': (1, 1, "a template directive here never ends"),
    '\nv = "%{ endif }"': (2, 1, "a template directive ends here that was never begun"),
    'v = "${1 2}"': (1, 10, "unexpected `2`: `}` would be right"),
    'v = "${': (1, 6, "`${` is opened here and never closed: add `}`"),
    'r "a${b}" {}': (1, 1, "a block's label holds an interpolation"),
    "v = f(1,,2)": (1, 9, "unexpected `,`"),
    "v = [for x in y]": (1, 16, "unexpected `]`: `:`"),
    "v = {a = 1 b = 2}": (1, 1, "two elements of an object on one line: part them with `,`"),
    "v = {for = 1}": (1, 1, "`{for` begins a `for` expression: quote the key"),
    "v = a.0.1": (1, 1, "`.0.1` is not read: write `[0][1]`"),
    'resource "a" "b"': (1, 17, "unexpected end of the"),
}
"""What Terraform refuses too: line, column and the beginning of what we say."""

UNREAD = {
    'v = "\ufdd0"': (1, 6, "noncharacter"),
}
"""Valid for Terraform and not read here: the message says how else to write it."""


@pytest.mark.parametrize("text", FORMS)
def test_forms(text: str) -> None:
    assert FORMS[text] == value(text)


@pytest.mark.parametrize("text", CORRECTED)
def test_corrections(text: str) -> None:
    assert CORRECTED[text] == value(text)


@pytest.mark.parametrize(("text", "told"), [*REFUSED.items(), *UNREAD.items()])
def test_errors(text: str, told: tuple[int, int, str]) -> None:
    line, column, message = told
    with pytest.raises(ParseError) as error:
        parse(text.encode(), "main.tf")
    assert ("main.tf", line, column) == (error.value.file, error.value.line, error.value.column)
    assert message in error.value.message
    assert str(error.value).startswith(f"main.tf:{line}:{column}: ")


@pytest.mark.terraform
def test_terraform_agrees(tmp_path: Path) -> None:
    """The tables above say what is valid; `terraform fmt` is the judge."""
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("the terraform binary is not on PATH")
    good = [f"v = {text}\n" for text in (*FORMS, *CORRECTED)] + [f"{text}\n" for text in UNREAD]
    for folder, texts in {"good": good, "bad": list(REFUSED)}.items():
        (tmp_path / folder).mkdir()
        for i, text in enumerate(texts):
            (tmp_path / folder / f"f{i:03}.tf").write_bytes(text.encode())
    command = [terraform, "fmt", "-check", "-list=false", "-no-color"]
    env = {name: text for name, text in os.environ.items() if not name.startswith("TF_")}
    told = {
        folder: subprocess.run(
            [*command, tmp_path / folder], env=env, capture_output=True, text=True, check=False
        ).stderr
        for folder in ("good", "bad")
    }
    assert told["good"] == ""
    assert [text for i, text in enumerate(REFUSED) if f"f{i:03}.tf line" not in told["bad"]] == []


def test_a_reference_as_a_key_is_told_from_a_value_in_parentheses() -> None:
    """Only `providers` of a module call may have it; Terraform refuses others when it evaluates them, not before."""
    reference = GetAttr(Variable("x"), "y")
    assert Object(((BareKey(reference), Number(Decimal(3))),)) == value("{ x.y = 3 }")
    assert Object(((reference, Number(Decimal(3))),)) == value("{ (x.y) = 3 }")


def test_lines_stay_where_they_are() -> None:
    text = """\ufeff# comment
/* one
   two */
a = 1
resource /* c */ "x"
"""
    with pytest.raises(ParseError):
        parse(text.encode())
    text = """\ufeff# comment
/* one
   two */
a = 1
resource /* c */ "x" y {
  b = <<EOT
first
second
EOT\x20\x20
  c = (1
    - 2)
  d = { for k, v in x : k
    => v }
  e /* a
  b */ {
    f = "$${" # tail
  }
  dynamic "g" { for_each = [] }
}
one { line = true }
"""
    body = parse(text.encode())
    (block, one) = body.blocks
    assert [(each.name, each.line) for each in body.attributes] == [("a", 4)]
    assert (block.type, block.labels, block.line) == ("resource", ("x", "y"), 5)
    assert [(each.name, each.line) for each in block.body.attributes] == [("b", 6), ("c", 10), ("d", 12)]
    assert [(each.type, each.line) for each in block.body.blocks] == [("e", 14), ("dynamic", 18)]
    assert block.body.blocks[0].body.attributes[0].line == 16
    assert Block("one", (), Body((Attribute("line", Literal(True), 20),)), 20) == one
    assert parse(text.replace("\n", "\r\n").encode()).blocks[0].body.blocks == block.body.blocks


def test_lines_stay_where_they_are_behind_newlines_in_interpolations() -> None:
    text = """a = "${
  1
}"
b = ["${ /* c
  d */ 1 }", "%{ if
  true }%{ endif }"]
é "ü" {
  c = !!d
}
e = 1
"""
    body = parse(text.encode())
    assert [(each.name, each.line) for each in body.attributes] == [("a", 1), ("b", 4), ("e", 10)]
    (block,) = body.blocks
    assert (block.type, block.labels, block.line, block.body.attributes[0].line) == ("é", ("ü",), 7, 8)


def test_operators_before_operators_are_bounded() -> None:
    with pytest.raises(ParseError, match="more than 64 operators before an operand"):
        value("!" * 5000 + "x")


def test_keywords_are_names_too() -> None:
    body = parse(b'in = 1\nfor "if" null {}\ntrue {}\n')
    assert [each.name for each in body.attributes] == ["in"]
    assert [(each.type, each.labels) for each in body.blocks] == [("for", ("if", "null")), ("true", ())]


@pytest.mark.parametrize(
    ("opener", "closer"),
    [("(", ")"), ("[", "]"), ("{a=", "}"), ("f(", ")"), ('"${', '}"'), ("[for x in y: ", "]"), ("f({a=[", "]})")],
)
def test_depth_is_bounded(opener: str, closer: str) -> None:
    levels = sum(opener.count(bracket) for bracket in '([{"')
    deepest = 64 // levels
    assert value(opener * deepest + "1" + closer * deepest)
    with pytest.raises(ParseError, match="more than 64 levels of brackets"):
        value(opener * (deepest + 1) + "1" + closer * (deepest + 1))


@pytest.mark.parametrize(
    "text", [" + ".join(["x"] * 5000), "x" + ".b" * 5000, "x ? 1 : " * 5000 + "2", '"' + "%{ if x }" * 5000 + '"']
)
def test_long_chains_are_refused_and_do_not_crash(text: str) -> None:
    with pytest.raises(ParseError, match=r"too deeply|never ends"):
        value(text)


@pytest.mark.parametrize("text", [" || ".join(["x"] * 100), "x" + ".b" * 60, "x ? 1 : " * 60 + "2"])
def test_long_chains_that_people_write_are_read(text: str) -> None:
    assert value(text)


def test_size_is_bounded() -> None:
    with pytest.raises(ParseError, match="at most 5,000,000 are read, split it"):
        parse(b"#" * (MAX_BYTES + 1), "big.tf")


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ParseError, match=r"^x\.tf:2:5: bytes that are not UTF-8"):
        parse(b"a = 1\nb = \xff\n", "x.tf")


def test_an_error_does_not_repeat_strings() -> None:
    with pytest.raises(ParseError) as error:
        parse(b'v = 1 "canary-0c5e"\n', "x.tf")
    assert "canary" not in str(error.value)
