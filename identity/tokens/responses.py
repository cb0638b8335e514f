"""Answers as JWT: signed by the tenant, then encrypted to the application where it asked for that.

ID tokens and userinfo (OpenID Connect Core §10), JARM (§2.2), introspection (RFC 9701 §5), metadata (RFC 8414 §2.1).
"""

from identity.domain.applications import Application
from identity.storage.configuration import TenantConfiguration
from identity.tokens.client_keys import ClientKeys
from identity.tokens.compact import Claims, InvalidToken
from identity.tokens.keyring import Keyring

DEFAULT_ENCRYPTION = "A128GCM"
"""Where an application names an `alg` and no `enc`. The specifications' default, A128CBC-HS256, is not offered."""


class ResponseTokens:
    def __init__(self, keyring: Keyring, client_keys: ClientKeys) -> None:
        self._keyring = keyring
        self._client_keys = client_keys

    async def protect(
        self,
        tenant: TenantConfiguration,
        application: Application,
        claims: Claims,
        *,
        typ: str,
        sign: str | None,
        encrypt_alg: str | None = None,
        encrypt_enc: str | None = None,
    ) -> str:
        """A JWS of type `typ`; with `encrypt_alg` a JWE with it inside, without `sign` a JWE of the claims.

        Raises NoEncryptionKey when the application's keys cannot be had or none of them fits.
        """
        if sign is None and encrypt_alg is None:
            raise ValueError("neither signed nor encrypted")
        signed = None if sign is None else self._keyring.of(tenant).signing(sign).sign(claims, typ)
        if encrypt_alg is None:
            assert signed is not None
            return signed
        from identity.tokens.encryption import NoEncryptionKey, encrypt

        try:
            keys = await self._client_keys.keys_of(application, kid=None)
        except InvalidToken as error:
            raise NoEncryptionKey(encrypt_alg, error.detail) from None
        encryption = encrypt_enc or DEFAULT_ENCRYPTION
        if signed is None:
            return encrypt(claims, keys, encrypt_alg, encryption)
        # RFC 7519 §5.2, OpenID Connect Core §10.2: signed first, and `cty` says that there is a JWT inside.
        return encrypt(signed, keys, encrypt_alg, encryption, cty="JWT")
