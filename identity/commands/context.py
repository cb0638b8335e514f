"""How a subcommand gets its settings and runs against the database."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from identity.administration.context import Administration
from identity.config import Settings, load_settings
from identity.errors import ConfigurationError
from identity.storage.installation import check_master_key
from identity.storage.migrations import stored_revision

if TYPE_CHECKING:
    from adaptive_auth.check import Finding
    from identity.administration.script_bundles import ScriptAdministration

T = TypeVar("T")


def with_administration(data: Path | None, work: Callable[[Administration], Awaitable[T]]) -> T:
    """Run `work` on the installation's database. Raises ConfigurationError when it was never set up."""
    return asyncio.run(_run(load_settings(data=data), work))


def with_scripting(data: Path | None, work: Callable[["ScriptAdministration"], Awaitable[T]]) -> T:
    """The same for work that runs scripts: where the setting `script_isolation` says, as the server does."""
    from identity.administration.script_bundles import ScriptAdministration
    from identity.commands.script import engine_folder
    from identity.wiring.sign_in_parts import own_trials

    settings = load_settings(data=data)

    async def run(administration: Administration) -> T:
        trials = own_trials(settings, administration, engine_folder())
        try:
            return await work(ScriptAdministration(administration, trials))
        finally:
            trials.close()

    return asyncio.run(_run(settings, run))


def tell_findings(findings: Iterable["Finding"]) -> None:
    """What is wrong with a script, or will surprise somebody, to standard error."""
    for finding in findings:
        print(finding, file=sys.stderr)


async def _run(settings: Settings, work: Callable[[Administration], Awaitable[T]]) -> T:
    from identity.app import Foundation

    if settings.embedded and not settings.database_file.exists():
        raise ConfigurationError(
            f"There is no database in {settings.data}: run `identity migrate` or `identity serve` first."
        )
    if await stored_revision(settings) is None:
        raise ConfigurationError("The database has no schema yet: run `identity migrate` first.")
    foundation = Foundation.build(settings)
    await foundation.open()
    try:
        await check_master_key(foundation.database, foundation.administration.sealer)
        return await work(foundation.administration)
    finally:
        await foundation.close()
