"""The only way out: HTTP requests to addresses that others may have chosen (attack row 13, decision 29).

A name is resolved once, every address it leads to is checked, and the connection goes to a checked address, so a
second answer of the name server changes nothing; the certificate is still checked against the name. No redirects,
cookies, proxies from the environment, or decompression; the answer's size, its pieces and the whole time are bounded.

h11 over plain streams instead of httpx: a connection per request is all that is wanted, and so nothing that a client
library does by itself (redirects, proxies, pools, decoders) has to be switched off.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from identity.config import Purpose, Settings
from identity.messaging.addresses import Address
from identity.messaging.exchange import Answer, OutboundFailed, Request, make_request, read_answer
from identity.messaging.lanes import Lane, Resolve, resolve_name
from identity.messaging.outbound_policy import Allowance, OutboundError, OutboundPolicy, OutboundRefused, check_url
from identity.messaging.targets import Target
from identity.storage.database import forbid_in_transaction
from identity.telemetry import get_logger

if TYPE_CHECKING:
    from ssl import SSLContext


__all__ = [
    "Allowance", "Answer", "GuardedClient", "OutboundError", "OutboundFailed", "OutboundRefused", "Purpose",
    "check_url",
]  # fmt: skip

MAXIMUM_BODY = 65_536
TIMEOUT_SECONDS = 5.0
CONNECT_SECONDS = 2.0
MAXIMUM_ADDRESSES = 4
"""Of a name, tried one after the other."""


class GuardedClient:
    """Raises ConfigurationError when the outbound settings are wrong."""

    def __init__(self, settings: Settings, *, resolve: Resolve = resolve_name) -> None:
        self._policy = OutboundPolicy(settings)
        self._lanes = {purpose: Lane(resolve) for purpose in Purpose}
        self._contexts: dict[Purpose, SSLContext] = {}
        self._log = get_logger("identity.messaging.guarded_client")

    def check_url(self, url: str, purpose: Purpose) -> str | None:
        """Why this address may not be registered, as a sentence for a developer; None when it may.

        It looks at the text only: nothing is resolved or sent.
        """
        return self._policy.check_url(url, purpose)

    async def fetch(
        self,
        url: str,
        *,
        purpose: Purpose,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        limit: int = MAXIMUM_BODY,
        timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109  waiting, name, connection and answer together
        allow: Allowance | None = None,
    ) -> Answer:
        """The answer, whatever its status; a redirect is one like others. `timeout` in seconds.

        `limit` in bytes: a longer body is a failure; with 0 the body is not read, and only the status counts. `allow`
        adds to what the settings allow for this purpose. Raises OutboundRefused when nothing was sent because the
        address is not allowed, and OutboundFailed.
        """
        forbid_in_transaction("an outbound request")
        try:
            target = self._policy.admit(url, purpose, allow)
            request = make_request(target, method, headers, body)
            async with asyncio.timeout(timeout), self._lanes[purpose].place(target.host):
                addresses = await self._addresses(target, purpose, allow)
                return await self._exchange(target, addresses, purpose, request, limit)
        except OutboundRefused as error:
            if purpose != Purpose.SCRIPT:
                # What a script asks for may hold what somebody typed: whoever runs it says so, without that.
                self._log.warning("outbound request refused", purpose=purpose.value, reason=error.detail)
            raise
        except TimeoutError:
            raise OutboundFailed(f"{target.authority}: no answer within {timeout:g} s") from None
        except OSError as error:  # a name that does not resolve, a connection, a certificate
            raise OutboundFailed(f"{target.authority}: {type(error).__name__} {error}") from error

    async def _addresses(self, target: Target, purpose: Purpose, allow: Allowance | None) -> Sequence[Address]:
        literal = target.literal
        found = [literal] if literal else await self._lanes[purpose].look_up(target.host, target.port)
        if not found:
            raise OutboundFailed(f"{target.authority}: the name has no address")
        self._policy.check_addresses(target, found, purpose, allow)
        return found

    async def _exchange(
        self, target: Target, addresses: Sequence[Address], purpose: Purpose, request: Request, limit: int
    ) -> Answer:
        context = await self._context(purpose) if target.scheme == "https" else None
        reader, writer = await _connect(target, addresses, context)
        try:
            writer.write(request.head_and_body)
            await writer.drain()
            return await read_answer(request.connection, reader, target, limit)
        finally:
            # Not `close`: it would wait for what a slow peer still has to take or say.
            writer.transport.abort()

    async def _context(self, purpose: Purpose) -> "SSLContext":
        if purpose not in self._contexts:
            # Reading the system's authorities takes some 30 ms.
            self._contexts[purpose] = await asyncio.to_thread(self._make_context, purpose)
        return self._contexts[purpose]

    def _make_context(self, purpose: Purpose) -> "SSLContext":
        import ssl

        context = ssl.create_default_context()
        if purpose in self._policy.ca_files:
            context.load_verify_locations(self._policy.ca_files[purpose])
        context.set_alpn_protocols(["http/1.1"])
        return context

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.close()


async def _connect(
    target: Target, addresses: Sequence[Address], context: "SSLContext | None"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first of the checked addresses that answers. Raises OSError."""
    failure: OSError = OSError("no address")
    for address in addresses[:MAXIMUM_ADDRESSES]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                # An address, not a name: nothing is looked up a second time.
                return await asyncio.open_connection(
                    str(address), target.port, ssl=context, server_hostname=target.host if context else None
                )
        except OSError as error:  # TimeoutError and ssl.SSLError too
            failure = error if str(error) else OSError(f"{address}: no connection within {CONNECT_SECONDS:g} s")
    raise failure
