"""What Terraform declares: configuration and state of a stack, as one `Snapshot`.

Hides where state is kept, how it is laid out, and how HCL is parsed.
"""
