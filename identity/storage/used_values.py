"""Values that are good once, used up together with what they were used for."""

from identity.storage.authorization_tables import used_value as table
from identity.storage.database import Writer, insert_into

_INSERT = insert_into(table)


async def note_used_value(writer: Writer, tenant: int, hash: bytes, expires_at: int) -> None:
    """Raises Conflict, here or at the commit of a batch, when it was used before."""
    await writer.execute(_INSERT, tenant=tenant, hash=hash, expires_at=expires_at)
