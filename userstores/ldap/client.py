"""One connection to one server, through ldap3. Blocking: runs in the store's threads only.

ldap3 connects, speaks TLS and reads answers; our requests are encoded by `messages`. It has no deadline for an
operation, only for each read, and it wraps every cause in its own exceptions; here each call gets the time that is
left, and failures become sentences that name the server and the cause.
"""

import math
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from userstores.ldap.answers import (
    POLICY_CONTROL,
    REFERRAL,
    SIZE_LIMIT,
    SUCCESS,
    BindAnswer,
    ConnectionBroken,
    DirectoryRefusal,
    DirectoryTimeout,
    Entry,
    Unreachable,
    policy_error,
)
from userstores.ldap.filters import Filter
from userstores.ldap.library import LDAPException, LDAPStartTLSError, ldap3
from userstores.ldap.messages import Scope, bind_request, control, paged_results, search_request
from userstores.ldap.settings import LdapSettings, LdapUrl

PAGED_RESULTS = "1.2.840.113556.1.4.319"
_LAST_MESSAGE_ID = 2**31 - 1
"""RFC 4511 §4.1.1.1. Ids must differ among requests under way, and there is one at a time."""


class VerifiedTls(ldap3.Tls):
    """TLS with one context per store, made by Python's own defaults: certificate and host name are both checked.

    ldap3's own accepts any certificate by default and builds a context (and reads the CA file) for every connection.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(validate=context.verify_mode)
        self._context = context
        self.failure: Exception | None = None

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        # Nagle holds back the first bind until the end of the handshake is acknowledged, which the server's kernel
        # delays by 40 ms: that is the 45 ms an LDAPS bind takes with ldap3 alone.
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.socket = self._context.wrap_socket(
                connection.socket, do_handshake_on_connect=True, server_hostname=connection.server.host
            )
        except (OSError, ValueError) as error:
            self.failure = error
            raise


def tls_context(settings: LdapSettings) -> ssl.SSLContext:
    """Raises Unreachable when the file of authorities cannot be read."""
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(f"The file of certificate authorities {settings.ca_file} cannot be read: {error}.") from error
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class DirectoryConnection:
    """Open until `close`; after any failure it is of no use. `deadline` is a moment of `time.monotonic`."""

    def __init__(self, url: LdapUrl, settings: LdapSettings, context: ssl.SSLContext, deadline: float) -> None:
        """Connects and, where set, does the TLS handshake. Raises Unreachable, DirectoryTimeout."""
        self.url = url
        self._settings = settings
        self.used_at = time.monotonic()
        seconds = _left(deadline, url)
        self._tls = VerifiedTls(context)
        self._message_id = 0
        server = ldap3.Server(
            url.host,
            url.port,
            use_ssl=url.tls,
            tls=self._tls,
            get_info=ldap3.NONE,
            mode=ldap3.IP_SYSTEM_DEFAULT,
            connect_timeout=seconds,
        )
        self._ldap = ldap3.Connection(
            server,
            client_strategy=ldap3.SAFE_SYNC,
            authentication=ldap3.ANONYMOUS,
            auto_bind=ldap3.AUTO_BIND_NONE,
            auto_referrals=False,
            check_names=False,
            return_empty_attributes=False,
            # ldap3 packs it as a whole number of seconds; `_timed` sets what is really left.
            receive_timeout=math.ceil(seconds),
        )
        self._open(deadline)

    def search(
        self, base: str, tree: Filter, attributes: Sequence[str], limit: int, deadline: float, scope: Scope = "SUBTREE"
    ) -> list[Entry]:
        """At most `limit` entries; referrals to other servers are left out, never followed."""
        request = search_request(
            self._next_id(),
            base,
            scope,
            tree,
            attributes,
            size_limit=limit,
            time_limit=math.ceil(self._settings.read_seconds),
        )
        response, result = self._exchange(request, deadline, "a search")
        self._expect(result, base, SUCCESS, SIZE_LIMIT)
        return _entries(response)

    def search_pages(
        self, base: str, tree: Filter, attributes: Sequence[str], page: int, deadline: float
    ) -> Iterator[list[Entry]]:
        """All entries, in pages (RFC 2696)."""
        cookie = b""
        while True:
            controls = control(PAGED_RESULTS, paged_results(page, cookie))
            request = search_request(self._next_id(), base, "SUBTREE", tree, attributes, controls=controls)
            response, result = self._exchange(request, deadline, "a search")
            self._expect(result, base, SUCCESS)
            yield _entries(response)
            cookie = result.get("controls", {}).get(PAGED_RESULTS, {}).get("value", {}).get("cookie") or b""
            if not cookie:
                return

    def bind(self, dn: str, password: str, deadline: float) -> BindAnswer:
        """A simple bind that asks for the password policy's word. Raises ValueError for an empty name or password."""
        request = bind_request(self._next_id(), dn, password.encode(), control(POLICY_CONTROL))
        _, result = self._exchange(request, deadline, "a bind")
        policy = result.get("controls", {}).get(POLICY_CONTROL, {}).get("value")
        error = policy_error(policy) if isinstance(policy, bytes) else None
        return BindAnswer(result["result"], result.get("message") or "", error)

    def bind_service(self, deadline: float) -> None:
        """Bind as the store's service account, if it has one. Raises DirectoryRefusal."""
        settings = self._settings
        if not settings.bind_dn:
            return
        answer = self.bind(settings.bind_dn, settings.bind_password, deadline)
        if answer.code != SUCCESS:
            raise DirectoryRefusal(
                f"{self.url} refuses the service account {settings.bind_dn}: {_named(answer.code, answer.message)}."
            )

    def abort(self) -> None:
        """End the connection under a thread that waits on it: its read fails at once. May be called from anywhere."""
        opened = self._ldap.socket
        if opened is not None:
            with suppress(OSError, ValueError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    def close(self) -> None:
        """Without the farewell of RFC 4511 §4.3: a frozen server would make us wait to say it."""
        opened, self._ldap.socket = self._ldap.socket, None
        if opened is not None:
            with suppress(OSError):
                opened.close()

    def _open(self, deadline: float) -> None:
        url = self.url
        try:
            socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable(f"The name {url.host} cannot be resolved to an address.") from None
        try:
            self._ldap.open(read_server_info=False)
            self._ldap.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._settings.start_tls:
                self._ldap.socket.settimeout(_left(deadline, url))
                self._ldap.start_tls(read_server_info=False)
        except Exception as error:  # ldap3 lets decoding errors of a stranger's answer through as they come
            self.close()
            raise self._open_failure(error) from error

    def _open_failure(self, error: Exception) -> Exception:
        url, cause = self.url, self._tls.failure or error
        if isinstance(error, DirectoryTimeout):
            return error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(f"{url}: the certificate is not accepted: {cause.verify_message}. {_ADVICE}")
        if isinstance(cause, TimeoutError) or "timed out" in str(cause):
            return DirectoryTimeout(f"{url} does not answer within {self._settings.connect_seconds:g} s.")
        if isinstance(cause, ConnectionRefusedError) or "refused" in str(cause):
            return Unreachable(f"{url} refuses connections: nothing listens on port {url.port} of {url.host}.")
        if isinstance(cause, LDAPStartTLSError):
            return Unreachable(f"{url} does not offer StartTLS: {cause}.")
        if self._tls.failure is not None:
            return Unreachable(f"{url} does not complete a TLS handshake on this port: {cause}.")
        return Unreachable(f"{url} cannot be reached: {cause}.")

    def _next_id(self) -> int:
        self._message_id = self._message_id % _LAST_MESSAGE_ID + 1
        return self._message_id

    def _exchange(self, request: bytes, deadline: float, what: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Send, and wait in the time that is left; what ldap3 raises becomes ours. The entries, and the result."""
        seconds = min(self._settings.read_seconds, _left(deadline, self.url))
        strategy = self._ldap.strategy
        try:
            self._ldap.socket.settimeout(seconds)
            # ldap3 reads answers only to questions that it knows of.
            strategy._outstanding[self._message_id] = {}
            self._ldap.socket.sendall(request)
            entries, result = strategy.get_response(self._message_id)
        except Exception as error:
            if "timed out" in str(error):
                raise DirectoryTimeout(f"{self.url} did not answer {what} within {seconds:.1f} s.") from error
            if isinstance(error, LDAPException | OSError | AttributeError):
                raise ConnectionBroken(f"{self.url} ended the connection during {what}: {error}.") from error
            raise ConnectionBroken(f"{self.url} answered {what} with something that is not LDAP: {error!r}.") from error
        self.used_at = time.monotonic()
        return entries, result

    def _expect(self, result: dict[str, Any], base: str, *codes: int) -> None:
        code = result["result"]
        if code in codes:
            return
        if code == REFERRAL:
            raise DirectoryRefusal(f"{self.url} refers to another server for {base}; referrals are not followed.")
        raise DirectoryRefusal(f"{self.url} refuses to search {base}: {_named(code, result.get('message') or '')}.")


_ADVICE = "Set ca_file to the authority that issued it, and use the host name that it carries."
_CODES = {
    8: "it demands stronger authentication",
    11: "an administrative limit was exceeded",
    13: "it demands TLS",
    3: "its time limit was exceeded",
    32: "there is no such entry, or the service account may not see it",
    34: "the name is not a valid DN",
    49: "wrong name or password",
    50: "the account has not the right to",
    51: "it is busy",
    52: "it is unavailable",
    53: "it is unwilling",
}


def _named(code: int, message: str) -> str:
    text = _CODES.get(code, "an error")
    return f"{text} (result {code}{', ' + message if message else ''})"


def _left(deadline: float, url: LdapUrl) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise DirectoryTimeout(f"no time was left to ask {url}")
    return seconds


def _entries(response: Sequence[dict[str, Any]] | None) -> list[Entry]:
    return [
        Entry(each["dn"], _attributes(each["raw_attributes"]))
        for each in response or ()
        if each.get("type") == "searchResEntry"
    ]


def _attributes(raw: dict[str, Sequence[bytes]]) -> dict[str, tuple[bytes, ...]]:
    return {name.lower(): tuple(values) for name, values in raw.items()}
