"""Rewrites HCL text so that python-hcl2 reads it as Terraform does, without moving a line.

Hides what python-hcl2 8.1.4 rejects or mis-reads: comments in most places, heredocs with trailing blanks behind their
end marker (https://github.com/amplify-education/python-hcl2/issues/343), a newline before `=>` or in an interpolation,
`a -1`, `!!a`, `core::`, letters outside ASCII, escaped template markers, strip markers on interpolations. It also finds
what the parser would report badly or not at all: brackets that do not match, strings that do not end, escapes Terraform
does not know, nesting beyond reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.declared.hcl.error import ParseError

MAX_DEPTH = 64
"""Brackets within brackets. python-hcl2 recurses up to a dozen calls per level, and Python stops at 1,000."""

# Unicode noncharacters stand in for what python-hcl2 cannot read, one for one, so that columns stay true.
ESCAPED_INTERPOLATION = "\ufdd0" * 3
ESCAPED_DIRECTIVE = "\ufdd1" * 3
STRIP_BEFORE = "\ufdd2"
STRIP_AFTER = "\ufdd3"
_RESERVED = re.compile("[\ufdd0-\ufdd3]")

_CODE = re.compile(
    r"""
      (?P<blank>[ \t\r]+)
    | (?P<newline>\n)
    | (?P<comment>\#[^\n]*|//[^\n]*|/\*.*?\*/)
    | (?P<unended>/\*)
    | <<(?P<heredoc>-?)(?P<marker>[^\W\d][\w-]*)[ \t]*\r?\n
    | (?P<core>(?<!::)core::(?=[a-z_]))
    | (?P<word>[^\W\d][\w-]*)
    | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | (?P<quote>")
    | (?P<open>[{(\[])
    | (?P<strip>~\})
    | (?P<close>[})\]])
    | (?P<arrow>=>)
    | (?P<minus>-)
    | (?P<other>[=!<>]=|&&|\|\||\.\.\.|::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(
    r"""
      (?P<text>(?:[^"\\$%\n]|\$(?!\$?\{)|%(?!%?\{))+)
    | (?P<escape>\\(?:[nrt"\\]|(?!u[dD][89a-fA-F]|U0000[dD][89a-fA-F])(?:u|U000[0-9a-fA-F]|U0010)[0-9a-fA-F]{4}))
    | (?P<unknown>\\[^\n]?)
    | (?P<dollar>\$\$\{)
    | (?P<percent>%%\{)
    | (?P<strip>\$\{~)
    | (?P<open>[$%]\{)
    | (?P<end>")
    | (?P<newline>\n)
    """,
    re.VERBOSE | re.DOTALL,
)
_CLOSES = {"{": "}", "(": ")", "[": "]", "${": "}", "%{": "}", '"': '"'}
_NO_OPERAND = frozenset({"in", "if", "for", "else"})


@dataclass(frozen=True, slots=True)
class HeredocText:
    """A heredoc taken out of the text: its lines, whether it was written `<<-`, and where its first line stood."""

    text: str
    indented: bool
    line: int


@dataclass(frozen=True, slots=True)
class Corrected:
    """Text for the parser. In place of a heredoc it has an empty one, whose marker `H7` says where in `heredocs`."""

    text: str
    heredocs: tuple[HeredocText, ...]
    names: Mapping[str, str]
    """Stand-in → the name with letters outside ASCII that it stands for."""


def correct(text: str, file: str) -> Corrected:
    """The text as python-hcl2 can read it; raises `ParseError` for what no reading can mend."""
    reserved = _RESERVED.search(text)
    if reserved:
        raise error_at(text, file, reserved.start(), "a Unicode noncharacter, which no configuration needs: remove it")
    return _Scan(text, file).run()


def code_end(text: str, start: int, file: str) -> int:
    """Where the code ends that begins at `start`, behind a `${` or `%{`: the offset behind the brace that closes it.

    Raises `ParseError`, with line and column in `text`.
    """
    scan = _Scan(text, file)
    scan.at, scan.open = start, [("${", start - 2)]
    while scan.open and scan.at < len(text):
        scan.step()
    if scan.open:
        raise scan.unclosed()
    return scan.at


class _Scan:
    """One pass over one file: where it is, which brackets are open, what it wrote."""

    def __init__(self, text: str, file: str) -> None:
        self.source = text
        self.file = file
        self.at = 0
        self.out: list[str] = []
        self.open: list[tuple[str, int]] = []
        self.heredocs: list[HeredocText] = []
        self.line = 1
        self.gap = 0
        """Index into `out` behind the last token that means something."""
        self.operand = False
        """Whether that token can be the left side of a minus."""
        self.unary = False
        """Whether it is an operator with one operand."""
        self.wrapped: list[int] = []
        """How deep the brackets are in which an operand of ours waits for its `)`."""
        self.owed = 0
        """Newlines left out, to be made up for so that lines stay true."""
        self.after_heredoc = False
        self.names: dict[str, str] = {}

    def run(self) -> Corrected:
        while self.at < len(self.source):
            self.step()
        if self.open:
            raise self.unclosed()
        self.out += ")" * len(self.wrapped)
        return Corrected("".join(self.out), tuple(self.heredocs), self.names)

    def step(self) -> None:
        self._quoted() if self._top() == '"' else self._code()

    def unclosed(self) -> ParseError:
        opener, offset = self.open[-1]
        return self._error(f"`{opener}` is opened here and never closed: add `{_CLOSES[opener]}`", offset)

    def _top(self) -> str:
        return self.open[-1][0] if self.open else ""

    def _error(self, message: str, offset: int | None = None) -> ParseError:
        return error_at(self.source, self.file, self.at if offset is None else offset, message)

    def _emit(self, text: str, *, operand: bool) -> None:
        self.out.append(text)
        self.gap = len(self.out)
        self.operand = operand
        self.unary = self.after_heredoc = False

    def _push(self, opener: str) -> None:
        if len(self.open) == MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} levels of brackets: split it with a local value")
        self.open.append((opener, self.at))

    def _pop(self, closer: str) -> str:
        if not self.open:
            raise self._error(f"`{closer}` closes nothing: remove it")
        opener, offset = self.open.pop()
        if _CLOSES[opener] != closer:
            line = self.source.count("\n", 0, offset) + 1
            raise self._error(f"`{closer}` where `{_CLOSES[opener]}` must close the `{opener}` of line {line}")
        return opener

    def _code(self) -> None:
        found = _CODE.match(self.source, self.at)
        assert found, "the last alternative matches anything"
        kind, text = found.lastgroup or "", found[0]
        if self.wrapped and kind not in ("blank", "comment") and text not in (".", "[", "(", "::"):
            self._unwrap()
        if kind in ("blank", "newline", "comment"):
            self._space(kind, text)
        elif kind == "marker":
            self._heredoc(found)
            return
        elif kind in ("quote", "open"):
            self._push(text)
            self._emit(text, operand=False)
        elif kind in ("close", "strip"):
            self._close(text)
        elif text == "!" or (text == "-" and not self.operand):
            self._unary(text)
        elif kind in ("arrow", "minus"):
            self._operator(text, found.end())
        elif kind == "core":
            self.out.append(" " * len(text))  # built-in functions are the default namespace
        elif kind == "unended":
            raise self._error("a comment is opened here and never closed: add `*/`")
        else:
            self._word(kind, text)
        self.at = found.end()

    def _space(self, kind: str, text: str) -> None:
        lines = text.count("\n")
        self.line += lines
        if lines and self._top() in ("${", "%{") and not self.after_heredoc:
            self.out.append(" ")
            self.owed += lines
            return
        self.out.append(re.sub(r"[^\n]", " ", text) if kind == "comment" else text)
        if kind == "newline" and self.owed:
            self.out.append("\n" * self.owed)
            self.owed = 0

    def _word(self, kind: str, text: str) -> None:
        operand = kind in ("word", "number") and text not in _NO_OPERAND
        self._emit(text if text.isascii() or kind != "word" else self._stand_in(text), operand=operand)

    def _stand_in(self, name: str) -> str:
        prefix = "u_"
        while prefix in self.source:
            prefix += "u_"
        self.names[f"{prefix}{len(self.names)}"] = name
        return f"{prefix}{len(self.names) - 1}"

    def _unary(self, text: str) -> None:
        """`!` or a minus with one operand; behind another one it gets brackets, as in `!(!a)`."""
        behind = self.unary
        if behind:
            if len(self.wrapped) == MAX_DEPTH:
                raise self._error(f"more than {MAX_DEPTH} operators before an operand")
            self.wrapped.append(len(self.open))
        self._emit("(" + text if behind else text, operand=False)
        self.unary = True

    def _unwrap(self) -> None:
        """Closes the brackets of `_unary` where their operand has ended."""
        while self.operand and self.wrapped and self.wrapped[-1] == len(self.open):
            self.wrapped.pop()
            self._emit(")", operand=True)

    def _close(self, text: str) -> None:
        if text == "~}" and self._top() == "${":
            self._pop("}")
            self._emit("}" + STRIP_AFTER, operand=False)
            return
        self._pop(text[-1])
        self._emit(text, operand=True)

    def _operator(self, text: str, end: int) -> None:
        """`=>` and minus, with the newline before them moved behind them where Terraform ignores it there."""
        binary = text == "-" and self.operand
        ignored = text == "=>" or (binary and self._top() in ("(", "[", "${"))
        between = self.out[self.gap :]
        if ignored and any("\n" in piece for piece in between):
            del self.out[self.gap :]
            self.out += [f" {text}", *between]  # a name may end in a minus
            self.gap, self.operand = len(self.out), False
            return
        # A digit right behind a minus makes python-hcl2 see one number, and `a -1` two values side by side.
        detached = binary and self.source[end : end + 1].isdigit()
        self._emit(text + " " if detached else text, operand=False)

    def _heredoc(self, found: re.Match[str]) -> None:
        marker, start = found["marker"], found.end()
        last = re.compile(rf"^[ \t]*{re.escape(marker)}[ \t\r]*$", re.MULTILINE).search(self.source, start)
        if last is None:
            raise self._error(f"the heredoc opened here never ends: add a line with `{marker}` alone")
        body = self.source[start : last.start()]
        name = f"H{len(self.heredocs)}"
        self.heredocs.append(HeredocText(body, found["heredoc"] == "-", self.line + 1))
        lines = body.count("\n")
        self._emit(f"<<{found['heredoc']}{name}\n" + "\n" * lines + name, operand=True)
        self.after_heredoc = True
        self.line += 1 + lines
        self.at = last.end()

    def _quoted(self) -> None:
        found = _QUOTED.match(self.source, self.at)
        assert found, "every character that may follow has an alternative"
        kind, text = found.lastgroup or "", found[0]
        if kind == "newline":
            offset = self.open[-1][1]
            raise self._error('a string ends at the end of its line: close it with `"`, or write a heredoc', offset)
        if kind == "unknown":
            raise self._error(f'unknown escape `{text}`: write one of \\n \\r \\t \\" \\\\ \\uNNNN \\UNNNNNNNN')
        if kind == "end":
            self.open.pop()
            self._emit(text, operand=True)
        elif kind in ("open", "strip"):
            self._push(text[:2])
            self._emit(STRIP_BEFORE + text[:2] if kind == "strip" else text, operand=False)
        else:
            self.out.append({"dollar": ESCAPED_INTERPOLATION, "percent": ESCAPED_DIRECTIVE}.get(kind, text))
        self.at = found.end()


def error_at(text: str, file: str, offset: int, message: str) -> ParseError:
    """The error of what stands at an offset of a text."""
    start = text.rfind("\n", 0, offset) + 1
    return ParseError(file, text.count("\n", 0, offset) + 1, offset - start + 1, message)
