"""Facts of the whole installation: so far, a value that only the right master key opens."""

from datetime import datetime

from sqlalchemy import bindparam, func, select

from identity.clock import SECOND, Clock
from identity.errors import ConfigurationError
from identity.secrets import Sealer
from identity.storage.database import Database, insert_into
from identity.storage.tables import installation as table

_FIND = select(table.c.value).where(table.c.name == bindparam("name"))
_INSERT = insert_into(table)
_SAVE = _INSERT.on_conflict_do_update(index_elements=[table.c.name], set_={"value": _INSERT.excluded.value})
_NOW = select(func.now().label("now"))
_NAME, _VALUE, _CONTEXT = "master_key_check", b"identity", b"installation"


async def check_master_key(database: Database, sealer: Sealer) -> None:
    """Raise ConfigurationError when this database was set up with another master key."""
    row = await database.fetch_one(_FIND, name=_NAME)
    if row is None:
        await save_master_key_check(database, sealer)
        return
    try:
        sealer.open(bytes.fromhex(row["value"]), _CONTEXT)
    except ConfigurationError:
        raise ConfigurationError(
            "The master key is not the one this database was set up with. Give the right one in IDENTITY_MASTER_KEY "
            "or IDENTITY_MASTER_KEY_FILE, or an older one in IDENTITY_PREVIOUS_MASTER_KEYS."
        ) from None


async def save_master_key_check(database: Database, sealer: Sealer) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(_SAVE, name=_NAME, value=sealer.seal(_VALUE, _CONTEXT).hex())


async def clock_skew(database: Database, clock: Clock) -> float:
    """Seconds by which the database's clock is ahead of ours; 0 for the embedded one, which has none of its own."""
    row = await database.fetch_one(_NOW)
    before = clock.now()
    assert row is not None
    moment = row["now"]
    return float(moment.timestamp() - before / SECOND) if isinstance(moment, datetime) else 0.0
