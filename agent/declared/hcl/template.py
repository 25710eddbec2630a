"""Template text (a heredoc's, a template file's) → `tree.Template`.

Hides where text ends and interpolations and directives begin, what `~` and `<<-` take away, and that all expressions of
one template are parsed together, by the one expression grammar there is.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.declared.hcl import tree
from agent.declared.hcl.correct import MAX_DEPTH, code_end, correct, error_at
from agent.declared.hcl.error import ParseError

MAX_CHARACTERS = 5_000_000
MAX_NESTED = 4
"""Heredocs inside interpolations of heredocs."""

_SPACE = r"[\t\n\v\f\r \u0085\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\u00a0]"
_LEADING = re.compile(rf"{_SPACE}*")
_TRAILING = re.compile(rf"{_SPACE}+\Z")
_PIECE = re.compile(r"(?P<escape>\$\$\{|%%\{)|(?P<open>[$%]\{)(?P<strip>~?)|(?P<newline>\n)")
_KEYWORD = re.compile(r"\s*(if|else|endif|for|endfor)\b")
_NAME = r"[^\W\d][\w-]*"
_INTRO = re.compile(rf"\s*({_NAME})\s*(?:,\s*({_NAME})\s*)?\bin\b")


@dataclass(slots=True)
class _Token:
    """A line's text (`kind` empty), an interpolation (`$`), or a directive (its keyword)."""

    kind: str
    text: str = ""
    before: bool = False
    """Trims the text before it."""
    after: bool = False
    at: int = 0
    """Where its expression stands in the template; 0 where it has none."""
    start: int = 0
    names: tuple[str, str] = ("", "")
    expression: tree.Expression = field(default_factory=lambda: tree.Literal(None))


def parse_template(text: str, file: str, line: int, *, flush: bool = False, nested: int = 0) -> tree.Expression:
    """Template text → a `Literal` where it is text alone, else a `Template`. Raises `ParseError`.

    `file` and `line` say where the text begins; `flush` takes away the indentation that its lines have in common, as
    `<<-` does. Backslashes are text. `nested` counts the heredocs around it.
    """
    if len(text) > MAX_CHARACTERS:
        raise ParseError(file, line, 1, f"a template of {len(text):,} characters: at most {MAX_CHARACTERS:,} are read")
    if nested > MAX_NESTED:
        raise ParseError(file, line, 1, f"more than {MAX_NESTED} heredocs within heredocs: split it with a local value")
    if not flush and "${" not in text and "%{" not in text:
        return tree.Literal(unicodedata.normalize("NFC", text))
    return _parsed(text, file, line, flush, nested)


@functools.lru_cache(maxsize=64)
def _parsed(text: str, file: str, line: int, flush: bool, nested: int) -> tree.Expression:
    """Remembered: a template file is rendered for one instance after the other."""
    try:
        tokens = list(_tokens(text, file))
        _check_depth(tokens, text, file)
        _trim(tokens)
        if flush:
            _unindent(tokens)
        _parse_expressions([each for each in tokens if each.at], text, file, nested)
        parts, _ = _nest(tokens, 0, text, file, None)
    except ParseError as error:
        raise ParseError(file, line + error.line - 1, error.column, error.message) from None
    if all(isinstance(each, str) for each in parts):
        return tree.Literal("".join(map(str, parts)))
    return tree.Template(parts)


def _column(text: str, offset: int) -> int:
    return offset - text.rfind("\n", 0, offset)


def _tokens(text: str, file: str) -> Iterator[_Token]:
    """Text comes line by line: strip markers and indentation go no further."""
    at = start = 0
    plain: list[str] = []
    while found := _PIECE.search(text, at):
        plain.append(text[start : found.start()])
        start = at = found.end()
        if found["escape"]:
            plain.append(found[0][1:])
        elif found["newline"]:
            yield _Token("", "".join([*plain, "\n"]))
            plain = []
        else:
            if any(plain):
                yield _Token("", "".join(plain))
            plain = []
            end = code_end(text, found.end(), file)
            yield _inserted(text, file, found, end)
            start = at = end
    plain.append(text[start:])
    if any(plain):
        yield _Token("", "".join(plain))


def _inserted(text: str, file: str, opened: re.Match[str], end: int) -> _Token:
    """The interpolation or directive whose closing brace ends at `end`."""
    after = text[end - 2] == "~" and end - 2 >= opened.end()
    stop = end - 2 if after else end - 1
    token = _Token("$", text[opened.end() : stop], bool(opened["strip"]), after, opened.end(), opened.start())
    if opened["open"] == "${":
        return token
    keyword = _KEYWORD.match(text, opened.end(), stop)
    if keyword is None:
        raise error_at(
            text, file, opened.start(), "a directive is if, else, endif, for or endfor: for text write `%%{`"
        )
    token.kind, token.at = keyword[1], keyword.end()
    if token.kind == "for":
        intro = _INTRO.match(text, token.at, stop)
        if intro is None:
            raise error_at(text, file, opened.start(), "a directive with `for` reads `%{ for NAME in COLLECTION }`")
        token.names = (intro[1], intro[2]) if intro[2] else ("", intro[1])
        token.at = intro.end()
    token.text = text[token.at : stop]
    if token.kind not in ("if", "for"):
        if token.text.strip():
            raise error_at(text, file, token.at, f"`%{{ {token.kind} }}` stands alone: remove what follows the word")
        token.at = 0
    return token


def _check_depth(tokens: list[_Token], text: str, file: str) -> None:
    depth = 0
    for token in tokens:
        depth += {"if": 1, "for": 1, "endif": -1, "endfor": -1}.get(token.kind, 0)
        if depth > MAX_DEPTH:
            raise error_at(text, file, token.start, f"more than {MAX_DEPTH} directives within directives: split them")


def _trim(tokens: list[_Token]) -> None:
    """Takes away what strip markers point at: the blanks of the text next to them, not those of further lines."""
    for i, token in enumerate(tokens):
        if token.before and i and not tokens[i - 1].kind:
            tokens[i - 1].text = _TRAILING.sub("", tokens[i - 1].text)
        if token.after and i + 1 < len(tokens) and not tokens[i + 1].kind:
            tokens[i + 1].text = tokens[i + 1].text[_leading(tokens[i + 1].text) :]


def _leading(text: str) -> int:
    found = _LEADING.match(text)
    return found.end() if found else 0


def _unindent(tokens: list[_Token]) -> None:
    """What `<<-` does, after strip markers: where one took a newline away, no line begins."""
    starts = []
    begins = True
    for token in tokens:
        if begins and not (token.text.endswith("\n") and _leading(token.text) == len(token.text) and not token.kind):
            starts.append(token)
        begins = not token.kind and token.text.endswith("\n")
    least = min((_leading(each.text) if not each.kind else 0 for each in starts), default=0)
    for each in starts:
        if not each.kind:
            each.text = each.text[least:]


def _parse_expressions(tokens: list[_Token], text: str, file: str, nested: int) -> None:
    """Parses all expressions in one go, and says in an error where in the template it is."""
    if not tokens:
        return
    # Loading python-hcl2 takes 0.3 s, which text without expressions does not pay.
    from agent.declared.hcl.convert import convert

    pieces: list[str] = []
    starts: list[int] = []
    line = 1
    for i, token in enumerate(tokens):
        pieces.append(f"e{i} = (\n{token.text}\n)\n")
        starts.append(line + 1)
        line += 3 + token.text.count("\n")
    try:
        body = convert(correct("".join(pieces), file), file, nested)
    except ParseError as error:
        i = max(bisect_right(starts, error.line) - 1, 0)
        token, beyond = tokens[i], error.line - starts[i]
        at = token.at + len(token.text)  # where the error is our own closing bracket
        if 0 <= beyond <= token.text.count("\n"):
            lines = token.text.split("\n")
            at = token.at + sum(len(each) + 1 for each in lines[:beyond]) + min(error.column - 1, len(lines[beyond]))
        raise error_at(text, file, at, error.message.replace("`)` or the end of the line would", "`}` would")) from None
    for token, attribute in zip(tokens, body.attributes, strict=True):
        token.expression = attribute.value


def _nest(
    tokens: list[_Token], at: int, text: str, file: str, opened: _Token | None
) -> tuple[tuple[tree.Part, ...], int]:
    """The parts inside a directive, or of the whole template, and the index of the directive that ends them."""
    ends = {"if": ("else", "endif"), "else": ("endif",), "for": ("endfor",)}[opened.kind] if opened else ()
    parts: list[tree.Part] = []
    while at < len(tokens):
        token = tokens[at]
        if token.kind in ends:
            return tuple(parts), at
        if not token.kind:
            plain = unicodedata.normalize("NFC", token.text)
            if parts and isinstance(parts[-1], str):
                parts[-1] += plain
            else:
                parts.append(plain)
        elif token.kind == "$":
            parts.append(token.expression)
        elif token.kind == "if":
            yes, at = _nest(tokens, at + 1, text, file, token)
            no: tuple[tree.Part, ...] = ()
            if tokens[at].kind == "else":
                no, at = _nest(tokens, at + 1, text, file, tokens[at])
            parts.append(tree.TemplateIf(token.expression, yes, no))
        elif token.kind == "for":
            inner, at = _nest(tokens, at + 1, text, file, token)
            parts.append(tree.TemplateFor(*token.names, token.expression, inner))
        else:
            raise error_at(text, file, token.start, "a template directive ends here that was never begun: remove it")
        at += 1
    if opened:
        raise error_at(text, file, opened.start, f"a template directive here never ends: add `%{{ {ends[-1]} }}`")
    return tuple(parts), at
