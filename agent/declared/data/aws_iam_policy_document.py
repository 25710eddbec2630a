"""A policy written as blocks → its JSON, exactly as the AWS provider 5.100 renders it.

Hides the provider's ways: lists sorted downwards, one item written without its list, blocks in the order of their
hashes, documents merged by `Sid`, and what becomes of other documents' JSON when it is read and written again.
https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/data-sources/iam_policy_document
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agent.declared.data import Here
from agent.declared.go_json import compact, indented, read_json, sorted_keys
from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.types import STRING, ListOf, Type
from agent.declared.language.values import (
    UNKNOWN,
    List,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    flags,
    force,
    unmarked,
    whys,
)

_VERSION, _OLD_VERSION = "2012-10-17", "2008-10-17"
_TEXTS = ListOf(STRING)
_STATEMENT = (
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
)
_READ_AS_TEXT = frozenset({"Sid", "Effect"})
_READ_AS_PRINCIPALS = frozenset({"Principal", "NotPrincipal"})

Document = dict[str, Any]
"""`Version`, `Id` and `Statement`, a list of dicts with the keys of `_STATEMENT`, in that order; as JSON has them."""


def read(arguments: Object, _here: Here) -> Mapping[str, Value]:
    """See `data.Reader`. `json` is unknown where any argument is."""
    plain, hidden = unmarked(force(arguments))
    if flags(plain) & UNKNOWN or not isinstance(plain, Object):
        unknown: Value = Unknown(whys(plain), STRING)
        return dict.fromkeys(("id", "json", "minified_json"), Sensitive(unknown) if hidden else unknown)
    document = _document(plain)
    text = indented(document)
    found: dict[str, Value] = {"id": str(zlib.crc32(text.encode())), "json": text, "minified_json": compact(document)}
    return {name: Sensitive(each) for name, each in found.items()} if hidden else found


def _document(arguments: Object) -> Document:
    found: Document = {}
    for text in _texts(arguments, "source_policy_documents"):
        _merge(found, _parsed(text), unique=True)
    _merge(found, _own(arguments))
    for text in _texts(arguments, "override_policy_documents"):
        _merge(found, _parsed(text))
    statements = [{name: sorted_keys(value) for name, value in each.items()} for each in found["Statement"]]
    whole = {"Version": found["Version"], "Id": found["Id"], "Statement": statements}
    return {name: value for name, value in whole.items() if value}


def _merge(into: Document, other: Document, *, unique: bool = False) -> None:
    """Statements replace those of their `Sid`; the version only rises. Raises `EvaluationError` where Sids must be
    `unique` and are not."""
    into["Version"] = max(into.get("Version", ""), other.get("Version", ""))
    into["Id"] = other.get("Id") or into.get("Id", "")
    statements = into.setdefault("Statement", [])
    places = {each["Sid"]: place for place, each in enumerate(statements) if each.get("Sid")}
    for each in other.get("Statement", ()):
        sid = each.get("Sid")
        if sid not in places or not sid:
            places[sid] = len(statements)
            statements.append(each)
        elif unique:
            raise EvaluationError("two statements of the source documents have one Sid")
        else:
            statements[places[sid]] = each


# --- the blocks of the data source ---------------------------------------------------------------------------------


def _own(arguments: Object) -> Document:
    version = _text(arguments, "version", _VERSION)
    if version not in (_VERSION, _OLD_VERSION):
        raise EvaluationError(f"the version must be {_VERSION} or {_OLD_VERSION}")
    statements = [_statement(each, version) for each in _blocks(arguments, "statement")]
    sids = [each["Sid"] for each in statements if "Sid" in each]
    if len(set(sids)) < len(sids):
        raise EvaluationError("two statements have one Sid")
    return {"Version": version, "Id": _text(arguments, "policy_id"), "Statement": statements}


def _statement(block: Object, version: str) -> dict[str, Any]:
    effect = _text(block, "effect", "Allow")
    if effect not in ("Allow", "Deny"):
        raise EvaluationError("the effect must be Allow or Deny")

    def replaced(text: str) -> str:
        return _with_variables(text, version)

    found = {
        "Sid": _text(block, "sid"),
        "Effect": effect,
        "Action": _some(_downwards(_texts(block, "actions"))),
        "NotAction": _some(_downwards(_texts(block, "not_actions"))),
        "Resource": _some([replaced(each) for each in _downwards(_texts(block, "resources"))]),
        "NotResource": _some([replaced(each) for each in _downwards(_texts(block, "not_resources"))]),
        "Principal": _principals(_blocks(block, "principals"), replaced),
        "NotPrincipal": _principals(_blocks(block, "not_principals"), replaced),
        "Condition": _conditions(_blocks(block, "condition"), replaced),
    }
    return {name: value for name, value in found.items() if value is not None and (value or name != "Sid")}


def _with_variables(text: str, version: str) -> str:
    """`&{…}` stands for `${…}`, which Terraform would evaluate itself."""
    if version == _OLD_VERSION and "&{" in text:
        raise EvaluationError(f"version {_OLD_VERSION} has no variables, and a statement uses some")
    return text.replace("&{", "${")


def _principals(blocks: Sequence[Object], replaced: Callable[[str], str]) -> Any:
    items = [(_texts(each, "identifiers"), _text(each, "type")) for each in blocks]
    spelled = {
        f"identifiers:{{{''.join(f'{each};' for each in _hashed(texts))}}};type:{kind};": (texts, kind)
        for texts, kind in items
    }
    found: dict[str, Any] = {}
    for texts, kind in _in_hash_order(spelled):
        _add(found, kind, sorted(map(replaced, set(texts)), reverse=True))
    return _principal(found)


def _conditions(blocks: Sequence[Object], replaced: Callable[[str], str]) -> Any:
    items = [(_text(each, "test"), _texts(each, "values"), _text(each, "variable")) for each in blocks]
    spelled = {
        f"test:{test};values:({''.join(f'{each};' for each in texts)});variable:{variable};": (test, texts, variable)
        for test, texts, variable in items
    }
    found: dict[str, Any] = {}
    for test, texts, variable in _in_hash_order(spelled):
        _add(found.setdefault(test, {}), variable, [replaced(each) for each in texts])
    return found or None


def _add(to: dict[str, Any], name: str, texts: list[str]) -> None:
    """One text of a single block stands by itself, all else is a list."""
    if name not in to:
        to[name] = texts[0] if len(texts) == 1 else texts
    else:
        there = to[name]
        to[name] = [*([there] if isinstance(there, str) else there), *texts]


def _principal(found: dict[str, Any]) -> Any:
    if list(found) == ["*"] and found["*"] in ("*", ["*"]):
        return "*"
    return found or None


def _some(texts: list[str]) -> Any:
    return None if not texts else texts[0] if len(texts) == 1 else texts


def _downwards(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts), reverse=True)


def _hashed(texts: Iterable[str]) -> Iterable[str]:
    return _in_hash_order({f"{each};": each for each in texts})


def _in_hash_order(spelled: Mapping[str, Any]) -> list[Any]:
    """Items of a set of the provider's SDK, by their spelling: in the order of their hashes, as texts."""
    return [item for _, item in sorted((str(zlib.crc32(key.encode())), item) for key, item in spelled.items())]


# --- documents that come as JSON -----------------------------------------------------------------------------------


def _parsed(text: str) -> Document:
    if not text:
        return {}
    fields = _fields(read_json(text), ("Version", "Id", "Statement"))
    statements = fields.get("Statement") or []
    if not isinstance(statements, list) or not all(isinstance(each, dict) for each in statements):
        raise EvaluationError("a document's Statement is no list of statements")
    known = {name: fields[name] for name in ("Version", "Id") if fields.get(name)}
    if not all(isinstance(each, str) for each in known.values()):
        raise EvaluationError("a document's Version or Id is no string")
    return {**known, "Statement": [_parsed_statement(each) for each in statements]}


def _fields(written: Any, names: Sequence[str]) -> dict[str, Any]:
    """An object's fields by these names, which JSON may write in any case; of several the last that is not null."""
    if written is None:
        return {}
    if not isinstance(written, dict):
        raise EvaluationError("a document is no JSON object")
    by_name = {name.casefold(): name for name in names}
    found: dict[str, Any] = {}
    for key, value in written.items():
        name = by_name.get(key.casefold())
        if name and (value is not None or name in _READ_AS_PRINCIPALS):
            found[name] = value
    return found


def _parsed_statement(written: dict[str, Any]) -> dict[str, Any]:
    fields = _fields(written, _STATEMENT)
    found: dict[str, Any] = {}
    for name in (name for name in _STATEMENT if name in fields):
        value = fields[name]
        if name in _READ_AS_TEXT and not isinstance(value, str):
            raise EvaluationError(f"a statement's {name} is no string")
        if name in _READ_AS_PRINCIPALS:
            value = _parsed_principals(value)
        elif name == "Condition":
            value = _parsed_conditions(value)
        found[name] = value
    return {name: value for name, value in found.items() if value is not None and (value or name not in _READ_AS_TEXT)}


def _parsed_principals(written: Any) -> Any:
    if isinstance(written, str):
        return "*"  # whatever it was
    if not isinstance(written, dict):
        raise EvaluationError("a statement's principals are neither text nor object")
    found: dict[str, Any] = {}
    for kind, value in written.items():
        if isinstance(value, str):
            found[kind] = value
        elif isinstance(value, list) and all(isinstance(each, str) for each in value):
            found[kind] = sorted(value, reverse=True)
        else:
            raise EvaluationError("a principal is neither text nor a list of texts")
    return _principal(found)


def _parsed_conditions(written: Any) -> Any:
    if not isinstance(written, dict) or not all(isinstance(each, dict | None) for each in written.values()):
        raise EvaluationError("a statement's conditions are no object of objects")
    pairs = itertools.chain.from_iterable(
        ((test, *each) for each in (of or {}).items()) for test, of in written.items()
    )
    found: dict[str, Any] = {}
    for test, variable, value in pairs:
        if isinstance(value, list):
            if not all(isinstance(each, str) for each in value):
                raise EvaluationError("a condition's values are no texts")
            _add(found.setdefault(test, {}), variable, value)
        elif isinstance(value, str | bool):
            text = value if isinstance(value, str) else "true" if value else "false"
            found.setdefault(test, {})[variable] = text
    return found or None


# --- arguments ------------------------------------------------------------------------------------------------------


def _text(block: Object, name: str, default: str = "") -> str:
    value = _converted(block, name, STRING)
    return value if isinstance(value, str) else default


def _texts(block: Object, name: str) -> list[str]:
    value = _converted(block, name, _TEXTS)
    if not isinstance(value, List):
        return []
    texts = [each for each in value.items if isinstance(each, str)]
    if len(texts) < len(value.items):
        raise EvaluationError(f"`{name}`: one of them is null")
    return texts


def _converted(block: Object, name: str, type_: Type) -> Value:
    try:
        return convert(block.items.get(name, Null(type_)), type_)
    except EvaluationError as error:
        raise EvaluationError(f"`{name}`: {error}") from None


def _blocks(block: Object, name: str) -> list[Object]:
    value = block.items.get(name)
    if isinstance(value, Object):
        return [value]
    items = value.items if isinstance(value, List | Tuple | Set) else ()
    return [each for each in items if isinstance(each, Object)]
