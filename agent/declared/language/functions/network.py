"""Functions that compute addresses: `cidrhost`, `cidrnetmask`, `cidrsubnet`, `cidrsubnets`.

Hides what Terraform reads and writes as an address: leading zeros are decimal, as they were in Go until 2021, IPv4 in
IPv6 counts half as the one and half as the other, and numbers beyond 64 bits pass some checks by wrapping around.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.numeric import whole
from agent.declared.language.numbers import Number
from agent.declared.language.types import NUMBER, STRING, ListOf
from agent.declared.language.values import List, Value

_DIGITS = re.compile(r"[0-9]{1,6}")
_ZEROS = re.compile(r"(?<![0-9a-fA-F])0+(?=[0-9a-fA-F])")
_UINT64 = (1 << 64) - 1
_MAPPED = 0xFFFF << 32
_MAX_NEW_BITS = 32


@dataclass(frozen=True, slots=True)
class _Network:
    """A prefix; `address` has no bit set behind it."""

    address: int
    bits: int
    """Of the address: 32 or 128."""
    length: int

    @property
    def mapped(self) -> bool:
        """Whether it is IPv4 within IPv6, `::ffff:0:0/96`."""
        return self.bits == 128 and self.address >> 32 == _MAPPED >> 32


def _network(prefix: str) -> _Network:
    address, slash, length = prefix.partition("/")
    bits = 128 if ":" in address else 32
    if not slash or not _DIGITS.fullmatch(length) or int(length) > bits:
        raise EvaluationError("the prefix must be an address, a slash and its length in bits")
    host = bits - int(length)
    return _Network(_address(address, bits) >> host << host, bits, int(length))


def _address(text: str, bits: int) -> int:
    if len(text) > 100 or not text.isascii() or "%" in text:
        raise EvaluationError("the prefix has no valid address")
    plain = _ZEROS.sub("", text)
    try:
        return int(IPv4Address(plain)) if bits == 32 else int(IPv6Address(plain))
    except AddressValueError:
        raise EvaluationError("the prefix has no valid address") from None


def _spelled(address: int, bits: int) -> str:
    if address >> bits:
        raise EvaluationError("the result is no address")
    if bits == 128 and address >> 32 != _MAPPED >> 32:
        return str(IPv6Address(address))
    return str(IPv4Address(address & 0xFFFFFFFF))


def _integer(value: Number, what: str) -> int:
    if isinstance(value, int):
        return value
    raise EvaluationError(f"{what} must be a whole number of at most 100 digits")


def _cidrhost(prefix: str, number: Number) -> Value:
    network, host = _network(prefix), _integer(number, "the number of the host")
    largest = (1 << (network.bits - network.length)) - 1
    place = largest + 1 + host if host < 0 else host
    if not 0 <= place <= largest:
        raise EvaluationError("the prefix has not so many hosts")
    shift = 96 if network.mapped else 0
    return _spelled(network.address | (place << shift & ((1 << network.bits) - 1)), network.bits)


def _cidrnetmask(prefix: str) -> Value:
    network = _network(prefix)
    if network.bits == 128 and not network.mapped:
        raise EvaluationError("IPv6 has no netmasks")
    mask = ((1 << network.length) - 1) << (network.bits - network.length)
    return str(IPv6Address(mask)) if network.bits == 128 else str(IPv4Address(mask))


def _cidrsubnet(prefix: str, newbits: Number, netnum: Number) -> Value:
    network, more, number = _network(prefix), whole(newbits, "`newbits`"), _integer(netnum, "`netnum`")
    length = network.length + more
    if not 0 <= length <= network.bits:
        raise EvaluationError("the address is too short to extend the prefix by so many bits")
    largest = (1 << more) - 1 if 0 <= more < 64 else _UINT64
    if abs(number) & _UINT64 > largest:
        raise EvaluationError("`newbits` cannot hold so large a `netnum`")
    address = abs(network.address | number << (network.bits - length))
    return _prefix(address, network.bits, length)


def _prefix(address: int, bits: int, length: int) -> str:
    if bits == 128 and address >> 32 == _MAPPED >> 32 and length >= 96:
        length -= 96
    return f"{_spelled(address, bits)}/{length}"


def _cidrsubnets(prefix: str, *newbits: Number) -> Value:
    network, found = _network(prefix), list[Value]()
    at, end = network.address, network.address + (1 << (network.bits - network.length))
    for each in newbits:
        more = whole(each, "`newbits`")
        length = network.length + more
        if not 1 <= more <= _MAX_NEW_BITS or length > network.bits:
            raise EvaluationError(f"each prefix is extended by 1 to {_MAX_NEW_BITS} bits, within the address")
        size = 1 << (network.bits - length)
        at = -(-at // size) * size
        if at + size > end or network.length == 0 or network.mapped:
            raise EvaluationError("the prefix has no room for so many subnets")
        found.append(_prefix(at, network.bits, length))
        at += size
    return List(found, STRING)


_PREFIX = Parameter("prefix", STRING)
_NEW_BITS = Parameter("newbits", NUMBER)

FUNCTIONS: Mapping[str, Function] = {
    "cidrhost": Function((_PREFIX, Parameter("hostnum", NUMBER)), _cidrhost, STRING),
    "cidrnetmask": Function((_PREFIX,), _cidrnetmask, STRING),
    "cidrsubnet": Function((_PREFIX, _NEW_BITS, Parameter("netnum", NUMBER)), _cidrsubnet, STRING),
    "cidrsubnets": Function((_PREFIX,), _cidrsubnets, ListOf(STRING), variadic=_NEW_BITS),
}
