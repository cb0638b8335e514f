"""An issuer that a tenant trusts, with a key of its own: makes the JWTs that are exchanged or asserted."""

import time
from typing import Any

from identity.administration.trusted_issuers import create_trusted_issuer, update_trusted_issuer
from tests.support.builders import Site
from tests.support.key_holder import KeyHolder, new_jti

ISSUER = "https://idp.example"


class Trusted:
    """Registered with `settings` in the tenant of `site`."""

    def __init__(self, site: Site, *, issuer: str = ISSUER, algorithm: str = "ES256", **settings: Any) -> None:
        self.site = site
        self.issuer = issuer
        self.holder = KeyHolder(algorithm)
        if not settings.keys() & {"jwks_uri", "certificate"}:
            settings.setdefault("jwks", self.holder.jwks)
        if settings.get("linked_account", "required") != "none":
            settings.setdefault("lookup_claims", ("username",))
        site.in_tenant(lambda a, t: create_trusted_issuer(a, t, name=issuer, issuer=issuer, **settings))

    def update(self, **settings: Any) -> None:
        self.site.in_tenant(lambda a, t: update_trusted_issuer(a, t, self.issuer, settings))

    def token(self, *, typ: str | None = "JWT", now: float | None = None, **claims: Any) -> str:
        """About jane, for the site's issuer, good for five minutes; None leaves a claim out."""
        at = int(time.time() if now is None else now)
        told: dict[str, Any] = {
            "iss": self.issuer, "sub": "jane-at-idp", "preferred_username": "jane", "aud": self.site.issuer, "iat": at,
            "exp": at + 300, "jti": new_jti(),
        }  # fmt: skip
        return self.holder.sign({"kid": self.holder.kid, "typ": typ}, told | claims)
