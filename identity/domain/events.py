"""Everything that happens to a person, session, grant family or configuration, by name."""

from dataclasses import dataclass, field
from enum import StrEnum

from identity.domain.tenants import TenantId


class EventType(StrEnum):
    """Grammar `subject:thing:action`. The text beside a name is its line on the generated page docs/events.md."""

    description: str

    def __new__(cls, value: str, description: str) -> "EventType":
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    SIGN_IN_SUCCEEDED = "user:session:started", "A person signed in and a session began."
    SIGN_IN_FAILED = "user:password:refused", "A sign-in try was refused (unknown name or wrong password)."
    SIGN_IN_DENIED = (
        "user:session:denied",
        "A sign-in ended without a session: a script, a demand or a limit denied it.",
    )
    ACCOUNT_LOCKED = "user:account:locked", "Too many failed tries: the account refuses sign-in for a while."
    FACTOR_REFUSED = "authn:factor:refused", "A code or passkey was wrong, used up, expired, or came during a lock."
    FACTORS_LOCKED = "authn:factor:locked", "Too many wrong codes: a person's second factors are refused for a while."
    FACTOR_SUSPENDED = "authn:factor:suspended", "An authenticator app is not taken any more: too many wrong codes."
    FACTOR_SENT = "authn:code:sent", "A code was asked for, to be sent to a person."
    RECOVERY_CODE_USED = "authn:recovery_code:used", "A recovery code was used up in a sign-in."
    FACTOR_ADDED = "user:factor:added", "A person set up a factor: an authenticator app, a passkey, recovery codes."
    FACTOR_RENAMED = "user:factor:renamed", "A person renamed a factor."
    FACTOR_REMOVED = "user:factor:removed", "A factor was removed, by its owner or an administrator."
    FACTORS_FORGIVEN = "user:factor:forgiven", "An administrator had a person's codes taken again."
    STORE_UNAVAILABLE = "store:directory:unavailable", "A user store did not answer a sign-in within its deadline."
    SESSION_ENDED = "user:session:ended", "A session ended: sign-out, or ended by an administrator."
    SESSION_REAUTHENTICATED = "user:session:reauthenticated", "A person proved who they are again in a running session."
    SESSION_RAISED = (
        "user:session:raised",
        "A person added a factor, which their running session has shown from then on.",
    )
    CONSENT_GIVEN = "user:consent:given", "A person allowed an application its scopes."
    CONSENT_DENIED = "user:consent:denied", "A person refused an application's request."
    CONSENT_REVOKED = "user:consent:revoked", "A remembered consent and what it gave were taken back."
    GRANT_ISSUED = "application:grant:issued", "An authorization code was issued to an application."
    GRANT_REVOKED = "application:grant:revoked", "A grant and all of its tokens were revoked."
    CODE_REPLAYED = "application:code:replayed", "A code was redeemed twice: what it gave was revoked."
    REFRESH_REPLAYED = "application:refresh_token:replayed", "A used refresh token came back: its family was revoked."
    TOKEN_REVOKED = "application:token:revoked", "An access token was revoked one by one."
    MAIL_LIMITED = "user:mail:limited", "A mail was not sent: its address has had as many as the limit allows."
    USER_CODE_REFUSED = "user:user_code:refused", "A signed-in person typed a device's code that nobody waits with."
    USER_CREATED = "user:account:created", "A user was created in a store of ours."
    USER_UPDATED = "user:account:updated", "A user's attributes were changed through us."
    USER_DISABLED = "user:account:disabled", "A user was disabled: sessions and grants are over."
    USER_LEFT = "user:account:left", "A person was gone or disabled in their directory: sessions and grants are over."
    USER_ENABLED = "user:account:enabled", "A disabled user was enabled again."
    USER_DELETED = "user:account:deleted", "A user was deleted."
    PASSWORD_CHANGED = "user:password:changed", "A password was set: sessions and grants are over."
    APPLICATION_CREATED = "tenant:application:created", "An application was registered."
    APPLICATION_UPDATED = "tenant:application:updated", "An application's settings were changed."
    APPLICATION_DELETED = "tenant:application:deleted", "An application was deleted."
    SECRET_CREATED = "application:secret:created", "A client secret was added."
    SECRET_DELETED = "application:secret:deleted", "A client secret was removed."
    KEY_CREATED = "tenant:key:created", "A signing key was made."
    KEY_RETIRED = "tenant:key:retired", "A signing key was retired: it only verifies from now on."
    STORE_CREATED = "tenant:store:created", "A user store was connected."
    STORE_UPDATED = "tenant:store:updated", "A user store's settings were changed."
    STORE_DELETED = "tenant:store:deleted", "A user store was disconnected."
    ROLE_CREATED = "tenant:role:created", "A role was created."
    ROLE_UPDATED = "tenant:role:updated", "A role's name, scopes or members were changed."
    ROLE_DELETED = "tenant:role:deleted", "A role was deleted."
    API_RESOURCE_CREATED = "tenant:api_resource:created", "An API resource was registered."
    API_RESOURCE_UPDATED = "tenant:api_resource:updated", "An API resource, its scopes or its types were changed."
    API_RESOURCE_DELETED = "tenant:api_resource:deleted", "An API resource was deleted, and its scopes with it."
    NOTIFICATION_TARGET_CREATED = "tenant:notification_target:created", "A gateway was set up to hear of revocations."
    NOTIFICATION_TARGET_DELETED = "tenant:notification_target:deleted", "A gateway hears of revocations no more."
    ISSUER_TRUSTED = "tenant:issuer:trusted", "Tokens of another issuer are accepted from now on."
    ISSUER_UPDATED = "tenant:issuer:updated", "A trusted issuer's settings were changed."
    ISSUER_FORGOTTEN = "tenant:issuer:forgotten", "Tokens of an issuer are no longer accepted."
    SCRIPT_SAVED = "tenant:script:saved", "A version of a sign-in script was saved as a draft."
    SCRIPT_PUBLISHED = (
        "tenant:script:published",
        "A sign-in script decides from now on, for an application or the tenant.",
    )
    SCRIPT_UNPUBLISHED = "tenant:script:unpublished", "A sign-in script decides no more: each step is asked in turn."
    SCRIPT_SHADOWED = "tenant:script:shadowed", "A candidate script is compared silently from now on, or no more."
    SCRIPT_LIBRARY_SAVED = (
        "tenant:script_library:saved",
        "A library of sign-in scripts was saved, and with it its users.",
    )
    SCRIPT_LIBRARY_DELETED = "tenant:script_library:deleted", "A library of sign-in scripts was deleted."
    SCRIPT_SECRET_SAVED = "tenant:script_secret:saved", "A secret of sign-in scripts was set or changed."
    SCRIPT_SECRET_DELETED = "tenant:script_secret:deleted", "A secret of sign-in scripts was deleted."
    TENANT_CREATED = "tenant:tenant:created", "A tenant was created."
    TENANT_UPDATED = "tenant:tenant:updated", "A tenant's settings were changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`data` holds what else an auditor would ask for; never a secret."""

    tenant: TenantId
    type: EventType
    at: int
    subject: str = ""
    application: str = ""
    session: str = ""
    grant: str = ""
    address: str = ""
    trace_id: str = ""
    data: dict[str, str] = field(default_factory=dict)
