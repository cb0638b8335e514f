"""Sign-in scripts, steps, libraries and secrets as `/api/server/v1` shows and takes them (wso2-contracts §2, §6.1)."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from identity.administration.script_bundles import Verified, finding_json, result_json
from identity.administration.scripts import Owner
from identity.clock import SECOND
from identity.domain.tenants import SignInStep
from identity.storage.scripts import ScriptLibrary, ScriptSecret, ScriptVersion
from identity.storage.shadow_comparisons import ShadowComparison

BASE = "/api/server/v1"
LOCAL = "LOCAL"


class Option(msgspec.Struct):
    authenticator: str
    idp: str = LOCAL


class Step(msgspec.Struct):
    id: int
    options: list[Option]


class AuthenticationSequence(msgspec.Struct, rename="camel"):
    """`type` DEFAULT: the tenant's steps, and no script. None: as it is."""

    type: str = "USER_DEFINED"
    steps: list[Step] | None = None
    script: str | None = None
    subject_step_id: int | None = None
    attribute_step_id: int | None = None
    minimum_acr: str | None = None


class ScriptOnly(msgspec.Struct):
    script: str
    tests: Any = None
    note: str = ""


class NewVersion(msgspec.Struct):
    script: str
    tests: Any = None
    note: str = ""


class Tried(msgspec.Struct):
    """`application`: an id; empty for the tenant's own script."""

    script: str
    application: str = ""
    tests: Any = None
    given: Any = None


class Candidate(msgspec.Struct):
    version: int


class WantedBacktest(msgspec.Struct, rename="camel"):
    """Either the text, or the number of a version. `since` in seconds; `after`, `limit`: the page."""

    script: str | None = None
    version: int | None = None
    since: int = 7 * 86_400
    after: str = ""
    limit: int = 200
    changed_only: bool = True


class NewLibrary(msgspec.Struct):
    name: str
    content: str
    description: str = ""


class ChangedLibrary(msgspec.Struct):
    content: str | None = None
    description: str | None = None


class NewSecret(msgspec.Struct):
    name: str
    value: str
    description: str = ""
    hosts: list[str] = []


class ChangedSecret(msgspec.Struct):
    value: str | None = None
    description: str | None = None
    hosts: list[str] | None = None


def tests_text(tests: Any) -> str:
    """Tests as they are stored: a list, or a list's JSON text."""
    if tests is None:
        return ""
    return tests if isinstance(tests, str) else json.dumps(tests, ensure_ascii=False)


def steps_of(sequence: AuthenticationSequence) -> tuple[SignInStep, ...] | None:
    if sequence.steps is None:
        return None
    ordered = sorted(sequence.steps, key=lambda step: step.id)
    return tuple(SignInStep(authenticators=tuple(option.authenticator for option in step.options)) for step in ordered)


def shown_sequence(owner: Owner, version: ScriptVersion | None, script: str) -> dict[str, Any]:
    assert owner.application is not None
    own = owner.application.sign_in_steps
    return {
        "type": "USER_DEFINED" if own or owner.application.sign_in_script else "DEFAULT",
        "steps": [
            {"id": number, "options": [{"idp": LOCAL, "authenticator": name} for name in step.authenticators]}
            for number, step in enumerate(own or owner.tenant.settings.sign_in_steps, 1)
        ],
        "script": script,
        "scriptVersion": version.number if version is not None else None,
        "subjectStepId": 1,
        "attributeStepId": 1,
        "minimumAcr": owner.application.minimum_acr,
    }


def shown_verified(verified: Verified) -> dict[str, Any]:
    return {
        "hash": verified.script.hash,
        "findings": [finding_json(finding) for finding in verified.findings],
        "tests": [result_json(result) for result in verified.results],
    }


def listed_version(version: ScriptVersion, current: ScriptVersion | None) -> dict[str, Any]:
    return {
        "version": version.number,
        "hash": version.hash,
        "author": version.author,
        "note": version.note,
        "created": moment(version.created_at),
        "published": moment(version.published_at) if version.published_at is not None else None,
        "current": current is not None and current.number == version.number,
    }


def shown_version(version: ScriptVersion, current: ScriptVersion | None) -> dict[str, Any]:
    tests = json.loads(version.tests) if version.tests.strip() else []
    return {**listed_version(version, current), "script": version.source, "tests": tests}


def shown_comparison(comparison: ShadowComparison) -> dict[str, Any]:
    return {
        "application": comparison.application,
        "verdict": comparison.verdict,
        "count": comparison.count,
        "example": comparison.example,
        "first": moment(comparison.first_at),
        "last": moment(comparison.last_at),
    }


def listed_library(library: ScriptLibrary, prefix: str) -> dict[str, Any]:
    return {
        "name": library.name,
        "description": library.description,
        "created": moment(library.created_at),
        "lastModified": moment(library.updated_at),
        "self": f"{prefix}{BASE}/script-libraries/{library.name}",
    }


def shown_library(library: ScriptLibrary, prefix: str) -> dict[str, Any]:
    return {
        **listed_library(library, prefix),
        "content": library.source,
        "content-ref": f"{prefix}{BASE}/script-libraries/{library.name}/content",
    }


def shown_secret(secret: ScriptSecret, type: str) -> dict[str, Any]:
    """Never its value."""
    return {
        "secretId": secret.name,
        "secretName": secret.name,
        "type": type,
        "description": secret.description,
        "hosts": list(secret.hosts),
        "created": moment(secret.created_at),
        "lastModified": moment(secret.updated_at),
    }


def moment(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
