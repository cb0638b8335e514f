"""`identity check`: what is wrong with an installation, before its users find out."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer


def check(
    data: Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")] = None,
    reference: Annotated[bool, typer.Option("--reference", help="Print the reference of all settings.")] = False,
) -> None:
    """Check settings, environment, database, master key, keys and user stores; exit code 1 when something is wrong."""
    if reference:
        from identity.commands.reference import configuration_page

        print(configuration_page(), end="")
        return
    from identity.commands.environment import shared_environment
    from identity.commands.progress import working
    from identity.config import TEST_MODE, load_settings
    from identity.errors import ConfigurationError
    from identity.messaging.mail import CAPTURED
    from identity.messaging.outbound_policy import OutboundPolicy
    from identity.messaging.smtp import SmtpServer

    problem = shared_environment()
    if problem:
        raise ConfigurationError(problem)
    settings = load_settings(data=data)
    OutboundPolicy(settings)
    if settings.test_mode:
        print(f"WARNING  {TEST_MODE}")
    if SmtpServer.of(settings) is None:
        print(f"WARNING  {CAPTURED}")
    with working("Checking"):
        findings = _findings(data)
    for ok, text in findings:
        print(f"{_WORDS[ok]}  {text}")
    if any(ok is False for ok, _ in findings):
        raise typer.Exit(1)


Finding = tuple[bool | None, str]
"""Whether it is well, and what; None: it works, but will surprise somebody."""

_WORDS = {True: "ok     ", False: "PROBLEM", None: "WARNING"}


def _findings(data: Path | None) -> list[Finding]:
    from identity.administration.stores import test_store
    from identity.commands.context import with_administration
    from identity.storage.installation import clock_skew
    from identity.storage.tenants import list_tenants
    from identity.tokens.keyring import Keyring

    async def work(administration: Any) -> list[Finding]:
        findings: list[Finding] = [(True, "database, schema and master key")]
        skew = await clock_skew(administration.database, administration.clock)
        findings.append((abs(skew) < 2, f"the database's clock differs by {skew:.1f} s (2 s is too much)"))
        keyring = Keyring(administration.sealer, administration.clock)
        for listed in await list_tenants(administration.database):
            if not listed.enabled:
                continue
            tenant = await administration.tenant(listed.handle)
            keyring.of(tenant).signing(tenant.settings.default_algorithm)
            findings += _issuer_findings(tenant.tenant)
            findings.append((True, f"tenant {listed.handle}: signing key {tenant.settings.default_algorithm}"))
            for store in tenant.stores:
                if store.enabled:
                    report = await test_store(administration, tenant, store.name)
                    findings.append((report.ok, f"tenant {listed.handle}: store {store.name}: {report.reason}"))
            findings += await _application_findings(administration, tenant.tenant)
        return findings

    return with_administration(data, work)


async def _application_findings(administration: Any, tenant: Any) -> list[Finding]:
    """Settings of a tenant may have changed since an application was saved: its issuer, for one (decision 1)."""
    from identity.administration.application_advice import application_advice
    from identity.administration.applications import list_all_applications
    from identity.administration.profile_rules import profile_problem

    findings: list[Finding] = []
    for application in await list_all_applications(administration, tenant.handle):
        place = f"tenant {tenant.handle}: application {application.client_id}"
        problem = profile_problem(application, tenant)
        if problem is not None:
            findings.append((False, f"{place}: {problem}"))
        findings += [(None, f"{place}: {advice}") for advice in application_advice(application)]
    return findings


def _issuer_findings(tenant: Any) -> list[Finding]:
    """An issuer of its own has to lead to a discovery document that we serve (RFC 8414 §3)."""
    issuer = tenant.settings.issuer
    served = ("/oauth2/token", "")
    if issuer is None or any(urlsplit(issuer).path == tenant.prefix + path for path in served):
        return []
    places = " or ".join(f"https://<host>{tenant.prefix}{path}" for path in served)
    return [(False, f"tenant {tenant.handle}: nothing is served at the issuer {issuer}; it must be {places}")]
