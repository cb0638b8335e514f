"""The catalogue of the script language: members of objects, and options."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """`type` in TypeScript; a name that ends in `?` may be missing."""

    name: str
    type: str
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    name: str
    doc: str
    members: tuple[Member, ...]


INTERFACES: tuple[Interface, ...] = (
    Interface(
        "Context",
        "The login. One object, the same in every callback.",
        (
            Member(
                "readonly steps",
                "Record<number, Step>",
                "By the number in the application, not the order of execution.",
            ),
            Member("readonly request", "Request", "What the browser sent last."),
            Member("readonly response", "Response", "The answer to the browser."),
            Member("readonly serviceProviderName", "string", "The application's name."),
            Member("readonly tenantDomain", "string", "The application's tenant."),
            Member(
                "readonly currentKnownSubject",
                "User | null",
                "Who it is: the user of the subject step. Null until a step succeeded.",
            ),
            Member("readonly lastAuthenticatedUser", "User | null", "The user of the step that succeeded last."),
            Member("readonly lastLoginFailedUser", "User | null", "The user of the step that failed last, if known."),
            Member("readonly currentStep", "number | null", "The step that ended last."),
            Member("readonly requestedAcr", "string[]", "acr_values of the request."),
            Member("selectedAcr", "string | null", "The acr that the token will carry."),
            Member("readonly requestedScopes", "string[]", "The scopes of the request. An addition of ours."),
            Member(
                "readonly authorizationDetails",
                "any[]",
                "authorization_details of the request (RFC 9396). An addition of ours.",
            ),
        ),
    ),
    Interface(
        "Step",
        "A step of the application.",
        (
            Member("readonly subject", "User | null", "Who the step identified."),
            Member("readonly idp", "string | null", "LOCAL, or the identity provider."),
            Member("readonly authenticator", "string | null", "The authenticator that was used."),
            Member("readonly options", "StepOption[]", "What the step offers."),
        ),
    ),
    Interface(
        "StepOption",
        "One way to pass a step.",
        (
            Member("idp?", "string"),
            Member("authenticator?", "Authenticator"),
        ),
    ),
    Interface(
        "User",
        "A person. Claims are read by URI, such as http://wso2.org/claims/emailaddress.",
        (
            Member("readonly uniqueId", "string", "The user's id."),
            Member("readonly username", "string"),
            Member("readonly identifier", "string", "What the person signed in with."),
            Member("userStoreDomain", "string"),
            Member("readonly tenantDomain", "string"),
            Member("localClaims", "Record<string, string>", "Claims of the user store. Writing one stores it."),
            Member("claims", "Record<string, string>", "Claims for this session only."),
            Member(
                "remoteClaims", "Record<string, string>", "Claims of the identity provider. Not available yet: empty."
            ),
            Member("readonly roles", "string[]", "The user's roles."),
        ),
    ),
    Interface(
        "Request",
        "A request of the browser.",
        (
            Member("readonly ip", "string", "The address of the client."),
            Member("readonly headers", "Record<string, string>", "Names in any case."),
            Member("readonly params", "Record<string, string[]>", "Each a list: params.scenario[0]."),
            Member("readonly cookies", "Record<string, { value: string }>", "cookies.name.value."),
        ),
    ),
    Interface(
        "Response", "The next answer to the browser.", (Member("headers", "Record<string, string>", "Written only."),)
    ),
    Interface(
        "Session",
        "A session of a user.",
        (
            Member("id", "string"),
            Member("userAgent", "{ rawString: string; browser: string; platform: string; device: string }"),
            Member("ip", "string"),
            Member("loginTime", "string"),
            Member("lastAccessTime", "string"),
            Member("applications", "Application[]"),
        ),
    ),
    Interface(
        "Application",
        "An application of a session.",
        (
            Member("subject", "string"),
            Member("appName", "string"),
            Member("appId", "string"),
        ),
    ),
    Interface(
        "Network",
        "Where a request comes from.",
        (
            Member("ip", "string"),
            Member("asn?", "number", "Autonomous system."),
            Member("country?", "string", "ISO 3166-1 alpha-2."),
            Member("latitude?", "number"),
            Member("longitude?", "number"),
            Member("inNetworks?", "string[]", "Names of the tenant's networks that hold the address."),
        ),
    ),
    Interface(
        "LocalTime",
        "Wall clock of a zone.",
        (
            Member("year", "number"),
            Member("month", "number", "1 to 12."),
            Member("day", "number"),
            Member("hour", "number", "0 to 23."),
            Member("minute", "number"),
            Member("weekday", "number", "1 Monday to 7 Sunday."),
        ),
    ),
    Interface(
        "StepOptions",
        "How to run a step.",
        (
            Member("authenticationOptions?", "(StepOption | Authenticator)[]", "Offer only these."),
            Member(
                "authenticatorParams?",
                "{ common?: Record<string, string>; local?: Record<string, Record<string, string>>;"
                " federated?: Record<string, Record<string, string>> }",
                "Settings for the authenticators.",
            ),
            Member(
                "stepOptions?",
                "{ forceAuth?: 'true' | 'false'; markAsSubjectIdentifierStep?: 'true' | 'false';"
                " markAsSubjectAttributeStep?: 'true' | 'false' }",
                "Texts, not booleans.",
            ),
        ),
    ),
    Interface(
        "Callbacks",
        "",
        (
            Member("onSuccess?", "(context: Context, data?: any) => void"),
            Member("onFail?", "(context: Context, data?: any) => void"),
        ),
    ),
    Interface(
        "StepCallbacks extends Callbacks",
        "",
        (Member("onUserAbort?", "(context: Context, data?: any) => void", "The person gave the step up."),),
    ),
    Interface(
        "HttpCallbacks extends Callbacks",
        "",
        (Member("onTimeout?", "(context: Context, data?: any) => void", "Else onFail."),),
    ),
    Interface(
        "AuthConfig",
        "Credentials for an HTTP call.",
        (
            Member("type", "'basic' | 'basicauth' | 'bearer' | 'bearertoken' | 'apikey' | 'clientcredential'"),
            Member("properties", "Record<string, string>", "May hold secrets."),
        ),
    ),
    Interface(
        "CookieOptions",
        "",
        (
            Member("'max-age'?", "number", "Seconds."),
            Member("path?", "string"),
            Member("domain?", "string"),
            Member("httpOnly?", "boolean"),
            Member("secure?", "boolean"),
            Member("sameSite?", "'Strict' | 'Lax' | 'None'"),
            Member("version?", "number"),
            Member("comment?", "string"),
            Member("sign?", "boolean", "So that nobody can change it unnoticed."),
            Member("encrypt?", "boolean", "So that nobody can read it."),
        ),
    ),
    Interface(
        "StepResult",
        "How a step ended.",
        (
            Member("readonly ok", "boolean", "Read it: an unread failure denies the login."),
            Member("readonly user", "User | null"),
            Member("readonly authenticator", "string | null"),
            Member("readonly idp", "string | null"),
            Member("readonly aborted", "boolean"),
            Member("readonly data", "any"),
            Member("readonly request", "Request"),
        ),
    ),
    Interface(
        "PromptResult",
        "How a page ended.",
        (
            Member("readonly ok", "boolean"),
            Member("readonly params", "Record<string, string[]>"),
            Member("readonly data", "any"),
        ),
    ),
    Interface(
        "HttpResult",
        "An answer, or none.",
        (
            Member("readonly ok", "boolean", "Status 200 to 299."),
            Member("readonly timeout", "boolean"),
            Member("readonly status", "number | null"),
            Member("readonly data", "any", "JSON; a plain text is in data.response."),
        ),
    ),
    Interface(
        "Http",
        "",
        (
            Member("get", "(url: string, options?: { headers?: Headers; auth?: AuthConfig }) => Promise<HttpResult>"),
            Member(
                "post",
                "(url: string, body?: Json, options?: { headers?: Headers; auth?: AuthConfig }) => Promise<HttpResult>",
            ),
        ),
    ),
    Interface(
        "Logger",
        "",
        (
            Member("log", "(...values: unknown[]) => void"),
            Member("debug", "(...values: unknown[]) => void"),
            Member("info", "(...values: unknown[]) => void"),
            Member("warn", "(...values: unknown[]) => void"),
            Member("error", "(...values: unknown[]) => void"),
        ),
    ),
)
