"""A tenant's keys made ready: parsed once per version of the tenant, dropped when the version moves on."""

from collections import OrderedDict
from typing import TYPE_CHECKING

from identity.clock import Clock
from identity.domain.keys import SIGNING_ALGORITHMS, SigningAlgorithm, SigningKey
from identity.errors import ConfigurationError
from identity.secrets import Sealer
from identity.storage.configuration import TenantConfiguration
from identity.tokens.jose import SigningJwk, VerificationKeys, public_jwks

if TYPE_CHECKING:
    from identity.tokens.encryption import DecryptionKeys

CACHED = 200


class Keys:
    """One tenant's keys at one version."""

    def __init__(self, keys: tuple[SigningKey, ...], sealer: Sealer, clock: Clock) -> None:
        self._keys = keys
        self._sealer = sealer
        self._clock = clock
        self._signing: dict[str, SigningJwk] = {}
        self._verification: VerificationKeys | None = None
        self._decryption: DecryptionKeys | None = None
        self._jwks: bytes | None = None

    def signing(self, algorithm: str) -> SigningJwk:
        """The newest key of this algorithm that is active. Raises ConfigurationError when there is none."""
        now = self._clock.now()
        active = None
        for key in self._keys:
            if key.algorithm == algorithm and key.active_at <= now and (key.retired_at is None or key.retired_at > now):
                active = key
        if active is None:
            raise ConfigurationError(
                f"The tenant has no active {algorithm} key: run `identity keys rotate {algorithm}`."
            )
        found = self._signing.get(active.kid)
        if found is None:
            found = self._signing[active.kid] = SigningJwk(active, self._sealer)
        return found

    @property
    def verification(self) -> VerificationKeys:
        if self._verification is None:
            self._verification = VerificationKeys(self._keys)
        return self._verification

    @property
    def decryption(self) -> "DecryptionKeys":
        """The tenant's private encryption keys: for request objects that clients encrypted to it."""
        if self._decryption is None:
            from identity.tokens.encryption import DecryptionKeys

            self._decryption = DecryptionKeys(self._keys, self._sealer)
        return self._decryption

    @property
    def jwks(self) -> bytes:
        """The public JWK set: coming, active and retired signing keys, and the present encryption keys."""
        if self._jwks is None:
            self._jwks = public_jwks(self._keys)
        return self._jwks

    @property
    def algorithms(self) -> list[SigningAlgorithm]:
        """What the tenant has keys to sign with."""
        have = {key.algorithm for key in self._keys if key.retired_at is None}
        return [algorithm for algorithm in SIGNING_ALGORITHMS if algorithm in have]


class Keyring:
    def __init__(self, sealer: Sealer, clock: Clock) -> None:
        self._sealer = sealer
        self._clock = clock
        self._cache: OrderedDict[int, tuple[int, Keys]] = OrderedDict()

    def of(self, tenant: TenantConfiguration) -> Keys:
        found = self._cache.get(tenant.id)
        if found is not None and found[0] == tenant.tenant.version:
            return found[1]
        keys = Keys(tenant.keys, self._sealer, self._clock)
        self._cache[tenant.id] = (tenant.tenant.version, keys)
        self._cache.move_to_end(tenant.id)
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return keys
