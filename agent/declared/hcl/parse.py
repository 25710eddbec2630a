"""`parse`: the bytes of one .tf file to its syntax tree.

Hides python-hcl2, the corrections before and after it, and the cache.
"""

from pathlib import Path

from agent.declared.hcl import cache as entries
from agent.declared.hcl.correct import correct
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.tree import Body

MAX_BYTES = 5_000_000
"""Largest file read: parsing takes some 7 s per MB."""


def parse(data: bytes, file: str = "", cache: Path | None = None) -> Body:
    """One file's content → its tree, from the cache folder where the same content was parsed before.

    `file` is the name errors give. Raises `ParseError`, and nothing else, for content Terraform would refuse, and for
    the few things it accepts that are not read here.
    """
    if len(data) > MAX_BYTES:
        raise ParseError(file, 1, 1, f"the file has {len(data):,} bytes: at most {MAX_BYTES:,} are read, split it")
    name = entries.key(data) if cache else ""
    known = entries.load(cache, name) if cache else None
    if known is not None:
        return known
    # Loading python-hcl2 takes 0.3 s, which a run that finds everything in the cache does not pay.
    from agent.declared.hcl.convert import convert

    body = convert(correct(_decode(data, file), file), file)
    if cache:
        entries.save(cache, name, body)
    return body


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise ParseError(file, line, column, "bytes that are not UTF-8: save the file as UTF-8") from None
