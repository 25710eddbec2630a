"""A parser's error in the words of somebody who writes Terraform; hides lark's terminals."""

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from agent.declared.hcl.error import ParseError

_WORDS = (
    ({"DBLQUOTE", "INT_LITERAL"}, "a value"),
    ({"EQ"}, "`=` and a value"),
    ({"LBRACE", "NAME"}, "a block's label"),
    ({"LBRACE"}, "`{`"),
    ({"COMMA"}, "`,`"),
    ({"COLON"}, "`:`"),
    ({"RBRACE"}, "`}`"),
    ({"RPAR"}, "`)`"),
    ({"RSQB"}, "`]`"),
    ({"FOR_OBJECT_ARROW"}, "`=>`"),
    ({"NL_OR_COMMENT"}, "the end of the line"),
    ({"NAME"}, "a name"),
    ({"IN"}, "`in`"),
)
"""Terminals that are all expected → what to call them; later ones only where no earlier one says the same."""
_IMPLIED = {"a value": {"LBRACE", "NAME", "LSQB", "LPAR"}, "a block's label": {"IN"}, "a name": {"IN"}}


def explain(error: UnexpectedInput, file: str) -> ParseError:
    """What stands at the place of the error and what may stand there."""
    expected: set[str] = set()
    found = "this"
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        found = _found(error.token.type, str(error.token))
    elif isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
        found = f"`{error.char}`"
    wanted = _wanted(expected)
    right = f"{' or '.join(wanted)} would be right" if wanted else "it cannot stand here: remove it"
    return ParseError(file, max(error.line, 1), max(error.column, 1), f"unexpected {found}: {right}")


def _found(terminal: str, text: str) -> str:
    """Names the token; of free text no more than a character, because it may be a password."""
    if terminal == "$END":
        return "end of the file"
    if terminal == "NL_OR_COMMENT" or text.startswith("\n"):
        return "end of the line"
    if terminal.startswith("HEREDOC"):
        return "heredoc"
    return f"`{text[:1] if terminal == 'STRING_CHARS' else text.strip()[:40]}`"


def _wanted(expected: set[str]) -> list[str]:
    """At most three wordings, most telling first."""
    said: set[str] = set()
    words = []
    for terminals, wording in _WORDS:
        if terminals <= expected and not terminals <= said:
            words.append(wording)
            said |= terminals | _IMPLIED.get(wording, set())
    return words[:3]
