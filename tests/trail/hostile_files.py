"""Files nobody should send, each with what must come of it; run as a program it reads them all within its limits.

The program gives itself little memory and reads each file through the same door as a scan does. What it prints is a
JSON object: name of the file → what came of it.
"""

import gzip
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trail_records import SPECS, packed, record

from agent.trail.entries import Reader
from agent.trail.source import Blob

MEMORY = 640 << 20
"""Bytes the program may take beyond what it has once everything is imported; a file of 256 MB is the largest taken."""
SECONDS = 120
"""CPU seconds for all files together: an upper bound that no slow machine reaches."""

ONE, TWO = record(), record(at="12:00:01")
ONE_TEXT, TWO_TEXT = (json.dumps(one, separators=(",", ":")).encode() for one in (ONE, TWO))
BOMB = gzip.compress(b'{"Records":[' + b" " * (48 << 20), 1)


def wrapped(*records: bytes) -> bytes:
    """A log file of these texts, whatever they are."""
    return b'{"Records":[' + b",".join(records) + b"]}"


def with_request(text: bytes) -> bytes:
    """`ONE` under another id, its request this text."""
    found = record(eventID="11111111-1111-4111-8111-111111111111", requestParameters="?")
    return json.dumps(found, separators=(",", ":")).encode().replace(b'"?"', text)


@dataclass(frozen=True)
class Case:
    """One file."""

    data: Callable[[], bytes]
    entries: int
    """How many entries it must give."""
    why: str = ""
    """What its one gap must say; empty: there is none."""


def _junk_then_good() -> bytes:
    return wrapped(*[b"{}"] * 300_000, ONE_TEXT)


def _nested_forgery() -> bytes:
    """In the request of one record, whole records that a boundary search could take for records of the file."""
    forged = json.dumps(record(userIdentity={"type": "Root"}, at="13:00:00"), separators=(",", ":"))
    request = b'{"items":[' + b",".join([b'{"a":1}', *[forged.encode()] * 1200, b'{"b":1}']) + b"]}"
    return wrapped(ONE_TEXT, with_request(request), TWO_TEXT)


def _cut_in_half() -> bytes:
    return gzip.compress(wrapped(*[ONE_TEXT] * 3000, TWO_TEXT))[:-30]


def _damaged() -> bytes:
    filler = [json.dumps(record(n=os.urandom(300).hex())).encode() for _ in range(300)]
    data = bytearray(gzip.compress(wrapped(ONE_TEXT, *filler)))
    data[-8] ^= 0xFF
    return bytes(data)


CASES: Mapping[str, Case] = {
    "bomb": Case(lambda: BOMB, 0, "grows past"),
    "bomb in a bomb": Case(lambda: gzip.compress(BOMB), 0, "not JSON"),
    "bomb behind a good file": Case(lambda: packed(ONE) + BOMB, 0, "grows past"),
    "many members": Case(lambda: gzip.compress(ONE_TEXT + b"\n") * 100, 64, "more than 64 gzip members"),
    "gzip that ends early": Case(_cut_in_half, 3000, "gzip ends early; "),
    "gzip with a wrong checksum": Case(_damaged, 301, "broken gzip: "),
    "larger than a file may be": Case(lambda: b"x" * (257 << 20), 0, "larger than 256 MB"),
    "one line of 40 MB": Case(
        lambda: ONE_TEXT + b"\n" + b"[" + b"1" * (40 << 20) + b"]\n" + TWO_TEXT, 2, "document of 40 MB"
    ),
    "one word of 40 MB": Case(lambda: ONE_TEXT + b"\n" + b"x" * (40 << 20) + b"\n" + TWO_TEXT, 2, "line 2: not JSON"),
    "a record of 12 MB": Case(
        lambda: wrapped(ONE_TEXT, with_request(b'{"x":"' + b"x" * (12 << 20) + b'"}'), TWO_TEXT),
        2,
        "record 2 has 12 MB",
    ),
    "nested 100,000 deep": Case(
        lambda: wrapped(ONE_TEXT, with_request(b"[" * 100_000 + b"]" * 100_000), TWO_TEXT), 2, "nested too deep"
    ),
    "nothing but brackets": Case(lambda: b"[" * 3_000_000, 0, "record 1 does not end"),
    "nothing but objects": Case(lambda: b'{"a":' * 1_000_000, 0, "nested too deep"),
    "a string that never ends": Case(lambda: b'{"Records":[{"a":"' + b'\\"' * 1_000_000, 0, "record 1 does not end"),
    "300,000 empty records": Case(_junk_then_good, 1, "record 1 is no CloudTrail record (and 299999 more"),
    "300,000 numbers": Case(lambda: wrapped(*[b"1"] * 300_000, ONE_TEXT), 1, "(and 299999 more like it"),
    "records that are none": Case(
        lambda: wrapped(b'"text"', b"7", b"null", b"[]", b"true", ONE_TEXT, b"{}"), 1, "(and 5 more like it, of 7"
    ),
    "records inside a request": Case(_nested_forgery, 3),
    "bytes that are no UTF-8": Case(
        lambda: wrapped(ONE_TEXT.replace(b"Boto3", b"\xff\xfe\xc0"), with_request(b'{"a":"\xed\xa0\x80"}'), TWO_TEXT), 3
    ),
    "half a surrogate": Case(lambda: wrapped(with_request(b'{"a":"\\ud800"}'), TWO_TEXT), 2),
    "no numbers": Case(lambda: wrapped(with_request(b'{"a":NaN,"b":-Infinity,"c":Infinity}'), TWO_TEXT), 2),
    "giant numbers": Case(lambda: wrapped(with_request(b'{"a":' + b"9" * 100_000 + b',"b":1e999}'), TWO_TEXT), 2),
    "the same key twice": Case(
        lambda: wrapped(ONE_TEXT.replace(b'"eventName":', b'"eventName":"GetQueueUrl","eventName":')), 1
    ),
    "a name of 5 MB": Case(lambda: packed(ONE | {"eventName": "A" * (5 << 20)}), 1),
    "a user agent of 5 MB": Case(lambda: packed(ONE | {"userAgent": "terraform-provider-" * 300_000}), 1),
    "an id of 5 MB": Case(lambda: packed(ONE | {"eventID": "1" * (5 << 20)}), 1),
    "an error of 5 MB": Case(lambda: packed(ONE | {"errorCode": "AccessDenied" * 400_000}), 1),
    "two documents in one": Case(lambda: wrapped(ONE_TEXT) + wrapped(TWO_TEXT), 2),
    "something behind the records": Case(lambda: wrapped(ONE_TEXT) + b"<html>", 1, "something that is no list"),
    "empty": Case(lambda: b"", 0, "empty"),
    "a page of HTML": Case(lambda: b"<!DOCTYPE html>\n<html><body>Access Denied</body></html>\n", 0, "not JSON"),
    "an error of S3": Case(lambda: b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>', 0, "not JSON"),
    "a picture": Case(lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50, 0, "not JSON"),
    "VPC flow logs": Case(
        lambda: gzip.compress(
            b"version account-id interface-id srcaddr dstaddr\n" + b"2 123456789010 eni-1 10.0.0.1 10.0.0.2\n" * 999
        ),
        0,
        "(and 999 more like it",
    ),
    "load balancer logs": Case(
        lambda: gzip.compress(
            b'https 2026-03-02T00:00:00.1Z app/lb/1 10.0.0.1:1 "GET https://a:443/ HTTP/1.1"\n' * 500
        ),
        0,
        "(and 499 more like it",
    ),
    "server access logs": Case(
        lambda: b"79a5 bucket [02/Mar/2026:00:00:38 +0000] 192.0.2.3 - REST.GET.VERSIONING\n" * 50, 0, "(and 49 more"
    ),
    "another service's snapshot": Case(lambda: b'{"configurationItems": []}', 0, "no Cloud"),
    "only line ends": Case(lambda: b"\n" * 5_000_000, 0, "empty"),
}


def read(name: str) -> dict[str, object]:
    """What came of one file."""
    reader = Reader(SPECS)
    began = time.process_time()
    found = reader.sift(Blob(name, CASES[name].data()))
    return {
        "entries": len(found.entries),
        "gaps": [gap.why for gap in found.gaps],
        "causes": sorted({gap.cause for gap in found.gaps}),
        "seconds": time.process_time() - began,
        "longest": max((len(text) for entry in found.entries for text in _texts(entry)), default=0),
    }


def _texts(entry: object) -> list[str]:
    names = ("event", "action", "account", "recipient", "region", "source_ip", "user_agent", "error", "shared")
    return [getattr(entry, name) for name in names]


def main() -> None:
    """Reads every file under the limits."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    json.dump({name: read(name) for name in CASES}, sys.stdout)


if __name__ == "__main__":
    main()
