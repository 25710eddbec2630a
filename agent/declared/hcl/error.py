"""The error of a file that is not read; hides nothing."""

from __future__ import annotations

import re


class ParseError(Exception):
    """A file that does not parse: where, what stands there and what would be right."""

    def __init__(self, file: str, line: int, column: int, message: str) -> None:
        """`file` as the caller named it, `line` and `column` from 1."""
        super().__init__(f"{file}:{line}:{column}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.message = message

    def discreet(self) -> ParseError:
        """The error without the word it stumbled over, which in a file of values may be a password without quotes."""
        told = re.sub(r"unexpected `[^`]{2,}`", "unexpected text", self.message)
        return ParseError(self.file, self.line, self.column, told)
