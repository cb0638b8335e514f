"""Which addresses may be called at all (attack row 13; DESIGN of the outbound guard)."""

from ipaddress import ip_address

import pytest

from identity.messaging.addresses import Reach, reach_of
from identity.messaging.targets import BadAddress, read_target

_NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "169.254.1.1", "168.63.129.16", "100.100.100.200",
    "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::808:808", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:808:808::1", "fe80::1", "fec0::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1", "100::1",
]  # fmt: skip
_PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.254", "fd12::1"]
_LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1"]
_PUBLIC = ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        *((address, Reach.NEVER) for address in _NEVER),
        *((address, Reach.PRIVATE) for address in _PRIVATE),
        *((address, Reach.LOOPBACK) for address in _LOOPBACK),
        *((address, Reach.PUBLIC) for address in _PUBLIC),
    ],
)
def test_reach(address: str, reach: Reach) -> None:
    assert reach_of(ip_address(address)) is reach


@pytest.mark.parametrize(
    "url",
    [
        "", "https:", "https://", "https:///path", "//host/path", "host/path", "/path", "ftp://host/", "file:///etc/passwd",
        "gopher://host/", "javascript:alert(1)", "data:text/plain,x", "https://user@host/", "https://user:pw@host/",
        "https://host@other.example/", "https://host\\@other.example/", "https://host /", "https://ho st/",
        "https://host/\n", "https://host/\tx", "\thttps://host/", " https://host/", "https://host/\x00", "https://hést/",
        "https://①②⑦.⓪.⓪.①/", "https://ⓛocalhost/", "https://host\u3002example/", "https://host/ä", "https://host:/",
        "https://host:0/", "https://host:65536/", "https://host:-1/", "https://host:x/", "https://host./",
        "https://localhost./", "https://127.0.0.1./", "https://.host/", "https://a..b/", "https://-a.example/",
        "https://a-.example/", f"https://{'a' * 64}.example/", f"https://{'a.' * 127}example/", "https://%6cocalhost/",
        "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/",
        "https://127.0.1/", "https://017700000001/", "https://127.0.0.01/", "https://1.2.3.256/", "https://host.0x1/",
        "https://host.1/", "https://[::1/", "https://::1/", "https://[127.0.0.1]/", "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/", "https://[v1.x]/", "https://[::ffff:127.0.0.1]x/", "https://host/" + "a" * 2048,
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(BadAddress) as refused:
        read_target(url)
    assert str(refused.value).startswith("The ")


@pytest.mark.parametrize(
    ("url", "sent", "authority"),
    [
        ("https://Host.Example", "https://host.example/", "host.example"),
        ("https://host.example:443/a", "https://host.example/a", "host.example"),
        ("https://host.example:8443/a?b=c", "https://host.example:8443/a?b=c", "host.example:8443"),
        ("https://host.example/a#fragment", "https://host.example/a", "host.example"),
        ("https://xn--hst-bma.example/", "https://xn--hst-bma.example/", "xn--hst-bma.example"),
        ("https://under_score/", "https://under_score/", "under_score"),
        ("http://[2606:4700::1]:8080/", "http://[2606:4700::1]:8080/", "[2606:4700::1]:8080"),
        ("https://host.example?q", "https://host.example/?q", "host.example"),
        ("http://host.example:80/", "http://host.example/", "host.example"),
    ],
)
def test_what_is_sent_where(url: str, sent: str, authority: str) -> None:
    target = read_target(url)
    assert (target.url, target.authority) == (sent, authority)
