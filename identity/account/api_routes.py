"""The paths of a person's own account for applications (wso2-contracts §5). Nobody else's: the token says whose."""

from typing import Literal

from identity.account.own_passkeys_endpoint import OwnPasskeysEndpoint
from identity.account.own_recovery_codes_endpoint import OwnRecoveryCodesEndpoint
from identity.account.own_totp_endpoint import OwnTotpEndpoint
from identity.account.own_traces_endpoint import OwnTracesEndpoint
from identity.domain.management_scopes import LOGIN_SCOPE, OWN_FACTORS_SCOPE
from identity.web.routing import Endpoint, Permission, Route

READ = (LOGIN_SCOPE, OWN_FACTORS_SCOPE)
CHANGE = (OWN_FACTORS_SCOPE,)
TOTP_PATH = "/api/users/v1/me/totp"
PASSKEYS_PATH = "/api/users/v2/me/webauthn"
CODES_PATH = "/api/users/v1/me/backup-codes"
TRACES_PATH = "/api/users/v1/me/sign-in-traces"
_Method = Literal["GET", "POST", "PATCH", "DELETE"]


def account_api_routes(
    *,
    totp: OwnTotpEndpoint,
    passkeys: OwnPasskeysEndpoint,
    codes: OwnRecoveryCodesEndpoint,
    traces: OwnTracesEndpoint,
) -> list[Route]:
    one = f"{PASSKEYS_PATH}/{{credential}}"
    return [
        _route("own_totp", "GET", TOTP_PATH, totp.show, READ, "Whether an authenticator app is set up"),
        _route("own_totp_act", "POST", TOTP_PATH, totp.act, CHANGE, "Set one up: INIT, REFRESH, VALIDATE, VIEW"),
        _route("own_totp_delete", "DELETE", TOTP_PATH, totp.remove, CHANGE, "Remove it"),
        _route("own_passkeys", "GET", PASSKEYS_PATH, passkeys.list_all, READ, "One's own passkeys"),
        _route("own_passkey_start", "POST", f"{PASSKEYS_PATH}/start-registration", passkeys.start, CHANGE,
               "What the browser is asked for a new passkey"),
        _route("own_passkey_start_usernameless", "POST", f"{PASSKEYS_PATH}/start-usernameless-registration",
               passkeys.start_usernameless, CHANGE, "The same for one that signs in without a name"),
        _route("own_passkey_finish", "POST", f"{PASSKEYS_PATH}/finish-registration", passkeys.finish, CHANGE,
               "Add the passkey that the browser made"),
        _route("own_passkey_change", "PATCH", one, passkeys.rename, CHANGE, "Rename a passkey"),
        _route("own_passkey_delete", "DELETE", one, passkeys.remove, CHANGE, "Remove a passkey"),
        _route("own_codes", "GET", CODES_PATH, codes.show, READ, "How many recovery codes are left"),
        _route("own_codes_make", "POST", CODES_PATH, codes.make, CHANGE, "Make new recovery codes"),
        _route("own_codes_delete", "DELETE", CODES_PATH, codes.remove, CHANGE, "Remove the recovery codes"),
        _route("own_traces", "GET", TRACES_PATH, traces.list_all, READ, "How one's own last sign-ins went"),
    ]  # fmt: skip


def _route(name: str, method: _Method, path: str, endpoint: Endpoint, scopes: tuple[str, ...], summary: str) -> Route:
    return Route(
        name=name,
        methods=(method,),
        path=path,
        endpoint=endpoint,
        permission=Permission.ACCOUNT,
        scopes=scopes,
        errors="problem",
        summary=summary,
    )
