"""The catalogue of the script language: one row for each function. `objects` has members of objects, and options.

The definitions for editors, the warnings at save, the table in docs/sign-in-scripts.md and the test that the prelude
offers exactly this are all made from it.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["core", "question", "effect", "http", "pure", "unavailable", "dead"]
"""`question`: the server answers, some with an effect of their own. `unavailable`: what it needs does not exist here
yet. `dead`: of a product that has ended. Both go to onFail, or answer null or false, and warn at save."""

Form = Literal["wso2", "modern", "ours"]
"""Whose name it is. `modern`: made for `onLogin`. `ours`: an addition that both forms may use."""


@dataclass(frozen=True, slots=True)
class Function:
    """`signatures`: parameters and result in TypeScript, one for each way of calling it."""

    name: str
    kind: Kind
    signatures: tuple[str, ...]
    doc: str
    form: Form = "wso2"


def _row(name: str, kind: Kind, doc: str, *signatures: str, form: Form = "wso2") -> Function:
    return Function(name, kind, signatures, doc, form)


_USER_ROLES = "(user: User, roles: string[]): boolean"
_CONTEXT_ROLES = "(context: Context, roles: string[]): boolean"
_MAP = "(context: Context, values: Record<string, unknown>): "
_FIND = "(claims: Record<string, string>, context: Context, profile?: string): "

_CORE = (
    _row(
        "executeStep",
        "core",
        "Runs a step of the application. Without onFail the person tries again on the same page.",
        "(step: StepNumber, callbacks?: StepCallbacks): void",
        "(step: StepNumber, options: StepOptions, callbacks?: StepCallbacks): void",
    ),
    _row(
        "promptIdentifierForStep",
        "core",
        "Asks for the identifier of a step only.",
        "(step: StepNumber, callbacks?: StepCallbacks): void",
        "(step: StepNumber, options: StepOptions, callbacks?: StepCallbacks): void",
    ),
    _row(
        "prompt",
        "core",
        "Shows a page of the server (genericForm, internalWait, …); its answers are in context.request.params.",
        "(template: string, data: Json, callbacks?: Callbacks): void",
    ),
    _row(
        "sendError",
        "core",
        "Ends the login on an error page, or at an address of yours.",
        "(url: string | null, parameters?: Record<string, string>): never",
    ),
    _row(
        "fail",
        "core",
        "Ends the login with an OAuth error to the application.",
        "(error?: { errorCode?: string; errorMessage?: string; errorURI?: string }): never",
    ),
    _row("require", "core", "A script library, as in CommonJS.", "(name: string): any"),
    _row("loadLocalLibrary", "core", "The same as require.", "(name: string): any"),
    _row("exit", "core", "Refused: use fail or sendError.", "(): never"),
    _row("quit", "core", "Refused: use fail or sendError.", "(): never"),
    _row(
        "step",
        "core",
        "Runs a step; the result says how it ended. A failure whose `ok` is never read denies the login.",
        "(step: StepNumber, options?: StepOptions): Promise<StepResult>",
        form="modern",
    ),
    _row(
        "ask",
        "core",
        "Shows a page of the server; the result has its answers in `params`.",
        "(template: string, data?: Json): Promise<PromptResult>",
        form="modern",
    ),
    _row(
        "deny",
        "core",
        "Ends the login with an OAuth error to the application, as fail does.",
        "(error?: string | { errorCode?: string; errorMessage?: string; errorURI?: string }): never",
        form="modern",
    ),
)

_ROLES = (
    _row("hasRole", "question", "Whether the user has the role.", "(user: User, role: string): boolean"),
    _row("hasAnyOfTheRoles", "question", "Whether the user has one of the roles.", _USER_ROLES),
    _row("hasAnyOfTheRolesV2", "question", "The same, of the roles associated with this application.", _CONTEXT_ROLES),
    _row("isAnyOfTheRolesAssignedToUser", "question", "Whether one of the roles is assigned to the user.", _USER_ROLES),
    _row(
        "isMemberOfAnyOfGroups",
        "question",
        "Whether the user is in one of the groups.",
        "(user: User, groups: string[]): boolean",
    ),
    _row("assignUserRoles", "question", "Assigns roles; whether that worked.", _USER_ROLES),
    _row("assignUserRolesV2", "question", "Assigns roles of this application to the known user.", _CONTEXT_ROLES),
    _row("removeUserRoles", "question", "Takes roles away; whether that worked.", _USER_ROLES),
    _row("removeUserRolesV2", "question", "Takes roles of this application from the known user.", _CONTEXT_ROLES),
)

_SESSIONS = (
    _row("getUserSessions", "question", "The sessions of the user.", "(user: User): Session[]"),
    _row(
        "terminateUserSession",
        "question",
        "Ends a session; whether that worked.",
        "(user: User, sessionId: string): boolean",
    ),
    _row(
        "checkSessionExistence",
        "question",
        "Whether this browser has a session that satisfies the step.",
        "(step: StepNumber, context: Context): boolean",
    ),
    _row(
        "isWithinSessionLimit",
        "question",
        "Whether the user has fewer sessions than `MaxSessionCount`.",
        _MAP + "boolean",
    ),
    _row("getSessionData", "question", "The sessions of the user as the sign-in page lists them.", _MAP + "Json"),
    _row("killSession", "question", "Ends the session named by `sessionId`; whether that worked.", _MAP + "boolean"),
    _row(
        "getAuthenticatedApplications",
        "question",
        "The applications of this browser's session.",
        "(context: Context): Application[]",
    ),
)

_USERS = (
    _row("getUniqueUserWithClaimValues", "question", "The one user with these claims, or null.", _FIND + "User | null"),
    _row("getUsersWithClaimValues", "question", "The users with these claims.", _FIND + "User[]"),
    _row(
        "getAssociatedLocalUser",
        "question",
        "The local account of a federated user, or null.",
        "(user: User): User | null",
    ),
    _row(
        "doAssociationWithLocalUser",
        "question",
        "Links a federated user to a local account; whether that worked.",
        "(user: User, username: string, tenantDomain: string, userStoreDomain: string): boolean",
    ),
    _row("removeAssociatedLocalUser", "question", "Ends such a link; whether that worked.", "(user: User): boolean"),
    _row(
        "updateUserPassword",
        "question",
        "Sets the user's password; whether that worked.",
        "(user: User, password: string, skipValidation?: boolean): boolean",
        "(user: User, password: string, callbacks: Callbacks): void",
        "(user: User, password: string, skipValidation: boolean, callbacks: Callbacks): void",
    ),
    _row(
        "resolveMultiAttributeLoginIdentifier",
        "question",
        "The username that this identifier signs in, or null.",
        "(identifier: string, tenantDomain: string): string | null",
    ),
)

_SIGNALS = (
    _row(
        "getNetwork",
        "question",
        "Where the request comes from; members that are not known are missing.",
        "(context: Context): Network",
        form="ours",
    ),
    _row(
        "isNewDevice",
        "question",
        "Whether the known user never signed in with this browser.",
        "(context: Context): boolean",
        form="ours",
    ),
    _row(
        "getFailedAttempts",
        "question",
        "Failed sign-ins of the user since the last success.",
        "(user: User): number",
        form="ours",
    ),
    _row(
        "getTimeSinceLastLogin",
        "question",
        "Seconds since the user's last sign-in, or null.",
        "(user: User): number | null",
        form="ours",
    ),
    _row(
        "getLoginVelocity",
        "question",
        "Speed in km/h between the last sign-in and this one, or null if a place is unknown.",
        "(user: User, context: Context): number | null",
        form="ours",
    ),
    _row(
        "getLocalTime",
        "question",
        "The time in a zone such as Europe/Zurich.",
        "(zone: string): LocalTime",
        form="ours",
    ),
)

_HTTP = (
    _row(
        "httpGet",
        "http",
        "Calls an allowed host. Calls registered side by side run at the same time.",
        "(url: string, callbacks?: HttpCallbacks): void",
        "(url: string, headers: Headers, callbacks?: HttpCallbacks): void",
        "(url: string, headers: Headers, authConfig: AuthConfig, callbacks?: HttpCallbacks): void",
    ),
    _row(
        "httpPost",
        "http",
        "The same with a body: JSON, or a form if the Content-Type header says so.",
        "(url: string, body?: Json, callbacks?: HttpCallbacks): void",
        "(url: string, body: Json, headers: Headers, callbacks?: HttpCallbacks): void",
        "(url: string, body: Json, headers: Headers, authConfig: AuthConfig, callbacks?: HttpCallbacks): void",
    ),
)

_EFFECTS = (
    _row(
        "sendEmail",
        "effect",
        "Sends a mail by template to the user.",
        "(user: User, template: string, placeholders?: Record<string, string>): boolean",
    ),
    _row(
        "setCookie",
        "effect",
        "Sets a cookie in the browser.",
        "(response: Response, name: string, value: string, options?: CookieOptions): void",
    ),
)

_PURE = (
    _row(
        "getCookieValue",
        "question",
        "A cookie of the request, or null. Decrypting and checking a signature is a question.",
        "(request: Request, name: string, options?: { decrypt?: boolean; validateSignature?: boolean }): string | null",
    ),
    _row(
        "getMaskedValue",
        "pure",
        "The text with all but its first and last character hidden.",
        "(value: string): string",
    ),
    _row(
        "getValueFromDecodedAssertion",
        "pure",
        "A member of a JWT that a step has verified. Verifies nothing.",
        "(assertion: string, parameter: string, inPayload?: boolean): any",
    ),
    _row(
        "filterAuthenticators",
        "pure",
        "The options of a step without one authenticator.",
        "(options: StepOption[], excluded: string): StepOption[]",
        "(tenantDomain: string, options: StepOption[], excluded: string): StepOption[]",
    ),
    _row(
        "selectAcrFrom",
        "pure",
        "The strongest requested acr; the list runs from the weakest to the strongest. Null without a match.",
        "(context: Context, supported: string[]): string | null",
    ),
)

_ABSENT = (
    _row("checkMicrosoftEmailVerification", "unavailable", "Answers false.", "(context: Context): boolean"),
    _row(
        "callChoreo",
        "unavailable",
        "Goes to onFail.",
        "(connection: Json, payload: Json, callbacks: HttpCallbacks): void",
    ),
    _row(
        "callAnalytics",
        "dead",
        "Goes to onFail; use httpPost.",
        "(meta: Json, payload: Json, callbacks: HttpCallbacks): void",
    ),
    _row(
        "publishToAnalytics",
        "dead",
        "Does nothing; use httpPost.",
        "(meta: Json, payload: Json, context: Context): void",
    ),
    _row("callElastic", "dead", "Goes to onFail; use httpPost.", "(parameters: Json, callbacks: HttpCallbacks): void"),
)

GROUPS: tuple[tuple[str, tuple[Function, ...]], ...] = (
    ("Steps, pages and ends", _CORE),
    ("Roles and groups", _ROLES),
    ("Sessions", _SESSIONS),
    ("Users", _USERS),
    ("Signals", _SIGNALS),
    ("HTTP", _HTTP),
    ("Effects", _EFFECTS),
    ("Values", _PURE),
    ("Not available here", _ABSENT),
)

FUNCTIONS: dict[str, Function] = {function.name: function for _, group in GROUPS for function in group}

GLOBAL_OBJECTS = {"Log": "Logger", "console": "Logger", "http": "Http", "secrets": "Secrets"}
"""Globals that are no functions, with their types."""
