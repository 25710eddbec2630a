"""Base64, encodings, CSV, RSA and hashes: expected results are what Terraform 1.11.4 gives."""

from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from text_function_calls import called, plain, refused, typed

from agent.declared.language.values import Unknown


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("base64encode", ["é\0"], "w6kA"),
        ("base64decode", ["w6\nk=\r\n"], "é"),
        ("base64decode", ["YR=="], "a"),
        ("base64decode", [""], ""),
        ("urlencode", ["a b/é~-_.*'()!&+"], "a+b%2F%C3%A9~-_.%2A%27%28%29%21%26%2B"),
        ("md5", ["é"], "66ddcd97cfdeabb2f6fb8a999b4bc76f"),
        ("sha1", [""], "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("base64sha256", ["a"], "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="),
        ("uuidv5", ["dns", "x"], "05b16a01-46c6-56dd-bd6e-c6dfb4a1427a"),
        ("uuidv5", ["6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "é"], "ebfe0af8-3997-5ade-b634-ba92cf69f557"),
        ("uuidv5", ["{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", "x"], "05b16a01-46c6-56dd-bd6e-c6dfb4a1427a"),
        ("uuidv5", ["urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8", "x"], "05b16a01-46c6-56dd-bd6e-c6dfb4a1427a"),
        ("textencodebase64", ["日本", "UTF-16"], "/v9l5Wcs"),
        ("textencodebase64", ["", "UTF-16"], ""),
        ("textencodebase64", ["😀", "utf-16le"], "PdgA3g=="),
        ("textencodebase64", ["é€", "windows-1252"], "6YA="),
        ("textencodebase64", ["a~", "IBM1047"], "gaE="),
        ("textencodebase64", ["a~", "l2"], "YX4="),
        ("textencodebase64", ["a", "GBK"], "YQ=="),
        ("textdecodebase64", ["/v8AYQ==", "UTF-16"], "a"),
        ("textdecodebase64", ["//5hAA==", "UTF-16"], "a"),
        ("textdecodebase64", ["AGE=", "UTF-16"], "a"),
        ("textdecodebase64", ["YQ==\n", "UTF-8"], "a"),
        ("textdecodebase64", ["rg==", "KOI8-U"], "ў"),
        ("textdecodebase64", ["sKE=", "EUC-KR"], "가"),
    ],
)
def test_what_terraform_makes_of_it(name: str, arguments: list[str], expected: str) -> None:
    assert plain(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[("base64decode", [text]) for text in ("w6k", "w6 k=", "/w==", "-_8=", "YQ=", "YQ===")],
        *[("uuidv5", [text, "x"]) for text in ("DNS", "", "6ba7b810")],
        ("textencodebase64", ["é", "US-ASCII"]),
        ("textencodebase64", ["a", "latin-1"]),
        ("textencodebase64", ["\x85", "ISO-8859-2"]),
        ("textencodebase64", ["\ue000", "Shift_JIS"]),
        ("textencodebase64", ["¢", "Shift_JIS"]),
        ("textdecodebase64", ["gA==", "US-ASCII"]),
        ("textdecodebase64", ["/w==", "UTF-8"]),
        ("textdecodebase64", ["YQ==", "UTF-16LE"]),
        ("textdecodebase64", ["YQ", "UTF-8"]),
        ("rsadecrypt", ["x" * 10, "y" * 100_001]),
    ],
)
def test_what_is_refused(name: str, arguments: list[str]) -> None:
    assert refused(name, *arguments).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("base64gzip", ["a"]),
        ("textencodebase64", ["日", "Big5"]),
        ("textencodebase64", ["~", "HZ-GB-2312"]),
        ("textdecodebase64", ["gA==", "GBK"]),
        ("bcrypt", ["a"]),
        ("bcrypt", ["a", 5]),
        ("uuid", []),
        ("timestamp", []),
        ("plantimestamp", []),
    ],
)
def test_what_cannot_be_told_is_unknown(name: str, arguments: list[Any]) -> None:
    result = called(name, *arguments)
    assert isinstance(result, Unknown)
    assert result.why[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
        ("\n\na,b\n\n1,2\n\n", [{"a": "1", "b": "2"}]),
        ("a,b", []),
        ("a,\n1,2\n", [{"": "2", "a": "1"}]),
        ('a,b\n"x""y","l1\r\nl2"\n', [{"a": 'x"y', "b": "l1\nl2"}]),
        ('a\n""\n \n', [{"a": ""}, {"a": " "}]),
        ("a,b\n1\r,2\r", [{"a": "1\r", "b": "2"}]),
        ("\ufeffa,b\n1,2", [{"\ufeffa": "1", "b": "2"}]),
    ],
)
def test_csv(text: str, expected: list[dict[str, str]]) -> None:
    assert plain("csvdecode", text) == expected


def test_csv_without_rows_has_a_type() -> None:
    assert typed("csvdecode", "a,b\n") == (["list", ["object", {"a": "string", "b": "string"}]], [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no header"),
        ("\n\n", "no header"),
        ("a,a\n1,2", "twice"),
        ("a,b\n1,2,3", "record 2 has 3 fields, the header 2"),
        ("a,b\n1", "record 2 has 1 fields"),
        ('a,b\nx"y,2', "record 2 has a quote"),
        ('a,b\n"x"y,2', "record 2 has a quote"),
        ('a,b\n"x,2', "record 2 has a quote"),
        ('a,b\n x , "y"', "record 2 has a quote"),
    ],
)
def test_csv_that_is_none(text: str, why: str) -> None:
    assert why in refused("csvdecode", text)


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encrypted(content: bytes) -> str:
    return b64encode(KEY.public_key().encrypt(content, padding.PKCS1v15())).decode()


def pem(form: PrivateFormat) -> str:
    return KEY.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8, PrivateFormat.OpenSSH])
@pytest.mark.parametrize("text", ["", "hé\n"])
def test_rsa(form: PrivateFormat, text: str) -> None:
    assert plain("rsadecrypt", encrypted(text.encode()), pem(form)) == text


def test_what_was_not_encrypted_for_the_key_is_refused_not_guessed() -> None:
    key = pem(PrivateFormat.PKCS8)
    for wrong in (bytes(range(256)), b"\1" * 255, b"\xff" * 256, b""):
        assert "not encrypted for this key" in refused("rsadecrypt", b64encode(wrong).decode(), key)
    assert "UTF-8" in refused("rsadecrypt", encrypted(b"\xff"), key)


def test_keys_that_are_none_of_rsa() -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    locked = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    assert "no RSA key" in refused("rsadecrypt", "", elliptic.decode())
    assert "without a password" in refused("rsadecrypt", "", locked.decode())
    assert "no private key" in refused("rsadecrypt", "", "hello")
