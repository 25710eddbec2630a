"""The character encodings that `textencodebase64` knows, by the names IANA registered.

Hides where Python's tables differ from Go's (https://pkg.go.dev/golang.org/x/text/encoding), found by trying every
character. Where they cannot be made equal the result is unknown, never a text that is nearly right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.declared.language.error import EvaluationError
from agent.declared.language.types import STRING
from agent.declared.language.values import Unknown

_LATIN = {
    1: "iso-ir-100 l1 latin1 csISOLatin1 ISO_8859-1:1987 IBM819 CP819",
    2: "iso-ir-101 l2 latin2 csISOLatin2 ISO_8859-2:1987",
    3: "iso-ir-109 l3 latin3 csISOLatin3 ISO_8859-3:1988",
    4: "iso-ir-110 l4 latin4 csISOLatin4 ISO_8859-4:1988",
    5: "iso-ir-144 cyrillic csISOLatinCyrillic ISO_8859-5:1988",
    6: "iso-ir-127 ECMA-114 ASMO-708 arabic csISOLatinArabic ISO_8859-6:1987 ISO_8859-6-E ISO_8859-6-I"
    " ISO-8859-6-E ISO-8859-6-I csISO88596E csISO88596I",
    7: "iso-ir-126 ELOT_928 ECMA-118 greek greek8 csISOLatinGreek ISO_8859-7:1987",
    8: "iso-ir-138 hebrew csISOLatinHebrew ISO_8859-8:1988 ISO_8859-8-E ISO_8859-8-I ISO-8859-8-E ISO-8859-8-I"
    " csISO88598E csISO88598I",
    9: "iso-ir-148 l5 latin5 csISOLatin5 ISO_8859-9:1989",
    10: "iso-ir-157 l6 latin6 csISOLatin6 ISO_8859-10:1992",
    13: "csISO885913",
    14: "iso-ir-199 l8 latin8 iso-celtic csISO885914 ISO_8859-14:1998 ISO_8859-14",
    15: "Latin-9 csISO885915 ISO_8859-15",
    16: "iso-ir-226 l10 latin10 csISO885916 ISO_8859-16:2001 ISO_8859-16",
}
_ISO_WITH_UNDERSCORE = (1, 2, 3, 4, 5, 6, 7, 8, 9)

_OTHERS = {
    "utf-8": "UTF-8 csUTF8",
    "utf-16": "UTF-16 csUTF16",
    "utf-16-be": "UTF-16BE csUTF16BE",
    "utf-16-le": "UTF-16LE csUTF16LE",
    "ascii": "US-ASCII iso-ir-6 ANSI_X3.4-1968 ANSI_X3.4-1986 ISO_646.irv:1991 ISO646-US us IBM367 cp367 csASCII",
    "koi8-r": "KOI8-R csKOI8R",
    "koi8-u": "KOI8-U csKOI8U",
    "mac-roman": "macintosh mac csMacintosh",
    "cp037": "IBM037 cp037 ebcdic-cp-us ebcdic-cp-ca ebcdic-cp-wt ebcdic-cp-nl csIBM037",
    "cp437": "IBM437 cp437 437 csPC8CodePage437",
    "cp850": "IBM850 cp850 850 csPC850Multilingual",
    "cp852": "IBM852 cp852 852 csPCp852",
    "cp855": "IBM855 cp855 855 csIBM855",
    "cp858": "IBM00858 CCSID00858 CP00858 PC-Multilingual-850+euro csIBM00858",
    "cp860": "IBM860 cp860 860 csIBM860",
    "cp862": "IBM862 cp862 862 csPC862LatinHebrew",
    "cp863": "IBM863 cp863 863 csIBM863",
    "cp865": "IBM865 cp865 865 csIBM865",
    "cp866": "IBM866 cp866 866 csIBM866",
    "cp1140": "IBM01140 CCSID01140 CP01140 ebcdic-us-37+euro csIBM01140",
    "ibm1047": "IBM1047 IBM-1047 csIBM1047",
    "cp932": "Shift_JIS MS_Kanji csShiftJIS",
    "cp949": "EUC-KR csEUCKR",
    "gbk": "GBK CP936 MS936 windows-936 csGBK",
    "gb18030": "GB18030 csGB18030",
    "hz": "HZ-GB-2312",
    "big5": "Big5 csBig5",
    "euc-jp": "EUC-JP Extended_UNIX_Code_Packed_Format_for_Japanese csEUCPkdFmtJapanese",
    "iso2022-jp": "ISO-2022-JP csISO2022JP",
}
_WINDOWS = (874, *range(1250, 1259))

_DIFFERENT = {"gbk", "gb18030", "hz", "big5", "euc-jp", "iso2022-jp"}
"""Known to Terraform with tables that are not Python's."""

_WITHOUT_CONTROLS = {f"iso8859-{part}" for part in _LATIN if part not in (1, 9)}
"""To Go these have no characters U+0080 to U+009F."""

_BASE = {"ibm1047": "cp037"}
_REPLACED: Mapping[str, Mapping[int, str]] = {
    "ibm1047": {0x5F: "^", 0xAD: "[", 0xB0: "¬", 0xBA: "Ý", 0xBB: "¨", 0xBD: "]"},
    "cp1255": {0xCA: "\u05ba"},
    "koi8-u": {0xAE: "ў", 0xBE: "Ў"},
}
"""Bytes that mean something else to Go."""

_CONTROLS = re.compile("[\x80-\x9f]")
_PRIVATE = re.compile("[\x80\ue000-\uf8ff]")
_SHIFTS = frozenset("~\x0e\x0f\x1b")
"""ASCII that means something else to some encoding of `_DIFFERENT`."""


def _names() -> Mapping[str, str]:
    found = {name.lower(): codec for codec, names in _OTHERS.items() for name in names.split()}
    for part, names in _LATIN.items():
        own = [f"ISO-8859-{part}", *([f"ISO_8859-{part}"] if part in _ISO_WITH_UNDERSCORE else []), *names.split()]
        found.update((name.lower(), f"iso8859-{part}") for name in own)
    for page in _WINDOWS:
        found.update({f"windows-{page}": f"cp{page}", f"cswindows{page}": f"cp{page}"})
    return found


_NAMES = _names()


@dataclass(frozen=True, slots=True)
class Charset:
    """A character encoding."""

    name: str
    """As it was asked for."""
    codec: str
    """Python's name of it, or of what it is close to."""


def known(name: str) -> Charset:
    """The encoding of an IANA name, in letters of any case. Raises `EvaluationError`."""
    codec = _NAMES.get(name.lower())
    if codec is None:
        raise EvaluationError("`encoding` is no character encoding that Terraform knows, such as UTF-16LE")
    return Charset(name, codec)


def _unequal() -> Unknown:
    return Unknown("the characters of this encoding are not exactly known", STRING)


def encoded(text: str, charset: Charset) -> bytes | Unknown:
    """The text as bytes, unknown where tables may differ. Raises `EvaluationError` where a character is missing."""
    codec = charset.codec
    if codec in _DIFFERENT:
        return text.encode("ascii") if text.isascii() and not _SHIFTS.intersection(text) else _unequal()
    if codec == "utf-16":
        return b"\xfe\xff" + text.encode("utf-16-be") if text else b""
    lacks = EvaluationError("the text has a character that the encoding lacks")
    if codec in _WITHOUT_CONTROLS and _CONTROLS.search(text):
        raise lacks
    if replaced := _REPLACED.get(codec):
        return _swapped(text, codec, replaced, lacks)
    try:
        content = text.encode(codec)
    except UnicodeEncodeError:
        raise lacks from None
    if codec == "cp932" and (content.decode(codec) != text or _PRIVATE.search(text)):
        raise lacks
    return content


def _swapped(text: str, codec: str, replaced: Mapping[int, str], lacks: EvaluationError) -> bytes:
    table = _table(codec, replaced)
    try:
        return bytes(table.index(each) for each in text)
    except ValueError:
        raise lacks from None


def _table(codec: str, replaced: Mapping[int, str]) -> str:
    """The character of each byte; U+FFFD where there is none."""
    whole = bytes(range(256)).decode(_BASE.get(codec, codec), "replace")
    return "".join(replaced.get(byte, each) for byte, each in enumerate(whole))


def decoded(content: bytes, charset: Charset) -> str | Unknown:
    """Bytes as text, unknown where tables may differ. Raises `EvaluationError` where bytes mean nothing."""
    codec = charset.codec
    wrong = EvaluationError("`source` holds bytes that the encoding gives no meaning")
    if codec in _DIFFERENT:
        plain = content.decode("ascii", "replace")
        return plain if content.isascii() and not _SHIFTS.intersection(plain) else _unequal()
    if replaced := _REPLACED.get(codec):
        text = "".join(_table(codec, replaced)[byte] for byte in content)
    else:
        if codec == "utf-16" and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            codec = "utf-16-be"
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            raise wrong from None
    missing = _CONTROLS if codec in _WITHOUT_CONTROLS else _PRIVATE if codec == "cp932" else None
    if "\ufffd" in text or (missing and missing.search(text)):
        raise wrong
    return text
