"""A script with the libraries that it requires, checked and tested: what a hash stands for."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from adaptive_auth.check import CheckingEngine, Finding, check
from adaptive_auth.given import GivenError
from adaptive_auth.script import FILE, Script
from adaptive_auth.script_tests import MAXIMUM_SECONDS, Case, CaseResult, read_cases, run_tests
from adaptive_auth.source_scan import words
from identity.administration.context import Administration
from identity.authn.script_trials import Trials
from identity.domain.applications import Application
from identity.domain.tenants import SignInStep, Tenant
from identity.errors import IdentityError
from identity.storage.scripts import list_libraries, list_secrets

MAXIMUM_SOURCE = 128 * 1024
MAXIMUM_BUNDLE = 256 * 1024
"""Half of what a run may be given: the rest is for the journal."""
MAXIMUM_TESTS = 512 * 1024
LIBRARY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_REQUIRING = ("require", "loadLocalLibrary")


@dataclass(frozen=True, slots=True)
class ScriptAdministration:
    """What functions about scripts need beside the rest of administration: something to try scripts with."""

    administration: Administration
    trials: Trials


@dataclass(frozen=True, slots=True)
class Verified:
    """`findings`: errors and warnings; `results`: of each test, in order."""

    script: Script
    findings: tuple[Finding, ...]
    results: tuple[CaseResult, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        return tuple(result for result in self.results if not result.passed)


def finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "level": finding.level,
        "message": finding.message,
        "line": finding.line,
        "column": finding.column,
        "file": finding.file,
    }


def result_json(result: CaseResult) -> dict[str, Any]:
    return {"name": result.name, "passed": result.passed, "differences": list(result.differences)}


class ScriptRefused(IdentityError):
    """`findings` say where the errors are."""

    def __init__(self, findings: Collection[Finding], whose: str = "The script") -> None:
        lines = [str(finding) for finding in findings if finding.level == "error"]
        super().__init__("invalid_script", "\n".join([f"{whose} has errors.", *lines[:20]]))
        self.findings = tuple(findings)
        self.more = {"findings": [finding_json(finding) for finding in self.findings]}


class TestsFailed(IdentityError):
    def __init__(self, results: Collection[CaseResult], whose: str = "The script") -> None:
        lines = [f"{r.name}: {'; '.join(r.differences)}"[:500] for r in results if not r.passed]
        super().__init__("tests_failed", "\n".join([f"{whose} does not pass its tests.", *lines[:20]]), status=409)
        self.results = tuple(results)
        self.more = {"tests": [result_json(result) for result in self.results]}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a script is checked against: steps that exist, secrets, hosts, and the libraries that it may require."""

    steps: Mapping[int, tuple[str, ...]]
    secrets: tuple[str, ...]
    hosts: tuple[str, ...]
    libraries: Mapping[str, str]


async def surroundings_of(
    administration: Administration,
    tenant: Tenant,
    application: Application | None,
    steps: tuple[SignInStep, ...] | None = None,
) -> Surroundings:
    """As they are now; `application` None: the tenant's own. `steps`: those that are about to be set; empty for the
    tenant's."""
    if steps is None:
        steps = application.sign_in_steps if application is not None else ()
    steps = steps or tenant.settings.sign_in_steps
    libraries = await list_libraries(administration.database, tenant.id)
    return Surroundings(
        steps={number: step.authenticators for number, step in enumerate(steps, 1)},
        secrets=tuple(secret.name for secret in await list_secrets(administration.database, tenant.id)),
        hosts=tenant.settings.script_hosts,
        libraries={library.name: library.source for library in libraries},
    )


def bundle(source: str, libraries: Mapping[str, str]) -> tuple[Script, tuple[Finding, ...]]:
    """The script with every library that it requires, also through others; what it requires and is not there."""
    if len(source.encode("utf-8", "surrogatepass")) > MAXIMUM_SOURCE:
        raise IdentityError("invalid_script", f"A script has at most {MAXIMUM_SOURCE} bytes.")
    taken: dict[str, str] = {}
    missing: list[Finding] = []
    todo = [(FILE, source)]
    while todo:
        file, text = todo.pop()
        for name, line, column in required(text):
            if name in taken:
                continue
            if name not in libraries:
                missing.append(Finding("error", f"there is no library {name!r}", line, column, file))
                continue
            taken[name] = libraries[name]
            todo.append((name, libraries[name]))
    script = Script(source, taken)
    if len(script.to_json()) > MAXIMUM_BUNDLE:
        raise IdentityError("invalid_script", f"A script with its libraries has at most {MAXIMUM_BUNDLE} bytes.")
    return script, tuple(missing)


def required(source: str) -> list[tuple[str, int, int]]:
    """Names in `require('…')`, with line and column. A name that is computed is not found, and fails when it runs."""
    found = words(source)
    return [
        (name.text[1:-1], word.line, word.column)
        for word, bracket, name in zip(found, found[1:], found[2:], strict=False)
        if word.text in _REQUIRING and bracket.text == "(" and name.kind == "text"
    ]


async def verify(trials: Trials, tenant: Tenant, source: str, tests: str, surroundings: Surroundings) -> Verified:
    """Check a script and run its tests, within 2 s."""
    script, missing = bundle(source, surroundings.libraries)
    cases = read_tests(tests)

    def work(engine: CheckingEngine) -> Verified:
        findings = (*missing, *check(engine, script, steps=surroundings.steps, secrets=surroundings.secrets,
                                     hosts=surroundings.hosts))  # fmt: skip
        if any(finding.level == "error" for finding in findings):
            return Verified(script, findings)
        return Verified(script, findings, run_tests(engine, script, cases, seconds=MAXIMUM_SECONDS))

    return await trials.run(tenant.id, work)


def read_tests(tests: str) -> tuple[Case, ...]:
    """From JSON text, none from an empty one. Raises IdentityError."""
    if not tests.strip():
        return ()
    if len(tests) > MAXIMUM_TESTS:
        raise IdentityError("invalid_tests", f"Tests have at most {MAXIMUM_TESTS} characters.")
    try:
        content: Any = json.loads(tests)
        return read_cases(content) if content != [] else ()
    except GivenError as problem:
        raise IdentityError("invalid_tests", f"{problem}.") from None
    except (ValueError, RecursionError):
        raise IdentityError("invalid_tests", "The tests are not valid JSON.") from None
