"""`identity registration`: who may register applications without being an administrator."""

from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="Registration: initial access tokens, and applications' own tokens.", no_args_is_help=True)
tokens = typer.Typer(help="Initial access tokens (RFC 7591): create, list, delete.", no_args_is_help=True)
app.add_typer(tokens, name="token")

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
_DAY = 86400


@tokens.command()
def create(
    uses: Annotated[int, typer.Option(help="How many applications it registers.")] = 1,
    lifetime: Annotated[int, typer.Option(help="Seconds for which it is good.")] = _DAY,
    profile: Annotated[str, typer.Option(help="FAPI profile that the applications get, like fapi2_security.")] = "",
    grant_type: Annotated[list[str] | None, typer.Option(help="Grant type they may use; repeatable.")] = None,
    response_type: Annotated[list[str] | None, typer.Option(help="Response type they may use; repeatable.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Scope they may ask for; repeatable.")] = None,
    authorization_details_type: Annotated[
        list[str] | None, typer.Option(help="Type of authorization details they may use; repeatable.")
    ] = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Make a token with which applications register themselves, and print it this once."""
    from identity.administration.registration_tokens import create_initial_access_token
    from identity.domain.registration import RegistrationLimits

    given = {
        "grant_types": grant_type,
        "response_types": response_type,
        "scopes": scope,
        "authorization_details_types": authorization_details_type,
    }
    limits = RegistrationLimits(profile=profile, **{name: tuple(value) for name, value in given.items() if value})

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await create_initial_access_token(administration, place.tenant, limits, uses=uses, lifetime=lifetime)

    print(f"initial_access_token  {with_administration(data, work)!s}")


@tokens.command("list")
def list_tokens(tenant: Tenant = "root", data: Data = None) -> None:
    """List the tokens: how their hash begins, uses left, end, and what they allow."""
    from identity.clock import as_datetime
    from identity.storage.initial_access_tokens import list_initial_access_tokens

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await list_initial_access_tokens(administration.database, place.id)

    for token in with_administration(data, work):
        end = as_datetime(token.expires_at).astimezone(UTC).isoformat(timespec="seconds")
        allowed = " ".join(token.limits.grant_types)
        print(f"{token.hash.hex()[:16]}\t{token.uses_left}\t{end}\t{token.limits.profile or '-'}\t{allowed}")


@tokens.command()
def delete(
    beginning: Annotated[str, typer.Argument(help="How its hash begins, as the list shows it.")],
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Delete a token; applications that it registered stay."""
    from identity.administration.registration_tokens import delete_initial_access_token

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await delete_initial_access_token(administration, place.tenant, beginning)

    with_administration(data, work)
    print(f"Deleted {beginning}.")


@app.command("client-token")
def client_token(
    client_id: Annotated[str, typer.Argument(help="The application's client id.")],
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Replace an application's registration access token, and print the new one."""
    from identity.administration.registration_tokens import replace_registration_token

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await replace_registration_token(administration, place.tenant, client_id)

    print(f"registration_access_token  {with_administration(data, work)!s}")
