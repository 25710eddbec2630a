"""HCL text to a tree of plain values (`parse`); hides python-hcl2 and everything it gets wrong."""
