"""Values that a client makes and that are good once: the `jti` of assertions and proofs."""

from identity.storage.hot import HotStorage
from identity.web.messages import Request


async def first_use(hot: HotStorage, request: Request, hash: bytes, expires_at: int) -> bool:
    """True for the one request that presents the value first; it is remembered until `expires_at` (µs).

    A request that is answered once more because the configuration moved presents it again, and is still the first.
    """
    if hash in request.spent:
        return True
    if not await hot.use_once(request.tenant.id, hash, expires_at):
        return False
    request.spent |= {hash}
    return True
