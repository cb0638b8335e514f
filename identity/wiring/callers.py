"""How applications and holders of tokens show who they are: secrets, assertions, certificates, DPoP proofs."""

from identity.administration.context import Administration
from identity.config import Settings
from identity.oauth2.clients.client_assertion import ClientAssertions
from identity.oauth2.clients.client_authentication import ClientAuthentication
from identity.oauth2.clients.client_certificates import CertificateAuthentication, CertificateAuthorities
from identity.storage.hot import HotStorage
from identity.telemetry import Metrics
from identity.tokens.client_keys import ClientKeys
from identity.tokens.dpop import DpopNonces, DpopProofs
from identity.web.rate_limits import RateLimits


def client_authentication(
    settings: Settings,
    base_url: str,
    administration: Administration,
    hot: HotStorage,
    client_keys: ClientKeys,
    limits: RateLimits,
    metrics: Metrics,
) -> ClientAuthentication:
    sealer, clock = administration.sealer, administration.clock
    authorities = CertificateAuthorities(settings.tls_client_ca, clock)
    return ClientAuthentication(
        administration.configuration,
        ClientAssertions(client_keys, hot, sealer, _addresses(settings, base_url), clock),
        CertificateAuthentication(authorities, client_keys),
        sealer,
        limits,
        metrics,
        clock,
    )


def dpop_proofs(settings: Settings, base_url: str, administration: Administration, hot: HotStorage) -> DpopProofs:
    sealer, clock = administration.sealer, administration.clock
    nonces = DpopNonces(sealer.derive("dpop-nonce"), clock)
    return DpopProofs(hot, nonces, _addresses(settings, base_url), clock)


def _addresses(settings: Settings, base_url: str) -> tuple[str, ...]:
    """Under which a client may have called us (RFC 8705 §5)."""
    return (base_url, settings.mtls_base_url) if settings.mtls_base_url else (base_url,)
