"""`identity keys`: the keys of a tenant, and the master key that seals them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="Keys: list, rotate, delete retired ones, seal anew.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]


@app.command("list")
def list_keys(tenant: Tenant = "root", data: Data = None) -> None:
    """List the keys for signing and encryption, oldest first."""
    from identity.clock import Clock, as_datetime

    async def work(administration: Any) -> Any:
        return (await administration.tenant(tenant)).keys

    now = Clock().now()
    for key in with_administration(data, work):
        if key.retired_at is not None and key.retired_at <= now:
            state = f"retired {as_datetime(key.retired_at):%Y-%m-%d %H:%M}"
        elif key.active_at > now:
            state = f"signs from {as_datetime(key.active_at):%Y-%m-%d %H:%M:%S}"
        else:
            state = "signing" if key.use == "sig" else "decrypting"
        print(f"{key.kid}\t{key.algorithm}\t{state}")


@app.command()
def rotate(
    algorithm: Annotated[
        str, typer.Argument(help="RS256, PS256, ES256, EdDSA, …; RSA-OAEP-256 or ECDH-ES for encryption.")
    ] = "RS256",
    overlap: Annotated[int, typer.Option(help="Seconds between publishing the new key and signing with it.")] = 60,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Make a new key, the first of its algorithm or in the place of the present one, which verifies for good."""
    from identity.administration import keys
    from identity.clock import SECOND
    from identity.domain.keys import KEY_ALGORITHMS

    chosen = next((known for known in KEY_ALGORITHMS if known.upper() == algorithm.upper()), None)
    if chosen is None:
        raise typer.BadParameter(f"use {', '.join(KEY_ALGORITHMS)}")

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await keys.rotate_key(administration, place.tenant, chosen, overlap=overlap)

    key = with_administration(data, work)
    if key.use == "enc":
        print(f"{key.kid} is published.")
    else:
        print(f"{key.kid} signs in {(key.active_at - key.created_at) // SECOND} seconds.")


@app.command()
def delete(kid: Annotated[str, typer.Argument()], tenant: Tenant = "root", data: Data = None) -> None:
    """Forget a retired key: what it signed is invalid, and what is encrypted to it lost, from then on."""
    from identity.administration import keys

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await keys.delete_retired_key(administration, place.tenant, kid)

    with_administration(data, work)
    print(f"Deleted {kid}.")


@app.command()
def rewrap(data: Data = None) -> None:
    """Seal everything with the current master key, after IDENTITY_PREVIOUS_MASTER_KEYS named the old one."""
    from identity.administration import keys
    from identity.commands.progress import tracked
    from identity.storage.installation import save_master_key_check
    from identity.storage.tenants import list_tenants

    async def work(administration: Any) -> int:
        everyone = await list_tenants(administration.database)
        count = 0
        for tenant in tracked(everyone, "Sealing", len(everyone)):
            count += await keys.rewrap(administration, tenant)
        await save_master_key_check(administration.database, administration.sealer)
        return count

    print(f"Sealed {with_administration(data, work)} values anew.")
