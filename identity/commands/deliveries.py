"""`identity deliveries`: what was sent to applications and gateways, and how it ended."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="What was told to applications and gateways: list.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]


@app.command("list")
def list_log(
    count: Annotated[int, typer.Option(help="How many, at most.", min=1, max=10_000)] = 100,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """List the latest, newest first: when, what, how it ended, tries, where to."""
    from identity.clock import as_datetime
    from identity.storage.deliveries import list_deliveries

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await list_deliveries(administration.database, place.id, count=count)

    for delivery in with_administration(data, work):
        moment = f"{as_datetime(delivery.created_at):%Y-%m-%d %H:%M:%S}"
        print(f"{moment}\t{delivery.kind}\t{_state(delivery)}\t{delivery.attempts}\t{delivery.target}")


def _state(delivery: Any) -> str:
    if delivery.delivered_at is not None:
        return "delivered"
    outcome = "given up" if delivery.failed_at is not None else "waiting"
    return f"{outcome}: {delivery.last_error}" if delivery.last_error else outcome
