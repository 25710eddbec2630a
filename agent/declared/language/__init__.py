"""The Terraform language: types, values, conversions, functions and the evaluation of expressions.

Hides what an expression means. Nothing here knows what a module, a provider or a state is: references go to a `Scope`.
"""
