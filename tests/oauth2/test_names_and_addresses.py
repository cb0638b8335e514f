"""Names in certificates (RFC 4514) and addresses in proofs (RFC 3986): two spellings of one are equal, others not."""

import pytest

from identity.domain.distinguished_names import parse_name
from identity.tokens.dpop import normalised


@pytest.mark.spec("RFC 4514", "4")
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("UID=jsmith,DC=example,DC=net", [[("UID", "jsmith")], [("DC", "example")], [("DC", "net")]]),
        (
            "OU=Sales+CN=J.  Smith,DC=example,DC=net",
            [[("OU", "sales"), ("CN", "j. smith")], [("DC", "example")], [("DC", "net")]],
        ),
        (
            r"CN=James \"Jim\" Smith\, III,DC=example,DC=net",
            [[("CN", 'james "jim" smith, iii')], [("DC", "example")], [("DC", "net")]],
        ),
        (r"CN=Before\0dAfter,DC=example,DC=net", [[("CN", "before after")], [("DC", "example")], [("DC", "net")]]),
        (r"CN=Lu\C4\8Di\C4\87", [[("CN", "lučić")]]),
        ("1.3.6.1.4.1.1466.0=#0C024869", [[("1.3.6.1.4.1.1466.0", "hi")]]),
    ],
)
def test_names_of_the_specification(text: str, name: list[list[tuple[str, str]]]) -> None:
    types = {"UID": "0.9.2342.19200300.100.1.1", "DC": "0.9.2342.19200300.100.1.25", "CN": "2.5.4.3", "OU": "2.5.4.11"}
    assert parse_name(text) == tuple(frozenset((types.get(kind, kind), value) for kind, value in rdn) for rdn in name)


@pytest.mark.spec("RFC 5280", "7.1")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=a,O=b", "cn = A , o= B "),
        ("CN=a,O=b", "2.5.4.3=a,2.5.4.10=b"),
        ("CN=a,O=b", "CN=#0c0161,O=#130162"),
        ("CN=a+O=b", "O=b+CN=a"),
        ("CN=Straße", "CN=STRASSE"),
        (r"CN=a\2cb", r"CN=a\,b"),
        ("emailAddress=a@b.example", "E=a@b.example"),
    ],
)
def test_spellings_of_one_name(one: str, other: str) -> None:
    assert parse_name(one) == parse_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=a,O=b", "O=b,CN=a"),
        ("CN=a,O=b", "CN=a+O=b"),
        ("CN=a,O=b", "CN=a"),
        (r"CN=a\,O=b", "CN=a,O=b"),
        ("CN=a", "OU=a"),
        ("CN=a b", "CN=ab"),
    ],
)
def test_other_names(one: str, other: str) -> None:
    assert parse_name(one) != parse_name(other)


@pytest.mark.parametrize(
    "text",
    [
        "", "CN", "CN=a,", ",CN=a", "CN=a,,O=b", "X=a", "1=a", "CN=a;O=b", 'CN="a"', r"CN=a\zz", "CN=a\\", r"CN=\ff",
        "CN=#04024869", "CN=#0c0548", "CN=#0", "CN=#0c", "CN=#0c84ffffffff61", "CN=a\0b", "CN=" + "a" * 2048, "=a",
    ],
)  # fmt: skip
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_name(text)


@pytest.mark.spec("RFC 3986", "6.2.2")
@pytest.mark.spec("RFC 3986", "6.2.3")
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://server.example.com/token", "https://server.example.com/token"),
        ("HTTPS://Server.Example.com:443/token?a=b#c", "https://server.example.com/token"),
        ("https://server.example.com", "https://server.example.com/"),
        ("https://server.example.com?a", "https://server.example.com/"),
        ("http://server.example.com:80/", "http://server.example.com/"),
        ("http://server.example.com:443/", "http://server.example.com:443/"),
        ("https://server.example.com:/a", "https://server.example.com/a"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://a.example/%7Ejoe/%2f%c3%a9", "https://a.example/~joe/%2F%C3%A9"),
        ("https://a.example/a/./b/../../c", "https://a.example/c"),
        ("https://a.example/../../a/..", "https://a.example/"),
        ("https://a.example/a/b/.", "https://a.example/a/b/"),
        ("https://a.example//a", "https://a.example//a"),
    ],
)
def test_addresses(uri: str, expected: str) -> None:
    assert normalised(uri) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "", "/token", "token", "//a.example/token", "ftp://a.example/", "https:///token", "https://", "urn:a:b",
        "https://user@a.example/", "https://a.example:x/", "https://a.example:99999/", "https://a .example/",
        "https://a.example/\n", "\thttps://a.example/", "https://a.example/é", "https://[::1/", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_what_is_no_address_of_ours(uri: str) -> None:
    assert normalised(uri) == ""
