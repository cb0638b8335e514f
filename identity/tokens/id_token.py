"""ID tokens (OpenID Connect Core §2, §3.1.3.6)."""

import base64
import hashlib
from typing import Any

from identity.clock import Clock, seconds
from identity.domain.applications import Application
from identity.storage.configuration import TenantConfiguration
from identity.tokens.addresses import issuer_of
from identity.tokens.keyring import Keyring


class IdTokenIssuer:
    def __init__(self, keyring: Keyring, base_url: str, clock: Clock) -> None:
        self._keyring = keyring
        self._base_url = base_url
        self._clock = clock

    def id_token(
        self,
        tenant: TenantConfiguration,
        application: Application,
        *,
        subject: str,
        auth_time: int,
        acr: str,
        amr: str,
        nonce: str | None,
        session: str | None,
        access_token: str | None,
        claims: dict[str, Any],
    ) -> str:
        """A signed ID token. `auth_time` µs, `amr` space-separated, `claims` what else the grant shows."""
        now = seconds(self._clock.now())
        content: dict[str, Any] = {
            **claims,
            "iss": issuer_of(self._base_url, tenant.tenant),
            "sub": subject,
            "aud": application.client_id,
            "azp": application.client_id,
            "iat": now,
            "exp": now + application.id_token_lifetime,
            "auth_time": seconds(auth_time),
            "acr": acr,
            "amr": amr.split(),
        }
        if nonce is not None:
            content["nonce"] = nonce
        if session is not None:
            content["sid"] = session
        if access_token is not None:
            content["at_hash"] = left_half_hash(access_token)
        algorithm = application.id_token_algorithm or tenant.settings.default_algorithm
        return self._keyring.of(tenant).signing(algorithm).sign(content, "JWT")


def left_half_hash(value: str) -> str:
    """`at_hash`: the left half of SHA-256, base64url (OpenID Connect Core §3.1.3.6); all our algorithms are -256."""
    digest = hashlib.sha256(value.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
