"""`identity issuers`: whose tokens are exchanged for ours."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="Trusted token issuers: list, trust, change, forget.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
Name = Annotated[str, typer.Argument(help="The name you give it.")]
KeyFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="File with its keys: a JWK set, or PEM.")
]
JwksUri = Annotated[str | None, typer.Option(help="Address of its JWK set, in place of a file.")]
Alias = Annotated[str | None, typer.Option(help="Taken in `aud` in place of our issuer.")]
Linked = Annotated[str | None, typer.Option(help="required, preferred or none: whether people need an account here.")]
Lookup = Annotated[
    list[str] | None, typer.Option(help="Claim that finds the account: username, email or phone_number; at most two.")
]
Assertions = Annotated[
    bool | None, typer.Option("--identity-assertions/--no-identity-assertions", help="Takes ID-JAG of it. Preview.")
]
Lifetime = Annotated[int | None, typer.Option(help="Longest life of a token of it, in seconds.")]


@app.command("list")
def list_issuers(tenant: Tenant = "root", data: Data = None) -> None:
    """List the trusted issuers by name."""

    async def work(administration: Any) -> Any:
        from identity.storage.trusted_issuers import list_trusted_issuers

        return await list_trusted_issuers(administration.database, (await administration.tenant(tenant)).id)

    for issuer in with_administration(data, work):
        print(f"{issuer.name}\t{issuer.issuer}{'' if issuer.enabled else '  (disabled)'}")


@app.command()
def add(
    name: Name,
    issuer: Annotated[str, typer.Option(help="`iss` of its tokens, to the letter.")],
    keys: KeyFile = None,
    jwks_uri: JwksUri = None,
    alias: Alias = None,
    linked_account: Linked = None,
    lookup_claim: Lookup = None,
    identity_assertions: Assertions = None,
    maximum_lifetime: Lifetime = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Trust an issuer."""
    settings = _settings(keys, jwks_uri, alias, linked_account, lookup_claim, identity_assertions, maximum_lifetime)

    async def work(administration: Any) -> None:
        from identity.administration.trusted_issuers import create_trusted_issuer

        place = await administration.tenant(tenant)
        await create_trusted_issuer(administration, place, name=name, issuer=issuer, **settings)

    with_administration(data, work)
    print(f"Tokens of {issuer} are accepted now.")


@app.command("set")
def change(
    name: Name,
    keys: KeyFile = None,
    jwks_uri: JwksUri = None,
    alias: Alias = None,
    linked_account: Linked = None,
    lookup_claim: Lookup = None,
    identity_assertions: Assertions = None,
    maximum_lifetime: Lifetime = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Accept its tokens or not.")] = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Change what is given; the rest stays."""
    settings = _settings(keys, jwks_uri, alias, linked_account, lookup_claim, identity_assertions, maximum_lifetime)
    if enabled is not None:
        settings["enabled"] = enabled

    async def work(administration: Any) -> None:
        from identity.administration.trusted_issuers import update_trusted_issuer

        await update_trusted_issuer(administration, await administration.tenant(tenant), name, settings)

    with_administration(data, work)
    print(f"Changed {name}.")


@app.command()
def remove(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Trust it no longer; what its tokens were exchanged for goes on until it ends."""

    async def work(administration: Any) -> None:
        from identity.administration.trusted_issuers import delete_trusted_issuer

        await delete_trusted_issuer(administration, await administration.tenant(tenant), name)

    with_administration(data, work)
    print(f"Forgot {name}.")


def _settings(
    keys: Path | None,
    jwks_uri: str | None,
    alias: str | None,
    linked_account: str | None,
    lookup_claims: list[str] | None,
    identity_assertions: bool | None,
    maximum_lifetime: int | None,
) -> dict[str, Any]:
    text = keys.read_text() if keys is not None else None
    given = {
        "certificate": text if text is not None and "-----BEGIN" in text else None,
        "jwks": text if text is not None and "-----BEGIN" not in text else None,
        "jwks_uri": jwks_uri,
        "alias": alias,
        "linked_account": linked_account,
        "lookup_claims": tuple(lookup_claims) if lookup_claims else None,
        "identity_assertions": identity_assertions,
        "maximum_lifetime": maximum_lifetime,
    }
    return {name: value for name, value in given.items() if value is not None}
