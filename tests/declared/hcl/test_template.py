"""Template text: what is text, what strip markers and `<<-` take away, and where errors are.

Every heredoc here is also rendered by Terraform, where there is one.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import parse
from agent.declared.hcl.template import MAX_CHARACTERS, parse_template
from agent.declared.hcl.tree import Binary, Call, Literal, Template, TemplateFor, TemplateIf, Variable
from agent.declared.language.evaluate import Budget, Names, evaluate
from agent.declared.language.functions import Place
from agent.declared.language.values import Value, to_plain

A, B, X = (Variable(name) for name in "abx")

PLAIN = {
    'a\n  \n  ${~ "x" ~}\n  \nb\n': "a\n  \nx  \nb\n",
    'a\n\n\n${~ "x" }|\n': "a\n\nx|\n",
    'a\n${ "x" ~}\n\n\nb\n': "a\nx\n\nb\n",
    'a\n${ "x" ~}   \n   b\n': "a\nx   b\n",
    'a   ${~ "x" ~}   b\n': "axb\n",
    "a ${~ 1 ~}   ${~ 2 ~}  b\n": "a12b\n",
    "%{ if true ~}\n  a\n%{ endif ~}\nb\n": "  a\nb\n",
    "%{ if true }\n  a\n%{ endif }\nb\n": "\n  a\n\nb\n",
    "%{ for x in [1, 2] ~}\n  ${x}\n%{ endfor ~}\nb\n": "  1\n  2\nb\n",
    "  %{~ for x in [1, 2] ~}\n  ${x}\n  %{~ endfor ~}\nb\n": "  1\n  2\nb\n",
    "a%{ if true ~}\n\n\n x%{ endif }\n": "a\n\n x\n",
    "%{ for k , v in {a = 1, b = 2} ~}\n %{ if v == 1 ~}\n one\n %{ else ~}\n other\n %{ endif ~}\n%{ endfor ~}\n": (
        "  one\n   other\n "
    ),
    "%{if true}a%{else}b%{endif}%{if(false)}a%{else}b%{endif}\n": "ab\n",
    '  a\\n\\tb \\" \\\\ ${"q"} \\${1}\n': '  a\\n\\tb \\" \\\\ q \\1\n',
    '$${a} %%{b} $$${"x"} $ % $$ %% {} ${"x"}$\n': '${a} %{b} $${"x"} $ % $$ %% {} x$\n',
    "$${~ a ~}  ${~ 1 ~}\n": "${~ a ~}1",
    "a ${ \n 1 + \n 2 } b\n": "a 3 b\n",
    "%{ if\n true }\nx%{ else }y%{ endif }\n": "\nx\n",
    '${ {a = 1}.a } ${"}"} ${ /* } */ 1 }\n': "1 } 1\n",
    "  a ${<<-X\n    in\n     in2\n  X\n} b\n": "  a in\n in2\n b\n",
    "": "",
    "\n": "\n",
}
"""Bodies of heredocs written `<<`, and what they become."""

FLUSHED = {
    "  a\n    b\n  c\n": "a\n  b\nc\n",
    "  a\n\n    b\n": "a\n\n  b\n",
    "    a\n  \n    b\n": "a\n  \nb\n",
    "\ta\n\t\tb\n": "a\n\tb\n",
    "  \ta\n\t  b\n": "a\nb\n",
    '  ${"x"}\n    b\n': "x\n  b\n",
    '${"x"}\n    b\n': "x\n    b\n",
    '    ${"x"}\n  ${"y"} z\n': "  x\ny z\n",
    '    a ${"x"}\n      b ${"\\n  q"}\n': "a x\n  b \n  q\n",
    "    %{ if true }\n      a\n    %{ endif }\n": "\n  a\n\n",
    "    %{ if true ~}\n      a\n    %{ endif ~}\n    b\n": "      a\n    b\n",
    "\u00a0\u00a0a\n\u00a0\u00a0\u00a0b\n": "a\n\u00a0b\n",
    "  a\n   ${1}b\n  $${c}\n $${d}\n": " a\n  1b\n ${c}\n${d}\n",
    "   a\n  %%{x}\n": " a\n%{x}\n",
    "    a${1}  \n  b\n": "  a1  \nb\n",
    "    a${1}\n\n${2}  b\n": "    a1\n\n2  b\n",
    "  a ${~ 1 ~}\n  b\n": "a1  b\n",
    "  a ${ 1 ~}\n    b\n   c\n": "a 1    b\n c\n",
    "    a\n%{ if true }\n    b\n%{ endif }\n": "    a\n\n    b\n\n",
    "  a ${<<X\n    in\nX\n} b\n": "a     in\n b\n",
    "  \n  \n": "  \n  \n",
}
"""The same for `<<-`."""


def heredocs() -> dict[str, str]:
    """The expressions of both tables, and what they become."""
    plain = {f"<<EOT\n{body}EOT\n": found for body, found in PLAIN.items()}
    return plain | {f"<<-EOT\n{body}EOT\n": found for body, found in FLUSHED.items()}


class Nothing:
    """A scope without names."""

    def __init__(self) -> None:
        self.place = Place(Path(), Path())
        self.budget = Budget()

    def root(self, name: str) -> Value | Names:
        """See `Scope`."""
        raise AssertionError(name)


def rendered(written: str) -> object:
    found = parse(f"v = {written}\n".encode()).attribute("v")
    assert found is not None
    return to_plain(evaluate(found, Nothing()))


@pytest.mark.parametrize("written", heredocs())
def test_heredocs(written: str) -> None:
    assert rendered(written) == heredocs()[written]


@pytest.mark.terraform
def test_terraform_agrees(tmp_path: Path) -> None:
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("the terraform binary is not on PATH")
    tables = heredocs()
    for number, written in enumerate(tables):
        (tmp_path / f"e{number}.tf").write_text(f'output "e{number}" {{\n  value = {written}\n}}\n', newline="")
    env = {name: text for name, text in os.environ.items() if not name.startswith("TF_")}
    command = [terraform, "apply", "-auto-approve", "-no-color", "-state=out.tfstate"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
    outputs = json.loads((tmp_path / "out.tfstate").read_text())["outputs"]
    assert {written: outputs[f"e{number}"]["value"] for number, written in enumerate(tables)} == tables


TREES = {
    "text": Literal("text"),
    "$${a}": Literal("${a}"),
    "${x}": Template((X,)),
    "${x ~} ": Template((X, "")),
    "a ${x}": Template(("a ", X)),
    "${a}${b}": Template((A, B)),
    '${f("}", "${x}")}': Template((Call("f", (Literal("}"), Template((X,))), False),)),
    "${a # }\n + b}": Template((Binary("+", A, B),)),
    "%{ if a }1%{ else }2%{ endif }": Template((TemplateIf(A, ("1",), ("2",)),)),
    "%{ if a }%{ if b }1%{ endif }%{ endif }": Template((TemplateIf(A, (TemplateIf(B, ("1",), ()),), ()),)),
    "%{ for x in a }${x}%{ endfor }": Template((TemplateFor("", "x", A, (X,)),)),
    "%{for k,v in a}.%{endfor}": Template((TemplateFor("k", "v", A, (".",)),)),
    "e\u0301": Literal("\u00e9"),
}


@pytest.mark.parametrize("text", TREES)
def test_trees(text: str) -> None:
    assert parse_template(text, "f.tftpl", 1) == TREES[text]


ERRORS = {
    "a\n  ${1 2}": (2, 7, "unexpected `2`: `}` would be right"),
    "${1}\n${\n  1 +\n}": (4, 1, "unexpected"),
    "a ${b": (1, 3, "`${` is opened here and never closed: add `}`"),
    "a\n%{ if x }": (2, 1, "a template directive here never ends: add `%{ endif }`"),
    "%{ if x }\n%{ else }": (2, 1, "a template directive here never ends: add `%{ endif }`"),
    "%{ for x in y }": (1, 1, "a template directive here never ends: add `%{ endfor }`"),
    "\n %{ endif }": (2, 2, "a template directive ends here that was never begun: remove it"),
    "%{ if x }%{ endfor }": (1, 10, "a template directive ends here that was never begun"),
    "%{ unless x }": (1, 1, "a directive is if, else, endif, for or endfor: for text write `%%{`"),
    "%{ for x }": (1, 1, "a directive with `for` reads `%{ for NAME in COLLECTION }`"),
    "%{ if x }%{ endif x }": (1, 18, "`%{ endif }` stands alone"),
    "${}": (1, 3, "unexpected"),
    '${"a': (1, 3, "is opened here and never closed"),
    "${a) + (b}": (1, 4, "`)` where `}` must close the `${` of line 1"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_errors_name_the_place(text: str) -> None:
    line, column, message = ERRORS[text]
    with pytest.raises(ParseError) as error:
        parse_template(text, "f.tftpl", 11)
    assert (error.value.file, error.value.line, error.value.column) == ("f.tftpl", line + 10, column)
    assert message in error.value.message


def test_an_error_in_a_heredoc_has_the_line_of_the_file() -> None:
    with pytest.raises(ParseError, match=r"^main\.tf:4:7: unexpected `2`"):
        parse(b"a = 1\nb = <<EOT\nfine\n  ${1 2}\nEOT\n", "main.tf")


def test_bounds() -> None:
    with pytest.raises(ParseError, match="at most 5,000,000 are read"):
        parse_template("x" * (MAX_CHARACTERS + 1), "f", 1)
    with pytest.raises(ParseError, match="more than 64 directives within directives"):
        parse_template("%{ if x }" * 5000 + "%{ endif }" * 5000, "f", 1)
    text = "1"
    for depth in range(8):
        text = f"<<X{depth}\n${{{text}\n}}\nX{depth}"
    with pytest.raises(ParseError, match="more than 4 heredocs within heredocs"):
        parse(f"v = {text}\n".encode())


def test_a_template_may_have_many_expressions() -> None:
    found = parse_template("line ${x} and %{ if a }b%{ endif }\n" * 200, "f", 1)
    assert isinstance(found, Template)
    assert len(found.parts) == 200 * 4 + 1


TEXTS = st.lists(
    st.sampled_from(["${", "%{", "}", "~", "~}", "if", "for", "endif", "x", " ", "\n", '"', "$", "%", "<<A\n", "\nA\n"])
).map("".join)


@given(TEXTS, st.booleans())
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_is_read_or_refused(text: str, flush: bool) -> None:
    try:
        found = parse_template(text, "f", 1, flush=flush)
    except ParseError as error:
        assert 1 <= error.line <= text.count("\n") + 1
    else:
        assert isinstance(found, Literal | Template)
