"""Whom the server may call, and for what (decision 29): public https addresses, and what an administrator allowed.

An allowance is for one purpose. It makes private addresses and, where it says so, plain http possible; nothing makes
link-local and metadata addresses possible, and only test mode makes loopback possible.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from identity.config import Purpose, Settings
from identity.errors import ConfigurationError, IdentityError
from identity.messaging.addresses import Address, Reach, reach_of
from identity.messaging.targets import DEFAULT_PORTS, BadAddress, Target, read_target

_UNPRIVILEGED = 1024
_NO_SERVICE = "The address must be https on port 443, or on a port from 1024 up."


class OutboundError(IdentityError):
    """No answer was had. What others are told is the same whatever the cause: it would map our networks."""

    def __init__(self, detail: str) -> None:
        super().__init__("outbound_failed", "The address could not be fetched.", detail=detail)


class OutboundRefused(OutboundError):
    """The address may not be called, and nothing was sent to it."""


class Allowance:
    """Hosts (`name`, `*.name`, `name:port`, `http://name`) and networks. Raises ConfigurationError on another text."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._hosts: dict[tuple[str, int | None], bool] = {}
        """Whether http is allowed, by host and port (None: every port)."""
        for entry in entries:
            self._add(entry)

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ip_network(entry))
            return
        except ValueError:
            pass
        plain = entry.startswith("http://")
        place = entry.removeprefix("http://").removeprefix("https://").lower()
        wildcard = place.startswith("*.")
        try:
            target = read_target(f"http://{place.removeprefix('*.')}")
        except BadAddress:
            target = None
        if target is None or target.path != "/" or place.endswith("/"):
            raise ConfigurationError(f"Setting outbound_allow: {entry!r} is neither a host nor a network.")
        port = target.port if ":" in place.rpartition("]")[2] else None
        self._hosts[f"*.{target.host}" if wildcard else target.host, port] = plain

    def names(self, target: Target, *, plain: bool = False, port: bool = False) -> bool:
        """Whether the host is listed, with `plain` for http, with `port` together with its port."""
        suffixes = target.host.split(".")
        names = [target.host, *("*." + ".".join(suffixes[at:]) for at in range(1, len(suffixes)))]
        found = [
            self._hosts[name, listed]
            for name in names
            for listed in ((target.port,) if port else (target.port, None))
            if (name, listed) in self._hosts
        ]
        return any(found) if plain else bool(found)

    def holds(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


_NOTHING = Allowance()


class OutboundPolicy:
    """Raises ConfigurationError when the settings are wrong."""

    def __init__(self, settings: Settings) -> None:
        self._test_mode = settings.test_mode
        self._allowed = {purpose: Allowance(settings.outbound_allow.get(purpose, ())) for purpose in Purpose}
        files = settings.outbound_ca_file
        self.ca_files: dict[Purpose, Path] = (
            files if isinstance(files, dict) else {} if files is None else dict.fromkeys(Purpose, files)
        )
        for file in set(self.ca_files.values()):
            _check_ca_file(file)

    def check_url(self, url: str, purpose: Purpose, allow: Allowance | None = None) -> str | None:
        """Why this address cannot be used, as a sentence for whoever wrote it; None when it can, as far as its text
        tells: where its name leads is checked at each request.
        """
        try:
            self._read(url, purpose, allow or _NOTHING)
        except BadAddress as error:
            return str(error)
        return None

    def admit(self, url: str, purpose: Purpose, allow: Allowance | None = None) -> Target:
        """Raises OutboundRefused."""
        try:
            return self._read(url, purpose, allow or _NOTHING)
        except BadAddress as error:
            raise OutboundRefused(str(error)) from None

    def _read(self, url: str, purpose: Purpose, extra: Allowance) -> Target:
        target = read_target(url)
        allowances = (self._allowed[purpose], extra)
        at_home = self._test_mode and target.names_loopback
        if target.scheme == "http" and not at_home and not any(each.names(target, plain=True) for each in allowances):
            raise BadAddress("The address must begin with https://.")
        if target.names_loopback and not self._test_mode:
            raise BadAddress("The address must not lead to this machine.")
        if target.literal is not None and not at_home:
            self._check_literal(target, target.literal, allowances)
        service = target.port >= _UNPRIVILEGED or target.port == DEFAULT_PORTS[target.scheme]
        if not service and not any(each.names(target, port=True) for each in allowances):
            raise BadAddress(_NO_SERVICE)
        return target

    def _check_literal(self, target: Target, address: Address, allowances: Sequence[Allowance]) -> None:
        listed = any(each.names(target) or each.holds(address) for each in allowances)
        if not listed or reach_of(address) is Reach.NEVER:
            raise BadAddress("The address must have a host name instead of an IP address.")

    def check_addresses(
        self, target: Target, addresses: Sequence[Address], purpose: Purpose, allow: Allowance | None = None
    ) -> None:
        """Every address that a name leads to must be one that may be called. Raises OutboundRefused."""
        allowances = (self._allowed[purpose], allow or _NOTHING)
        plain = any(each.names(target, plain=True) for each in allowances)
        for address in addresses:
            reach = reach_of(address)
            allowed = reach is Reach.PUBLIC
            if reach is Reach.LOOPBACK:
                allowed = self._test_mode
            elif reach is Reach.PRIVATE:
                allowed = any(each.names(target) or each.holds(address) for each in allowances)
            # Without TLS nobody proves to be whom the name means: this machine, or a host listed for it.
            if target.scheme == "http" and not plain and reach is not Reach.LOOPBACK:
                allowed = False
            if not allowed:
                raise OutboundRefused(f"{target.host} leads to {address}, which may not be called for {purpose}")


def check_url(url: str, purpose: Purpose, settings: Settings) -> str | None:
    """`OutboundPolicy.check_url` where no client is at hand, as on the command line."""
    return OutboundPolicy(settings).check_url(url, purpose)


def _check_ca_file(file: Path) -> None:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"Setting outbound_ca_file: {file} is not a PEM file of certificates: {error}."
        ) from None
