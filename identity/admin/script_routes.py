"""The paths of sign-in scripts, their libraries and secrets, and of the traces of sign-ins (wso2-contracts §6.1)."""

from identity.admin.authentication_sequence_endpoint import AuthenticationSequenceEndpoint
from identity.admin.routes import Method, api_route
from identity.admin.script_bodies import BASE
from identity.admin.script_libraries_endpoint import ScriptLibrariesEndpoint
from identity.admin.script_secrets_endpoint import ScriptSecretsEndpoint
from identity.admin.sign_in_scripts_endpoint import SignInScriptsEndpoint
from identity.admin.sign_in_traces_endpoint import SignInTracesEndpoint
from identity.web.routing import Endpoint, Route

VIEW = ("internal_application_mgt_view",)
UPDATE = ("internal_application_mgt_update",)
TRACES = ("internal_sign_in_trace_view",)
_Rows = list[tuple[str, Method, str, Endpoint, tuple[str, ...], str]]


def script_routes(
    *,
    sequences: AuthenticationSequenceEndpoint,
    scripts: SignInScriptsEndpoint,
    libraries: ScriptLibrariesEndpoint,
    secrets: ScriptSecretsEndpoint,
    traces: SignInTracesEndpoint,
) -> list[Route]:
    application = f"{BASE}/applications/{{id}}"
    rows: _Rows = [
        ("sign_in_steps", "GET", f"{application}/authenticationSequence", sequences.show, VIEW,
         "Steps and script of an application's sign-in"),
        ("sign_in_steps_replace", "PUT", f"{application}/authenticationSequence", sequences.replace, UPDATE,
         "Set steps and script of an application's sign-in"),
        ("sign_in_script_replace", "PUT", f"{application}/authenticationSequence/script", sequences.replace_script,
         UPDATE, "Save and publish an application's sign-in script"),
        ("sign_in_authenticators", "GET", f"{application}/authenticators", sequences.authenticators, VIEW,
         "Factors of an application's sign-in"),
        ("sign_in_templates", "GET", f"{BASE}/applications/meta/adaptive-auth-templates", sequences.templates, VIEW,
         "Sign-in scripts to begin with"),
        ("script_check", "POST", f"{BASE}/sign-in-scripts/check", scripts.check, UPDATE, "Check a sign-in script"),
        ("script_simulate", "POST", f"{BASE}/sign-in-scripts/simulate", scripts.simulate, UPDATE,
         "Run a sign-in script on what is given"),
        ("script_test", "POST", f"{BASE}/sign-in-scripts/test", scripts.test, UPDATE, "Run a sign-in script's tests"),
        ("sign_in_trace", "GET", f"{BASE}/sign-in-traces/{{trace}}", traces.show, TRACES, "How a sign-in went"),
        ("sign_in_traces", "GET", f"{BASE}/users/{{id}}/sign-in-traces", traces.of_person, TRACES,
         "How a person's last sign-ins went"),
        *_of_owner("script", f"{application}/sign-in-script", scripts, "an application's"),
        *_of_owner("tenant_script", f"{BASE}/sign-in-script", scripts, "the tenant's"),
        *_libraries(libraries),
        *_secrets(secrets),
    ]  # fmt: skip
    return [api_route(*row) for row in rows]


def _of_owner(name: str, path: str, scripts: SignInScriptsEndpoint, whose: str) -> _Rows:
    versions = f"{path}/versions"
    return [
        (name, "GET", path, scripts.show, VIEW, f"What decides {whose} sign-in"),
        (f"{name}_unpublish", "DELETE", path, scripts.unpublish, UPDATE, f"End {whose} published script"),
        (f"{name}_versions", "GET", versions, scripts.versions, VIEW, f"History of {whose} script"),
        (f"{name}_save", "POST", versions, scripts.save, UPDATE, f"Save a draft of {whose} script"),
        (f"{name}_version", "GET", f"{versions}/{{number}}", scripts.version, VIEW, f"A version of {whose} script"),
        (f"{name}_publish", "POST", f"{versions}/{{number}}/publish", scripts.publish, UPDATE,
         f"Publish a version of {whose} script"),
        (f"{name}_rollback", "POST", f"{versions}/{{number}}/rollback", scripts.rollback, UPDATE,
         f"Publish an old text of {whose} script anew"),
        (f"{name}_diff", "GET", f"{path}/diff", scripts.diff, VIEW, f"Two versions of {whose} script compared"),
        (f"{name}_shadow", "GET", f"{path}/shadow", scripts.shadow, VIEW, f"How {whose} candidate script compares"),
        (f"{name}_shadow_set", "PUT", f"{path}/shadow", scripts.set_shadow, UPDATE,
         f"Compare {whose} candidate script silently"),
        (f"{name}_shadow_clear", "DELETE", f"{path}/shadow", scripts.clear_shadow, UPDATE,
         f"End comparing {whose} candidate script"),
        (f"{name}_backtest", "POST", f"{path}/backtest", scripts.backtest, UPDATE,
         f"Try {whose} changed script on recorded sign-ins"),
    ]  # fmt: skip


def _libraries(libraries: ScriptLibrariesEndpoint) -> _Rows:
    path, right = f"{BASE}/script-libraries", "internal_script_library_mgt_"
    one = f"{path}/{{name}}"
    return [
        ("script_libraries", "GET", path, libraries.list_all, (f"{right}view",), "List script libraries"),
        ("script_library_create", "POST", path, libraries.create, (f"{right}create",), "Add a script library"),
        ("script_library", "GET", one, libraries.show, (f"{right}view",), "Read a script library"),
        ("script_library_content", "GET", f"{one}/content", libraries.content, (f"{right}view",),
         "A script library's text"),
        ("script_library_change", "PUT", one, libraries.change, (f"{right}update",), "Change a script library"),
        ("script_library_delete", "DELETE", one, libraries.delete, (f"{right}delete",), "Delete a script library"),
    ]  # fmt: skip


def _secrets(secrets: ScriptSecretsEndpoint) -> _Rows:
    path, right = f"{BASE}/secrets/{{type}}", "internal_secret_mgt_"
    one = f"{path}/{{name}}"
    return [
        ("script_secrets", "GET", path, secrets.list_all, (f"{right}view",), "List secrets, without their values"),
        ("script_secret_create", "POST", path, secrets.create, (f"{right}create",), "Add a secret"),
        ("script_secret", "GET", one, secrets.show, (f"{right}view",), "A secret, without its value"),
        ("script_secret_replace", "PUT", one, secrets.change, (f"{right}update",), "Change a secret"),
        ("script_secret_change", "PATCH", one, secrets.change, (f"{right}update",), "Change a secret"),
        ("script_secret_delete", "DELETE", one, secrets.delete, (f"{right}delete",), "Delete a secret"),
    ]  # fmt: skip
