"""Facts of the whole installation: a value that only the right master key opens, and whose turn it is."""

from datetime import datetime

from sqlalchemy import bindparam, func, select, update

from identity.clock import SECOND, Clock
from identity.errors import ConfigurationError
from identity.secrets import Sealer
from identity.storage.database import Database, insert_into
from identity.storage.tables import installation as table

_FIND = select(table.c.value).where(table.c.name == bindparam("name"))
_INSERT = insert_into(table)
_SAVE = _INSERT.on_conflict_do_update(index_elements=[table.c.name], set_={"value": _INSERT.excluded.value})
_NEW = _INSERT.on_conflict_do_nothing()
_CHANGE = (
    update(table)
    .where(table.c.name == bindparam("b_name"), table.c.value == bindparam("old"))
    .values(value=bindparam("new"))
)
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


async def take_turn(database: Database, name: str, *, now: int, seconds: int) -> bool:
    """For work that one of all workers does, once in so many seconds: True for the one that is to do it now."""
    key, until = f"turn:{name}", str(now + seconds * SECOND)
    row = await database.fetch_one(_FIND, name=key)
    if row is not None and now < int(row["value"]) <= now + seconds * SECOND:
        # A later end is of a longer interval, or of a clock that ran ahead.
        return False
    async with database.transaction() as transaction:
        if row is None:
            return await transaction.execute(_NEW, name=key, value=until) == 1
        return await transaction.execute(_CHANGE, b_name=key, old=row["value"], new=until) == 1


async def clock_skew(database: Database, clock: Clock) -> float:
    """Seconds by which the database's clock is ahead of ours; 0 for the embedded one, which has none of its own."""
    row = await database.fetch_one(_NOW)
    before = clock.now()
    assert row is not None
    moment = row["now"]
    return float(moment.timestamp() - before / SECOND) if isinstance(moment, datetime) else 0.0
