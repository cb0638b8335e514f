"""What scripts are told of requests and people. Passwords and codes are never among it, nor are our own cookies."""

from collections.abc import Mapping
from typing import Any

from identity.authn.people import Person
from identity.domain.applications import Application
from identity.storage.configuration import TenantConfiguration
from identity.web.messages import Request

HEADERS = ("user-agent", "accept-language", "referer", "origin", "sec-ch-ua", "sec-ch-ua-platform", "sec-ch-ua-mobile")
"""Of a browser's request; what else it sends is nobody's business."""
OUR_COOKIES = ("__Host-", "__Secure-", "sso-", "flow-", "opbs-")
_SECRET = frozenset({"password", "code", "OTPcode", "response", "tokenResponse", "csrf_token"})
"""Fields whose values prove something; a script is told how a step ended instead."""
MAXIMUM_FIELDS = 30
MAXIMUM_TEXT = 512


def login_facts(http: Request, application: Application | None, told: Mapping[str, Any]) -> dict[str, Any]:
    """Of the request that began a login; `told` may hold `params`, the authorization request's."""
    params = {str(name): [str(value)] for name, value in dict(told.get("params", {})).items()}
    return {
        "application": application.name if application is not None else "",
        "tenant": http.tenant.tenant.handle,
        "request": {**request_facts(http, None), "params": params},
    }


def typed(form: Mapping[str, str]) -> dict[str, str]:
    """Of the form of a factor, what a script may see."""
    return {name: value for name, value in form.items() if name not in _SECRET}


def request_facts(http: Request, fields: Mapping[str, str] | None) -> dict[str, Any]:
    """`{ip, headers, params, cookies}` of one request; `fields`: of its form, what a script may see."""
    headers = {}
    for name in HEADERS:
        value = _first(http, name)
        if value is not None:
            headers[name] = value[:MAXIMUM_TEXT]
    cookies = [(name, value) for name, value in http.cookies().items() if not name.startswith(OUR_COOKIES)]
    return {
        "ip": http.address,
        "headers": headers,
        "params": {name: [value[:MAXIMUM_TEXT]] for name, value in list((fields or {}).items())[:MAXIMUM_FIELDS]},
        "cookies": {name: {"value": value[:4096]} for name, value in cookies[:MAXIMUM_FIELDS]},
    }


def shown_person(tenant: TenantConfiguration, person: Person) -> dict[str, Any]:
    """A user as scripts see one; `id` is our subject."""
    return {
        "id": person.subject.id,
        "username": person.subject.username,
        "identifier": person.subject.qualified_username,
        "domain": person.user.store,
        "tenant": tenant.tenant.handle,
    }


def is_true(value: Any) -> bool:
    """WSO2's scripts write flags as texts, too."""
    return value is True or str(value).lower() == "true"


def _first(http: Request, name: str) -> str | None:
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in http.headers if key == wanted), None)
