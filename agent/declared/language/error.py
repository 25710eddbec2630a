"""The errors of expressions; hides nothing."""


class EvaluationError(Exception):
    """Terraform would refuse the expression: what is wrong and, where that can be said, what would be right.

    Its text may quote names of the configuration, never values: those may be secrets.
    """


class TooMuch(EvaluationError):  # noqa: N818 it says what is the matter; an error by its base class
    """An expression beyond the bounds of work, size or depth, which `try` and `can` do not swallow."""
