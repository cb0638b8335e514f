"""ID tokens (OpenID Connect Core §2, §3.1.3.6)."""

import hashlib
from typing import Any

from identity.clock import Clock, seconds
from identity.domain.applications import Application
from identity.secrets import base64url
from identity.storage.configuration import TenantConfiguration
from identity.tokens.addresses import issuer_of
from identity.tokens.algorithms import SIGNATURES
from identity.tokens.responses import ResponseTokens


class IdTokenIssuer:
    def __init__(self, responses: ResponseTokens, base_url: str, clock: Clock) -> None:
        self._responses = responses
        self._base_url = base_url
        self._clock = clock

    async def id_token(
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
        code: str | None = None,
        state: str | None = None,
    ) -> str:
        """An ID token, signed, and encrypted where the application asked for that.

        `subject` as the application sees it, `auth_time` µs, `amr` space-separated, `claims` what else the grant shows;
        `code` and `state` of the authorization response that it comes with. Raises NoEncryptionKey.
        """
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
        algorithm = application.id_token_algorithm or tenant.settings.default_algorithm
        for name, value in (("at_hash", access_token), ("c_hash", code), ("s_hash", state)):
            if value is not None:
                content[name] = left_half_hash(value, algorithm)
        return await self._responses.protect(
            tenant,
            application,
            content,
            typ="JWT",
            sign=algorithm,
            encrypt_alg=application.id_token_encrypted_response_alg,
            encrypt_enc=application.id_token_encrypted_response_enc,
        )


def left_half_hash(value: str, algorithm: str) -> str:
    """`at_hash`, `c_hash`, `s_hash`: the left half of the hash of the ID token's algorithm, base64url.

    OpenID Connect Core §3.1.3.6, §3.3.2.11; FAPI 1.0 Part 2 §5.1. EdDSA: SHA-512 (Ed25519 uses it, RFC 8032 §5.1).
    """
    digest = hashlib.new(SIGNATURES[algorithm].hash, value.encode()).digest()
    return base64url(digest[: len(digest) // 2])
