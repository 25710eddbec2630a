"""Templates as strings: parts joined, directives carried out; hides what unknown and sensitive parts make of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from decimal import Decimal

from agent.declared.hcl import tree
from agent.declared.language.budget import MAX_TEXT
from agent.declared.language.conversion import text
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.loops import condition, each_element
from agent.declared.language.scope import Inner, Scope, bare, endless, step
from agent.declared.language.types import STRING
from agent.declared.language.values import Null, Sensitive, Unknown, Value, whys


def template(expression: tree.Template, scope: Scope) -> Value:
    """A string with interpolations and directives; one interpolation alone passes its value through."""
    parts = expression.parts
    if len(parts) == 1 and not isinstance(parts[0], str | tree.TemplateIf | tree.TemplateFor):
        return step(parts[0], scope)
    return _joined(parts, scope)


def _joined(parts: Iterable[tree.Part], scope: Scope) -> Value:
    """A template's parts as one string."""
    found: list[str] = []
    why: list[str] = []
    hidden = unknown = False
    for part in parts:
        if isinstance(part, str):
            found.append(part)
            continue
        value, marked = bare(_part(part, scope))
        hidden |= marked
        if isinstance(value, Unknown):
            unknown = True
            why += value.why
        else:
            found.append(_inserted(value))
    result: Value = Unknown(why, STRING) if unknown else bounded("".join(found), scope)
    return Sensitive(result) if hidden else result


def _inserted(value: Value) -> str:
    if isinstance(value, str | bool | int | Decimal):
        return text(value)
    if isinstance(value, Null):
        raise EvaluationError("a template inserts a value that is null: only strings, numbers and bools have a text")
    raise EvaluationError("a template inserts a value that has no text: encode it, as with jsonencode(), or join() it")


def bounded(found: str, scope: Scope) -> str:
    """A new string in Unicode's normal form C, as Terraform keeps all. Raises `TooMuch` for one beyond bounds."""
    if len(found) > MAX_TEXT:
        raise TooMuch(f"a string of {len(found):,} characters: at most {MAX_TEXT:,} are evaluated")
    scope.budget.spend(len(found) >> 5)
    return found if found.isascii() else unicodedata.normalize("NFC", found)


def _part(part: tree.Expression | tree.TemplateIf | tree.TemplateFor, scope: Scope) -> Value:
    if isinstance(part, tree.TemplateIf):
        return _template_if(part, scope)
    if isinstance(part, tree.TemplateFor):
        return _template_for(part, scope)
    return step(part, scope)


def _template_if(part: tree.TemplateIf, scope: Scope) -> Value:
    kept, hidden = condition(part.condition, "%{ if }", scope)
    if isinstance(kept, Unknown):
        result: Value = Unknown(kept.why, STRING)
    else:
        result = _joined(part.yes if kept else part.no, scope)
    return Sensitive(result) if hidden else result


def _template_for(part: tree.TemplateFor, scope: Scope) -> Value:
    source, hidden = bare(step(part.collection, scope))
    if endless(source):
        result: Value = Unknown(whys(source), STRING)
    else:
        inner = Inner(scope)
        result = _joined_values(
            (_joined(part.body, each) for each in each_element(part.key, part.value, source, inner)), scope
        )
    return Sensitive(result) if hidden else result


def _joined_values(values: Iterable[Value], scope: Scope) -> Value:
    """Strings, unknown or sensitive ones among them, as one; their sum is bounded while it grows."""
    found: list[str] = []
    why: list[str] = []
    hidden = unknown = False
    for each in values:
        value, marked = bare(each)
        hidden |= marked
        if isinstance(value, Unknown):
            unknown = True
            why += value.why
        else:
            found.append(str(value))
    result: Value = Unknown(why, STRING) if unknown else bounded("".join(found), scope)
    return Sensitive(result) if hidden else result
