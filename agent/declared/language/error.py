"""The error of an expression that Terraform would refuse; hides nothing."""


class EvaluationError(Exception):
    """Terraform would refuse the expression: what is wrong and, where that can be said, what would be right.

    Its text may quote names of the configuration, never values: those may be secrets.
    """
