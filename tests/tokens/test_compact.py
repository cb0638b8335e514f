"""A JWT taken apart: one spelling for one token, and nothing in it believed."""

from typing import Any

import pytest

from identity.tokens.compact import require_typ
from identity.tokens.jose import InvalidToken, is_encrypted, kid_of, parse_object, peek, read_header
from tests.attacks.forging import compact, encode

HEADER = {"alg": "ES256", "typ": "JWT"}


def unsigned(payload: Any, header: Any = HEADER) -> str:
    return compact(header, payload, lambda _: b"signature")


def test_peek_reads_what_nobody_has_verified() -> None:
    assert peek(unsigned({"iss": "joe", "n": 1})) == {"iss": "joe", "n": 1}


def test_the_header_names_the_key_that_will_be_looked_for() -> None:
    assert kid_of(unsigned({})) is None
    assert kid_of(unsigned({}, HEADER | {"kid": "one"})) == "one"
    assert read_header(unsigned({}, HEADER | {"unknown": 1}))["unknown"] == 1
    bad: tuple[Any, ...] = (1, None, True, [], {}, ["one"])
    for kid in bad:
        with pytest.raises(InvalidToken):
            kid_of(unsigned({}, HEADER | {"kid": kid}))


def test_five_parts_are_an_encrypted_token() -> None:
    assert is_encrypted("a.b.c.d.e")
    assert not is_encrypted(unsigned({}))


@pytest.mark.spec("RFC 8725", "2.4")
@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b'{"a":[{"b":1,"b":1}]}', b"[]", b'"text"', b"1", b"null", b"", b"{",
        b'{"a":1}x', b"{'a':1}", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e999}', b"\xff\xfe{}",
        '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32"), b"\xef\xbb\xbf{}", b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}', b'{"a":"\n"}',
        rb'{"a":"\ud800"}', rb'{"\udc00":1}', rb'{"a":["\ud800x"]}', rb'{"a":"x\u0000"}', b'{"a":"\x00"}',
        b"[" * 20_000, b'{"a":' * 20_000, b'{"a":' + b"1" * 5000 + b"}",
    ],
)  # fmt: skip
def test_json_with_two_readings_or_none_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidToken):
        parse_object(data)


def test_json_in_other_words_is_read() -> None:
    assert parse_object(rb' {"\u00e9": "\ud83d\ude00", "n": 1.5, "deep": [{"a": null}], "o": true} ') == {
        "é": "😀", "n": 1.5, "deep": [{"a": None}], "o": True,
    }  # fmt: skip


@pytest.mark.spec("RFC 7515", "2")
def test_base64url_has_one_spelling() -> None:
    header, payload = encode(b'{"alg":"ES256"}'), encode(b'{"a":1}')
    assert peek(f"{header}.{payload}.AAAA") == {"a": 1}
    # "AB" and "AA" are the same octet: the second spelling differs in bits that no octet uses.
    for signature in ("AB", "A", "AAA=", "AA+A", "AA/A", "AA A", "AAAA\n", "AAAAA", ""):
        with pytest.raises(InvalidToken):
            peek(f"{header}.{payload}.{signature}")
    assert payload.endswith("Q")
    for changed in (payload[:-1] + "R", payload + "=", payload + "A", "=" + payload):
        with pytest.raises(InvalidToken):
            peek(f"{header}.{changed}.AAAA")


@pytest.mark.spec("RFC 7515", "4.1.9")
@pytest.mark.parametrize(
    ("header", "allowed", "good"),
    [
        ({"typ": "JWT"}, {"JWT"}, True), ({"typ": "jwt"}, {"JWT"}, True), ({"typ": "application/JWT"}, {"JWT"}, True),
        ({"typ": "Application/At+JWT"}, {"at+jwt"}, True), ({}, {None}, True), ({}, {None, "JWT"}, True),
        ({}, {"JWT"}, False), ({"typ": None}, {None}, False), ({"typ": ""}, {None}, False),
        ({"typ": "at+jwt"}, {"JWT", None}, False), ({"typ": "application/application/JWT"}, {"JWT"}, False),
        ({"typ": "text/JWT"}, {"JWT"}, False), ({"typ": ["JWT"]}, {"JWT"}, False),
        ({"typ": {"JWT": 1}}, {"JWT"}, False),
        ({"typ": 1}, {"JWT", None}, False), ({"typ": True}, {"JWT", None}, False), ({"typ": "JWT "}, {"JWT"}, False),
    ],
)  # fmt: skip
def test_typ_is_a_media_type(header: Any, allowed: Any, good: bool) -> None:
    if good:
        require_typ(header, frozenset(allowed))
    else:
        with pytest.raises(InvalidToken):
            require_typ(header, frozenset(allowed))


def test_every_cause_looks_the_same_from_outside() -> None:
    texts = ["", "a.b.c", unsigned(b"x"), unsigned({}, HEADER | {"crit": ["x"]}), unsigned({}) + "."]
    seen = set()
    for text in texts:
        with pytest.raises(InvalidToken) as refusal:
            peek(text)
        seen.add((refusal.value.code, refusal.value.public, refusal.value.status))
    assert seen == {("invalid_token", "The token is not valid.", 401)}
