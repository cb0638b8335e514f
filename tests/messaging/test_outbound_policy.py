"""What administrators allow, for whom, and what nobody can allow (decision 29)."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from identity.config import Purpose, Settings
from identity.errors import ConfigurationError
from identity.messaging.guarded_client import check_url
from identity.messaging.outbound_policy import Allowance, OutboundPolicy, OutboundRefused

CLIENT = Purpose.CLIENT_METADATA


def policy(*allowed: str, purpose: Purpose = CLIENT, **settings: Any) -> OutboundPolicy:
    return OutboundPolicy(Settings(outbound_allow={purpose: allowed}, **settings))


def may_call(with_policy: OutboundPolicy, url: str, *addresses: str, purpose: Purpose = CLIENT) -> bool:
    """Both halves: the text of the address, and where its name leads."""
    if with_policy.check_url(url, purpose) is not None:
        return False
    try:
        with_policy.check_addresses(
            with_policy.admit(url, purpose), [ip_address(address) for address in addresses], purpose
        )
    except OutboundRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("allowed", "url", "address"),
    [
        ("am.example", "https://am.example/", "10.0.0.1"),
        ("am.example", "https://AM.example:9443/", "fd12::1"),
        ("*.example", "https://a.b.example/", "10.0.0.1"),
        ("am.example:9443", "https://am.example:9443/", "10.0.0.1"),
        ("am.example:943", "https://am.example:943/", "10.0.0.1"),
        ("10.0.0.0/8", "https://am.example/", "10.0.0.1"),
        ("10.0.0.1", "https://10.0.0.1/", "10.0.0.1"),
        ("fd12::/16", "https://[fd12::1]/", "fd12::1"),
        ("https://am.example", "https://am.example/", "10.0.0.1"),
        ("http://am.example", "http://am.example/", "10.0.0.1"),
        ("http://am.example", "https://am.example/", "10.0.0.1"),
        ("http://am.example:9763", "http://am.example:9763/", "8.8.8.8"),
        ("http://10.0.0.1:9763", "http://10.0.0.1:9763/", "10.0.0.1"),
    ],
)
def test_an_administrator_allows_a_host_or_network(allowed: str, url: str, address: str) -> None:
    assert may_call(policy(allowed), url, address)
    assert not may_call(policy(), url, address)
    # For one purpose is not for another.
    assert not may_call(policy(allowed, purpose=Purpose.NOTIFY), url, address)
    # One call may bring its own.
    bare = policy()
    bare.check_addresses(
        bare.admit(url, CLIENT, Allowance([allowed])), [ip_address(address)], CLIENT, Allowance([allowed])
    )


@pytest.mark.parametrize(
    ("allowed", "url", "address"),
    [
        ("am.example", "https://other.example/", "10.0.0.1"),
        ("am.example", "https://x.am.example/", "10.0.0.1"),
        ("*.am.example", "https://am.example/", "10.0.0.1"),
        ("*.am.example", "https://xam.example/", "10.0.0.1"),
        ("am.example:9443", "https://am.example/", "10.0.0.1"),
        ("am.example", "http://am.example/", "10.0.0.1"),
        ("10.0.0.0/8", "http://am.example/", "10.0.0.1"),
        ("http://am.example:9763", "http://am.example:9764/", "10.0.0.1"),
        ("10.0.0.0/16", "https://am.example/", "10.1.0.1"),
        ("am.example", "https://am.example:25/", "10.0.0.1"),
        # What nobody can allow.
        ("am.example", "https://am.example/", "127.0.0.1"),
        ("127.0.0.0/8", "https://127.0.0.1/", "127.0.0.1"),
        ("localhost", "https://localhost/", "127.0.0.1"),
        ("0.0.0.0/0", "https://am.example/", "169.254.169.254"),
        ("0.0.0.0/0", "https://169.254.169.254/", "169.254.169.254"),
        ("metadata.example", "https://metadata.example/", "169.254.169.254"),
        ("::/0", "https://am.example/", "fd00:ec2::254"),
        ("::/0", "https://am.example/", "::ffff:10.0.0.1"),
        ("::/0", "https://am.example/", "64:ff9b::a00:1"),
    ],
)
def test_what_is_not_allowed_stays_refused(allowed: str, url: str, address: str) -> None:
    assert not may_call(policy(allowed), url, address)


def test_every_address_of_a_name_counts() -> None:
    assert may_call(policy(), "https://host.example/", "8.8.8.8", "2606:4700::1")
    assert not may_call(policy(), "https://host.example/", "8.8.8.8", "10.0.0.1")
    assert not may_call(policy("10.0.0.0/8"), "https://host.example/", "10.0.0.1", "127.0.0.1")


@pytest.mark.parametrize(
    "url",
    [
        "http://host.example/", "https://8.8.8.8/", "https://10.0.0.1/", "https://127.0.0.1/", "https://[::1]/",
        "https://localhost/", "https://a.localhost/", "http://localhost:8080/", "https://host.example:25/",
        "https://host.example:80/", "https://host.example:1023/",
    ],
)  # fmt: skip
def test_an_address_that_may_not_be_registered(url: str) -> None:
    reason = policy().check_url(url, CLIENT)
    assert reason is not None
    assert reason.startswith("The address")
    assert check_url(url, CLIENT, Settings()) == reason


def test_addresses_that_may_be_registered() -> None:
    for url in ("https://host.example/", "https://host.example:8443/jwks?x=1", "https://host/"):
        assert policy().check_url(url, CLIENT) is None


@pytest.mark.parametrize("purpose", list(Purpose))
def test_test_mode_opens_loopback_and_nothing_else(purpose: Purpose) -> None:
    test = OutboundPolicy(Settings(test_mode=True))
    for url, address in (
        ("http://localhost:9000/", "127.0.0.1"),
        ("http://127.0.0.1:9000/", "127.0.0.1"),
        ("https://[::1]:9000/", "::1"),
        ("https://host.example/", "127.0.0.1"),
    ):
        assert may_call(test, url, address, purpose=purpose)
    for url, address in (
        ("http://host.example/", "127.0.0.1"),
        ("http://localhost/", "8.8.8.8"),
        ("https://localhost/", "10.0.0.1"),
        ("https://localhost/", "169.254.169.254"),
        ("http://10.0.0.1/", "10.0.0.1"),
    ):
        assert not may_call(test, url, address, purpose=purpose)


@pytest.mark.parametrize(
    "entry",
    ["", "a b", "host/path", "10.0.0.0/33", "10.0.0.1/8", "ftp://host", "user@host", "host:", "*", "*.*.x", "ho*st"],
)
def test_an_allowance_that_cannot_be_read_refuses_to_start(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="outbound_allow"):
        policy(entry)


def test_a_file_of_authorities_that_cannot_be_read_refuses_to_start(tmp_path: Path, ca_file: Path) -> None:
    OutboundPolicy(Settings(outbound_ca_file=ca_file))
    OutboundPolicy(Settings(outbound_ca_file={Purpose.NOTIFY: ca_file}))
    (tmp_path / "empty.pem").touch()
    for file in (tmp_path / "none.pem", tmp_path / "empty.pem", tmp_path):
        with pytest.raises(ConfigurationError, match="outbound_ca_file"):
            OutboundPolicy(Settings(outbound_ca_file={Purpose.NOTIFY: file}))
