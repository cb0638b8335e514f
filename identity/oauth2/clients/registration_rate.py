"""How many clients one address may bring: by registration, or as the address of their metadata."""

from identity.oauth2.errors import TooManyRequests
from identity.telemetry import Metrics
from identity.web.client_address import limit_key
from identity.web.messages import Request
from identity.web.rate_limits import RateLimits


class RegistrationRate:
    def __init__(self, limits: RateLimits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics

    def count(self, request: Request) -> None:
        """Count one by the tenant's `registration_limit_address`. Raises TooManyRequests."""
        limit = request.tenant.settings.registration_limit_address
        key = (request.tenant.id, f"register {limit_key(request.address)}")
        if not self._limits.allow(key, limit):
            self._metrics.limited("registration")
            raise TooManyRequests(self._limits.retry_after(key, limit))
