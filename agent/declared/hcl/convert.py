"""python-hcl2's rule tree to our own: the only module that knows its classes.

Hides the rule tree, and corrects what its shape gets wrong: chained splats come flat, names given twice are accepted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import hcl2
from hcl2.rules import base, containers, directives, expressions, for_expressions, functions, indexing, strings, tokens
from hcl2.rules import literal_rules as literals
from hcl2.rules.abstract import LarkRule
from lark.exceptions import UnexpectedInput, VisitError

from agent.declared.hcl import tree
from agent.declared.hcl.correct import ESCAPED_DIRECTIVE, ESCAPED_INTERPOLATION, STRIP_AFTER, STRIP_BEFORE, Corrected
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.explain import explain
from agent.declared.hcl.template import parse_template

_ESCAPE = re.compile(r"\\(?:([nrt\"\\])|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_SINGLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def convert(corrected: Corrected, file: str, nested: int = 0) -> tree.Body:
    """Corrected text → the tree of the file. Raises `ParseError`. `nested` counts the heredocs around it."""
    try:
        rules = hcl2.parses(corrected.text, discard_comments=True)
        return _Converter(corrected, file, nested).body(rules.body)
    except UnexpectedInput as error:
        raise explain(error, file) from None
    except VisitError as error:
        line = getattr(getattr(error.obj, "meta", None), "line", 1)
        raise ParseError(file, line, 1, _visited(error.orig_exc)) from None
    except RecursionError:
        raise ParseError(file, 1, 1, _DEEP) from None


_DEEP = "an expression of this file is nested too deeply to read: split it with local values"


def _visited(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return _DEEP
    if isinstance(error, RuntimeError):
        return "a template directive here never ends: close `%{ if }` with `%{ endif }`, `%{ for }` with `%{ endfor }`"
    return f"the parser fails on what stands here ({type(error).__name__}): write it another way"


class _Converter:
    """Conversion of one file: knows its heredocs and its name."""

    def __init__(self, corrected: Corrected, file: str, nested: int) -> None:
        self.heredocs = corrected.heredocs
        self.nested = nested
        self.stand_ins = corrected.names
        self.file = file
        self.forms: Mapping[type, Callable[[Any], tree.Expression]] = {
            expressions.ExprTermRule: lambda rule: self.expression(rule.expression),
            expressions.ConditionalRule: self.conditional,
            expressions.BinaryOpRule: self.binary,
            expressions.UnaryOpRule: self.unary,
            literals.IdentifierRule: lambda rule: tree.Variable(self.name(rule)),
            literals.LiteralValueRule: _literal,
            literals.IntLitRule: _number,
            literals.FloatLitRule: _number,
            strings.StringRule: self.string,
            strings.HeredocTemplateRule: self.heredoc,
            strings.HeredocTrimTemplateRule: self.heredoc,
            containers.TupleRule: lambda rule: tree.Tuple(tuple(map(self.expression, rule.elements))),
            containers.ObjectRule: self.object,
            functions.FunctionCallRule: self.call,
            for_expressions.ForTupleExprRule: self.for_tuple,
            for_expressions.ForObjectExprRule: self.for_object,
            indexing.GetAttrExprTermRule: self.traversal,
            indexing.IndexExprTermRule: self.traversal,
            indexing.AttrSplatExprTermRule: self.traversal,
            indexing.FullSplatExprTermRule: self.traversal,
        }

    def name(self, rule: Any) -> str:
        """An identifier as it was written."""
        name = str(rule.token.value)
        return self.stand_ins.get(name, name)

    def names(self, first: Any, second: Any) -> tuple[str, str]:
        """Names a `for` gives to key and value; with one name it is the value's."""
        names = ["", *(self.name(each) for each in (first, second) if each is not None)]
        return names[-2], names[-1]

    def body(self, rule: base.BodyRule) -> tree.Body:
        attributes: dict[str, tree.Attribute] = {}
        blocks = []
        for child in rule.children:
            if isinstance(child, base.BlockRule):
                blocks.append(self.block(child))
            elif isinstance(child, base.AttributeRule):
                name, line = self.name(child.identifier), _line(child)
                if name in attributes:
                    first = attributes[name].line
                    raise ParseError(self.file, line, 1, f"`{name}` is set already in line {first}: keep one of them")
                attributes[name] = tree.Attribute(name, self.expression(child.expression), line)
        return tree.Body(tuple(attributes.values()), tuple(blocks))

    def block(self, rule: base.BlockRule) -> tree.Block:
        type_, *labels = (self.label(label) for label in rule.labels)
        return tree.Block(type_, tuple(labels), self.body(rule.body), _line(rule))

    def label(self, rule: LarkRule) -> str:
        if isinstance(rule, literals.IdentifierRule):
            return self.name(rule)
        text = self.expression(rule)
        if isinstance(text, tree.Literal) and isinstance(text.value, str):
            return text.value
        raise ParseError(self.file, _line(rule), 1, "a block's label holds an interpolation: write a plain string")

    def expression(self, rule: Any) -> tree.Expression:
        form = self.forms.get(type(rule))
        if form is None:
            raise ParseError(self.file, _line(rule), 1, f"`{rule.lark_name()}` is not read here: write it another way")
        return form(rule)

    def conditional(self, rule: expressions.ConditionalRule) -> tree.Expression:
        condition, yes, no = map(self.expression, (rule.condition, rule.if_true, rule.if_false))
        return tree.Conditional(condition, yes, no)

    def binary(self, rule: expressions.BinaryOpRule) -> tree.Expression:
        operator = str(rule.binary_term.binary_operator.token.value).strip()
        return tree.Binary(operator, self.expression(rule.expr_term), self.expression(rule.binary_term.expr_term))

    def unary(self, rule: expressions.UnaryOpRule) -> tree.Expression:
        operand = self.expression(rule.expr_term)
        if rule.operator == "-" and isinstance(operand, tree.Number):
            return tree.Number(operand.value.copy_negate())
        return tree.Unary(rule.operator, operand)

    def object(self, rule: containers.ObjectRule) -> tree.Expression:
        previous: Any = None
        for child in rule.children:
            if isinstance(child, containers.ObjectElemRule):
                if isinstance(previous, containers.ObjectElemRule) and _line(previous) == _line(child):
                    raise ParseError(
                        self.file, _line(child), 1, "two elements of an object on one line: part them with `,`"
                    )
                previous = child
            elif isinstance(child, tokens.COMMA):
                previous = None
        if rule.elements and _is_word(rule.elements[0].key, "for"):
            raise ParseError(self.file, _line(rule), 1, "`{for` begins a `for` expression: quote the key")
        return tree.Object(tuple((self.key(each.key), self.expression(each.expression)) for each in rule.elements))

    def key(self, rule: Any) -> tree.Expression:
        if isinstance(rule, containers.ObjectElemKeyExpressionRule):
            found = self.expression(rule.expression)
            if isinstance(found, tree.GetAttr | tree.Index) and not getattr(rule.expression, "parentheses", False):
                return tree.BareKey(found)
            return found
        if isinstance(rule.value, literals.IdentifierRule):
            return tree.Literal(self.name(rule.value))
        return self.expression(rule.value)

    def call(self, rule: functions.FunctionCallRule) -> tree.Expression:
        name = "::".join(map(self.name, rule.identifiers))
        if rule.arguments is None:
            return tree.Call(name, (), expand=False)
        arguments = tuple(map(self.expression, rule.arguments.arguments))
        return tree.Call(name, arguments, expand=rule.arguments.has_ellipsis)

    def for_tuple(self, rule: for_expressions.ForTupleExprRule) -> tree.Expression:
        return self.loop(rule, key=None, grouped=False)

    def for_object(self, rule: for_expressions.ForObjectExprRule) -> tree.Expression:
        return self.loop(rule, key=self.expression(rule.key_expr), grouped=rule.ellipsis is not None)

    def loop(self, rule: Any, *, key: tree.Expression | None, grouped: bool) -> tree.Expression:
        key_name, value_name = self.names(rule.for_intro.first_iterator, rule.for_intro.second_iterator)
        return tree.For(
            key_name,
            value_name,
            self.expression(rule.for_intro.iterable),
            key,
            self.expression(rule.value_expr),
            self.expression(rule.condition.condition_expr) if rule.condition else None,
            grouped,
        )

    def traversal(self, rule: Any) -> tree.Expression:
        """`a.b[0][*].c`: python-hcl2 nests it to the left throughout, HCL to the right from each `[*]` on."""
        steps: list[Any] = []
        while True:
            if isinstance(rule, expressions.ExprTermRule) and not rule.parentheses:
                rule = rule.expression
            elif isinstance(rule, indexing.GetAttrExprTermRule | indexing.IndexExprTermRule):
                rule, step = rule.children
                steps.append(step)
            elif isinstance(rule, indexing.AttrSplatExprTermRule | indexing.FullSplatExprTermRule):
                rule, splat = rule.children
                steps += [*reversed(splat.get_attrs), splat]
            else:
                return self.steps(self.expression(rule), steps[::-1])

    def steps(self, source: tree.Expression, steps: list[Any]) -> tree.Expression:
        """Applies accessors; `steps` outermost last. A `.*` takes attributes only, a `[*]` all that follows."""
        for i, step in enumerate(steps):
            if isinstance(step, indexing.ShortIndexRule) and i and isinstance(steps[i - 1], indexing.ShortIndexRule):
                raise ParseError(self.file, _line(step), 1, "`.0.1` is not read: write `[0][1]`")
            if isinstance(step, indexing.FullSplatRule):
                return tree.Splat(source, self.steps(tree.Item(), steps[i + 1 :]))
            if isinstance(step, indexing.AttrSplatRule):
                rest = steps[i + 1 :]
                attributes = (indexing.GetAttrRule, indexing.ShortIndexRule)
                taken = next((n for n, each in enumerate(rest) if not isinstance(each, attributes)), len(rest))
                splat = tree.Splat(source, self.steps(tree.Item(), rest[:taken]))
                return self.steps(splat, rest[taken:])
            source = self.step(source, step)
        return source

    def step(self, source: tree.Expression, step: Any) -> tree.Expression:
        if isinstance(step, indexing.GetAttrRule):
            return tree.GetAttr(source, self.name(step.identifier))
        if isinstance(step, indexing.ShortIndexRule):
            return tree.Index(source, tree.Number(Decimal(str(step.children[1].value))))
        return tree.Index(source, self.expression(step.index_expression))

    def heredoc(self, rule: strings.HeredocTemplateRule) -> tree.Expression:
        marker = str(rule.heredoc.value).partition("\n")[0]
        text = self.heredocs[int(marker.lstrip("<-H"))]
        return parse_template(text.text, self.file, text.line, flush=text.indented, nested=self.nested + 1)

    def string(self, rule: strings.StringRule) -> tree.Expression:
        parts = self.parts(rule.string_parts)
        if all(isinstance(part, str) for part in parts):
            return tree.Literal(unicodedata.normalize("NFC", "".join(map(str, parts))))
        return tree.Template(parts)

    def parts(self, rules: list[Any], *, strip_start: bool = False, strip_end: bool = False) -> tuple[tree.Part, ...]:
        """Template parts with text resolved; the flags say that a directive around them trims."""
        found: list[tree.Part] = []
        strip = strip_start
        for content in (rule.content for rule in rules):
            if isinstance(content, LarkRule):
                part, before, strip = self.inserted(content)
                if before:
                    _strip_last(found)
                found.append(part)
            else:
                found += _text(str(content.value), strip=strip)
                strip = False
        if strip_end:
            _strip_last(found)
        return tuple(found)

    def inserted(self, rule: LarkRule) -> tuple[tree.Part, bool, bool]:
        """An interpolation or directive, and whether it trims the text before and behind it."""
        if isinstance(rule, strings.InterpolationRule):
            return self.expression(rule.expression), False, False
        if isinstance(rule, directives.TemplateIfRule):
            return self.template_if(rule.children)
        if isinstance(rule, directives.TemplateForRule):
            start, *body, end = rule.children
            key, value = self.names(start.iterator, start.key_iterator)
            parts = self.parts(body, strip_start=start.strip_close, strip_end=end.strip_open)
            loop = tree.TemplateFor(key, value, self.expression(start.collection), parts)
            return loop, start.strip_open, end.strip_close
        raise ParseError(self.file, _line(rule), 1, "a template directive ends here that was never begun: remove it")

    def template_if(self, children: list[Any]) -> tuple[tree.Part, bool, bool]:
        start, *body, end = children
        other = next((i for i, each in enumerate(body) if isinstance(each, directives.TemplateElseRule)), len(body))
        middle = body[other] if other < len(body) else end
        yes = self.parts(body[:other], strip_start=start.strip_close, strip_end=middle.strip_open)
        no = self.parts(body[other + 1 :], strip_start=middle.strip_close, strip_end=end.strip_open)
        return tree.TemplateIf(self.expression(start.condition), yes, no), start.strip_open, end.strip_close


def _line(rule: LarkRule) -> int:
    return getattr(rule._meta, "line", 1)  # the only place where python-hcl2 8 keeps positions


def _is_word(key: Any, word: str) -> bool:
    found = getattr(key, "value", None)
    return isinstance(found, literals.IdentifierRule) and str(found.token.value) == word


def _literal(rule: literals.LiteralValueRule) -> tree.Expression:
    return tree.Literal({"true": True, "false": False, "null": None}[str(rule.token.value)])


def _number(rule: literals.IntLitRule | literals.FloatLitRule) -> tree.Expression:
    return tree.Number(Decimal(str(rule.token.value)))


def _text(raw: str, *, strip: bool) -> list[str]:
    """Literal text with its escapes resolved, trimmed where a strip marker says so; nothing for markers alone."""
    plain = raw.removeprefix(STRIP_AFTER).removesuffix(STRIP_BEFORE)
    if not plain:
        return []
    text = _ESCAPE.sub(_unescape, plain).replace(ESCAPED_INTERPOLATION, "${").replace(ESCAPED_DIRECTIVE, "%{")
    if strip or raw.startswith(STRIP_AFTER):
        text = text.lstrip()
    return [text.rstrip() if raw.endswith(STRIP_BEFORE) else text]


def _strip_last(parts: list[tree.Part]) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()


def _unescape(found: re.Match[str]) -> str:
    return _SINGLE[found[1]] if found[1] else chr(int(found[2] or found[3], 16))
