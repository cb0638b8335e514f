"""Attack rows 20 and 21: who is believed about the client's address, and one spelling per address."""

import pytest

from identity.errors import ConfigurationError
from identity.web.client_address import UNKNOWN, ClientAddress, canonical, limit_key

NOBODY = ClientAddress(())
PROXIES = ClientAddress(("10.0.0.0/8", "::1", "2001:db8:ffff::/48"))


@pytest.mark.parametrize("header", ["1.2.3.4", "127.0.0.1", "10.0.0.1, 1.2.3.4", ""])
def test_nobody_is_believed_by_default(header: str) -> None:
    assert NOBODY.resolve("9.9.9.9", [header]) == "9.9.9.9"
    assert PROXIES.resolve("9.9.9.9", [header]) == "9.9.9.9"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4, 10.9.9.9"], "1.2.3.4"),
        (["garbage, 1.2.3.4"], "1.2.3.4"),
        (["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (["::ffff:1.2.3.4"], "1.2.3.4"),
        (["[2001:DB8:0::1]:443"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["1.2.3.4:5678"], "1.2.3.4"),
        (["\t1.2.3.4 "], "1.2.3.4"),
    ],
)
def test_a_trusted_proxy_names_the_last_stranger(headers: list[str], expected: str) -> None:
    assert PROXIES.resolve("10.0.0.7", headers) == expected
    assert PROXIES.resolve("::1", headers) == expected
    assert PROXIES.resolve("::ffff:10.0.0.7", headers) == expected


@pytest.mark.parametrize(
    "hop",
    ["", " ", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "01.2.3.4", "0x7f.0.0.1", "1.2.3.4:", "1.2.3.4:x",
     "1.2.3.4:99999999", "[::1", "::1]", "[1.2.3.4]", "[::1]x", "fe80::1%eth0", "١.٢.٣.٤", "1.2.3.4\0", "1.2.3.4;drop",
     "a" * 10_000, "::ffff:1.2.3.4%1"],
)  # fmt: skip
def test_garbage_from_a_proxy_gives_the_proxys_own_address(hop: str) -> None:
    assert PROXIES.resolve("10.0.0.7", [hop]) == "10.0.0.7"
    assert PROXIES.resolve("10.0.0.7", [f"1.2.3.4, {hop}"]) == "10.0.0.7"
    assert PROXIES.resolve("10.0.0.7", [f"1.2.3.4, {hop}, 10.3.3.3"]) == "10.0.0.7"


def test_too_many_hops() -> None:
    assert PROXIES.resolve("10.0.0.7", ["1.2.3.4," * 40 + "1.2.3.4"]) == "10.0.0.7"


def test_a_request_as_the_server_sees_it() -> None:
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"host", b"a"), (b"x-forwarded-for", b"1.2.3.4")]
    assert PROXIES.of(("10.0.0.7", 1), headers) == "1.2.3.4"
    assert NOBODY.of(("10.0.0.7", 1), headers) == "10.0.0.7"
    assert PROXIES.of(None, headers) == UNKNOWN
    assert PROXIES.of(("not an address", 1), headers) == UNKNOWN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2001:0DB8:0000::0001", "2001:db8::1"),
        ("::FFFF:1.2.3.4", "1.2.3.4"),
        ("::ffff:102:304", "1.2.3.4"),
        ("fe80::1%eth0", "fe80::1"),
        ("1.2.3.4", "1.2.3.4"),
        ("localhost", ""),
        ("", ""),
    ],
)
def test_one_spelling(text: str, expected: str) -> None:
    assert canonical(text) == expected


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("garbage", UNKNOWN),
    ],
)
def test_what_limits_count(address: str, key: str) -> None:
    assert limit_key(address) == key


@pytest.mark.parametrize("trusted", ["nginx", "10.0.0.1/8", "", "300.1.1.1"])
def test_a_wrong_setting_is_refused(trusted: str) -> None:
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        ClientAddress((trusted,))
