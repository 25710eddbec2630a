"""The error of a file that is not read; hides nothing."""


class ParseError(Exception):
    """A file that does not parse: where, what stands there and what would be right."""

    def __init__(self, file: str, line: int, column: int, message: str) -> None:
        """`file` as the caller named it, `line` and `column` from 1."""
        super().__init__(f"{file}:{line}:{column}: {message}")
        self.file = file
        self.line = line
        self.column = column
        self.message = message
