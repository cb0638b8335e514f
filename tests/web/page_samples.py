"""Every page with the context it documents, filled with ordinary values or with one hostile text everywhere."""

from datetime import UTC, datetime
from typing import Any

from identity.domain.tenants import ROOT_HANDLE, ROOT_TENANT, Tenant, TenantSettings
from identity.web.templates import Pages
from identity.web.theme import Theme

NOW = datetime(2026, 11, 22, 14, 5, 9, tzinfo=UTC)
LOGIN_ERRORS = (None, "refused", "locked", "unavailable", "busy", "expired")


def a_tenant(display_name: str = "Sample organisation") -> Tenant:
    return Tenant(
        id=ROOT_TENANT, handle=ROOT_HANDLE, enabled=True, version=1, settings=TenantSettings(display_name=display_name)
    )


def some_pages(*, demo: bool = False) -> Pages:
    return Pages(theme=Theme(), demo=demo)


def contexts(text: str = "sample", address: str = "https://app.example/cb") -> dict[str, dict[str, Any]]:
    """By template; `text` stands wherever a person or an administrator writes, `address` wherever a link leads."""
    application = {
        "name": text,
        "host": text,
        "identified_by": text,
        "logo_uri": address,
        "logo_path": "/logos/1?v=1",
        "policy_uri": address,
        "tos_uri": address,
    }
    user = {"display_name": text, "username": text}
    form = {"action": "/here", "csrf_token": text}
    return {
        "login.html": form
        | {
            "application": application,
            "username": text,
            "error": "refused",
            "remember": True,
            "choose_account_url": "/choose",
        },
        "account_chooser.html": form
        | {"application": application, "accounts": [{"value": text, "display_name": text, "username": text}]},
        "consent.html": form | {"application": application, "user": user} | _consent(text),
        "logout.html": form
        | {"application": application, "user": user, "applications": [{"name": text, "opened_at": NOW}]},
        "logged_out.html": {
            "application": application,
            "return_url": address,
            "frames": [{"name": text, "address": address}],
            "goes_on": True,
        },
        "error.html": {
            "code": text,
            "title": text,
            "message": text,
            "trace_id": text,
            "time": NOW,
            "back_url": address,
            "start_again_url": address,
        },
        "form_post.html": {"action": address, "parameters": [("code", text), (text, text)]},
        **_factors(text, form | {"application": application, "user": user}),
        "account_factors.html": form | {"user": user} | _account_factors(text),
        "continue.html": {"url": address, "application": application},
        "account.html": form | {"user": user} | _account(text, address),
        "device_code.html": form | {"user": user, "user_code": text, "error": "unknown"},
        "device_confirm.html": form | {"application": application, "user": user} | _device(text),
        "device_done.html": {"outcome": "allowed", "account_path": "/account"},
        "ciba_requests.html": form | {"user": user} | _ciba(text, application),
        "home.html": {
            "discovery_url": "/.well-known/openid-configuration",
            "account_url": "/account",
            "demo": {
                "app_path": "/demo/app",
                "mailbox_path": "/demo/mailbox",
                "users": [{"username": text, "password": text, "store": text}],
                "applications": [{"name": text, "client_id": text}],
            },
        },
        "mailbox.html": {"path": "/demo/mailbox", "mail": None, "mails": [_mail(text)]},
        "demo_app.html": {"config": {"client_id": text, "discovery_url": address}},
    }


def _factors(text: str, shared: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The pages of factors, as in a sign-in; those on which one is added as in the account."""
    shared = shared | {"authenticator": text, "other_ways": True, "can_cancel": True, "error": "refused"}
    passkey = {"options": {"challenge": "AAAA", "user": {"name": text}}, "conditional": True}
    session = {"field": "end-1", "user_agent": text, "address": text, "started_at": NOW, "last_seen_at": NOW}
    drawing = {"size": 10, "path": "M0 0h7v1h-7z"}
    return {
        "choose_factor.html": shared | {"ways": ["FIDOAuthenticator", "totp", text], "enrolling": False},
        "prompt.html": shared
        | {
            "prompt": {
                "title": text,
                "text": text,
                "inputs": [{"id": "why", "label": text, "secret": False}],
                "choices": [text],
            }
        },
        "factors/identifier.html": shared | {"username": text, "passkey": passkey},
        "factors/totp.html": shared,
        "factors/recovery_code.html": shared,
        "factors/email_code.html": shared | {"address": text, "resend": True, "minutes": 5, "length": 8},
        "factors/passkey.html": shared | {"passkey": passkey},
        "factors/session_limit.html": shared | {"sessions": [session], "limit": 1, "end_at_least": 1},
        "factors/totp_enrol.html": shared
        | {"state": text, "secret": text, "uri": "otpauth://totp/sample", "qr": drawing},
        "factors/recovery_code_enrol.html": shared | {"state": text, "codes": [text]},
        "factors/passkey_enrol.html": shared | {"state": text, "passkey": passkey, "label": text, "full": False},
    }


def _account_factors(text: str) -> dict[str, Any]:
    factor = {"id": text, "authenticator": "totp", "label": text, "created_at": NOW, "last_used_at": NOW}
    return {
        "notice": "added",
        "account_path": "/account",
        "paths": {"totp": "/account/factors/app"},
        "factors": [factor | {"codes_left": None}, factor | {"authenticator": text, "codes_left": 3}],
    }


def _mail(text: str) -> dict[str, Any]:
    return {"id": "1", "at": NOW, "to": text, "subject": text, "text": text}


def _consent(text: str) -> dict[str, Any]:
    return {
        "account_path": "/account",
        "details": [{"title": text, "description": text, "facts": [(text, text)]}],
        "resources": [{"name": text, "address": text}],
        "scopes": [
            {"name": "openid", "required": True, "checked": True, "hint": "", "description": ""},
            {"name": "email", "required": False, "checked": True, "hint": text, "description": ""},
            {"name": text, "required": False, "checked": False, "hint": "", "description": text},
        ],
    }


def _account(text: str, address: str) -> dict[str, Any]:
    session = {"id": text, "user_agent": text, "address": text, "started_at": NOW, "last_seen_at": NOW}
    return {
        "notice": "revoked",
        "applications": [{"id": text, "name": text, "scopes": [text], "granted_at": NOW, "start_url": address}],
        "sessions": [session | {"current": True}],
        "waiting": 2,
        "waiting_path": "/requests",
    }


def _device(text: str) -> dict[str, Any]:
    return {
        "user_code": text,
        "cleared": text,
        "scopes": [{"name": "openid", "hint": ""}, {"name": text, "hint": text}],
        "details": [{"title": text, "description": text, "facts": [(text, text)]}],
        "resources": [{"name": text, "address": text}],
        "asked": {"at": NOW, "address": text, "user_agent": text},
        "account_path": "/account",
    }


def _ciba(text: str, application: dict[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = {"id": text, "application": application, "asked_at": NOW, "expires_at": NOW}
    request = asked | {
        "met": True,
        "binding_message": text,
        "scopes": ["openid", text],
        "details": [{"title": text, "description": text, "facts": [(text, text)]}],
        "resources": [{"name": text, "address": text}],
    }
    return {
        "notice": "allowed",
        "page_path": "/oauth2/ciba_authorize",
        "cleared": text,
        "requests": [request, asked | {"met": False}],
        "account_path": "/account",
    }


TEMPLATES = tuple(contexts())


def page(template: str, *, pages: Pages | None = None, locale: str = "en", **changes: Any) -> str:
    """The text of a page with ordinary values, changed by `changes`."""
    context = contexts()[template] | changes
    rendered = (pages or some_pages()).render(template, tenant=a_tenant(), host="id.example", locale=locale, **context)
    return rendered.decode()
