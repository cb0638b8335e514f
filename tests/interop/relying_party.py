"""idpyoidc as a relying party: configured as its documentation says, it registers itself and signs Jane in."""

import copy
import json
import time
from dataclasses import replace
from typing import Any

import requests
from cryptojwt.jws.jws import JWS
from idpyoidc.client.client_auth import PrivateKeyJWT
from idpyoidc.client.defaults import DEFAULT_OIDC_SERVICES
from idpyoidc.client.oidc import RP
from idpyoidc.client.rp_handler import RPHandler
from idpyoidc.message.oauth2 import JWTSecuredAuthorizationRequest

from tests.support.browser import Browser
from tests.support.builders import CALLBACK, Site, response_parameters
from tests.support.key_holder import new_jti
from tests.support.receiver import Receiver, Reply

_KEYS = [{"type": "RSA", "use": ["sig", "enc"]}, {"type": "EC", "crv": "P-256", "use": ["sig", "enc"]}]
_ADD_ON = "idpyoidc.client.oauth2.add_on"

PKCE = {
    "function": f"{_ADD_ON}.pkce.add_support",
    "kwargs": {"code_challenge_length": 64, "code_challenge_method": "S256"},
}
JAR = {
    "function": f"{_ADD_ON}.jar.add_support",
    "kwargs": {"request_type": "request_parameter", "request_object_signing_alg": "ES256"},
}
PAR = {"function": "tests.interop.relying_party.add_pushed_requests", "kwargs": {}}
DPOP = {"function": f"{_ADD_ON}.dpop.add_support", "kwargs": {"dpop_signing_alg_values_supported": ["ES256"]}}

SIGNED = ("id_token", "userinfo", "request_object", "token_endpoint_auth")
SERVICES = {
    "end_session": "idpyoidc.client.oidc.end_session.EndSession",
    "ciba": "idpyoidc.client.oidc.backchannel_authentication.BackChannelAuthentication",
}


class ForTheIssuer(PrivateKeyJWT):  # type: ignore[misc]
    """private_key_jwt as FAPI 2 demands it: the audience is the issuer, as a string. Its own is the token endpoint,
    as an array."""

    def _construct_client_assertion(self, service: Any, **_: Any) -> str:
        context = service.upstream_get("context")
        now = int(time.time())
        claims = {
            "iss": context.client_id, "sub": context.client_id, "aud": context.provider_info["issuer"], "iat": now,
            "exp": now + 60, "jti": new_jti(),
        }  # fmt: skip
        keys = self.get_signing_key_from_keyjar("ES256", service.upstream_get("attribute", "keyjar"))
        assertion: str = JWS(json.dumps(claims), alg="ES256").sign_compact(keys)
        return assertion


def add_pushed_requests(services: Any) -> None:
    """In the place of its own add-on, which takes 200 only (RFC 9126 §2.2 says 201) and sends no client assertion."""
    services["authorization"].post_construct.append(push)


def push(request_args: Any, service: Any, **_: Any) -> Any:
    """RFC 9126 §2.1, with the client's usual authentication."""
    context = service.upstream_get("context")
    form = service.msg_type(**request_args.to_dict())
    service.get_headers(form, http_method="POST", authn_method="private_key_jwt")
    answer = requests.post(
        context.provider_info["pushed_authorization_request_endpoint"],
        data=form.to_urlencoded(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=10,
    )
    assert answer.status_code == requests.codes.created, answer.text
    required = {name: request_args[name] for name in request_args.required_parameters()}
    return JWTSecuredAuthorizationRequest(**required, request_uri=answer.json()["request_uri"])


class RelyingParty:
    """One client of one tenant, registered at `start`. `configuration` is over what is here."""

    def __init__(self, site: Site, receiver: Receiver, **configuration: Any) -> None:
        self.site = site
        self.browser: Browser = site.browser()
        values: dict[str, Any] = {
            "client_type": "oidc",
            "issuer": site.issuer,
            "redirect_uris": [CALLBACK],
            "response_types_supported": ["code"],
            "scopes_supported": ["openid", "profile", "email"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "client_authn_methods": ["private_key_jwt", "bearer_header"],
            **{f"{what}_signing_alg_values_supported": ["ES256"] for what in SIGNED},
            "key_conf": {"key_defs": _KEYS},
            "add_ons": {"pkce": PKCE},
            "services": DEFAULT_OIDC_SERVICES | {name: {"class": place} for name, place in SERVICES.items()},
        }
        configuration = copy.deepcopy(values | configuration)
        self._handler = RPHandler(
            base_url=receiver.origin,
            client_configs={"here": configuration},
            httpc_params={"timeout": 10},
            # Its default is to keep private keys in a file of the working folder.
            key_conf={"key_defs": _KEYS, "uri_path": "static/jwks.json"},
        )
        self.client: RP = self._handler.init_client("here")
        # Where it says that its keys are.
        receiver.answer("/static/jwks.json", Reply.json(self.client.keyjar.export_jwks()))

    def start(self, **settings: Any) -> "RelyingParty":
        """Discover the server and register there; `settings` of the application are set by an administrator."""
        self.site.change_settings(lambda current: replace(current, registration="open"))
        self.client.do_provider_info()
        self.client.do_client_registration()
        # What its registration leaves undone: the client assertion is made from here.
        self.client.client_id = self.client_id
        if settings:
            from identity.administration import applications

            self.site.administer(
                lambda a: applications.update_application(a, self.site.tenant, self.client_id, settings)
            )
        return self

    @property
    def client_id(self) -> str:
        client_id: str = self.client.get_context().client_id
        return client_id

    def leave(self) -> str:
        """The address it sends the browser to."""
        address: str = self.client.init_authorization()
        return address

    def sign_in(self, address: str | None = None) -> dict[str, str]:
        """The response to its authorization request; Jane agrees to what it asks for."""
        page = self.browser.get(address or self.leave())
        if page.has("login-submit"):
            page = page.submit("login-submit", username=self.site.jane.username, password=self.site.jane.password)
        if page.has("consent-allow"):
            page = page.submit("consent-allow")
        return response_parameters(page)

    def finish(self, response: dict[str, str]) -> dict[str, Any]:
        """Tokens and userinfo, checked by it."""
        answer: dict[str, Any] = self.client.finalize(response)
        assert "error" not in answer, answer
        return answer
