"""The beginning of a sign-in by JSON: an authorization request with `response_mode=direct` (wso2-contracts §1.6)."""

from dataclasses import replace

import msgspec

from identity.authn.authenticators import PASSKEY
from identity.authn.login_flow import LoginFlows, LoginRecord
from identity.authn.sign_in_plan import Plan, plan_of
from identity.domain.applications import Application
from identity.oauth2.authorization.authentication_demands import LOGIN_REQUIRED, script_facts, sign_in_denied
from identity.oauth2.authorization.authorization_request import AuthorizationRequest, RefusedRequest
from identity.oauth2.clients.client_authentication import ClientAuthentication
from identity.oauth2.errors import OAuthError
from identity.oauth2.native.native_prompts import NativePrompts
from identity.storage.configuration import ConfigurationMoved
from identity.web.messages import Request, Response, json_response


class NativeLoginStart:
    def __init__(self, clients: ClientAuthentication, flows: LoginFlows, prompts: NativePrompts) -> None:
        self._clients = clients
        self._flows = flows
        self._prompts = prompts

    async def begin(self, http: Request, application: Application, request: AuthorizationRequest) -> Response:
        """The first step. Raises RefusedRequest; nobody is asked about consent here, and no running session counts."""
        await self._require_application(http, application, request)
        if "none" in request.prompt:
            raise RefusedRequest(request, OAuthError(*LOGIN_REQUIRED))
        if "consent" in request.prompt:
            raise RefusedRequest(request, OAuthError("consent_required", "There is no page to ask for consent on."))
        row, secret = await self._flows.begin(
            http,
            application=application,
            return_path="",
            request=msgspec.json.encode(request).decode(),
            record=LoginRecord(
                application_host="", login_hint=request.login_hint, native=True, facts=script_facts(request)
            ),
            plan=_native_plan(http, application, request),
        )
        flow = await self._flows.settle(http, await self._flows.open_native(http, row.id, secret), None)
        if flow.denied:
            raise RefusedRequest(request, sign_in_denied(flow.record.denial))
        return json_response(200, await self._prompts.of(http, flow))

    async def _require_application(
        self, http: Request, application: Application, request: AuthorizationRequest
    ) -> None:
        """A person types a password into it: so it is the application itself, as far as it can show that.

        A pushed request was authenticated when it was pushed. A public application shows with PKCE, which the checks of
        the request demand of it, that the code is redeemed by whoever began the flow.
        """
        if http.method != "POST":
            raise RefusedRequest(request, OAuthError("invalid_request", "response_mode=direct needs a POST."))
        if request.response_type != "code":
            raise RefusedRequest(
                request, OAuthError("unsupported_response_type", "response_mode=direct needs response_type=code.")
            )
        if request.pushed:
            return
        try:
            shown = await self._clients.authenticate(http, {"client_id": application.client_id})
        except OAuthError as error:
            raise RefusedRequest(request, error) from None
        if (shown.id, shown.version) != (application.id, application.version):
            raise ConfigurationMoved


def _native_plan(http: Request, application: Application, request: AuthorizationRequest) -> Plan:
    """Passkeys belong to our own origin: an application that can use them by itself names them in its steps."""
    plan = plan_of(http.tenant, application, request.acr_values)
    if application.sign_in_steps:
        return plan
    steps = (tuple(name for name in step if name != PASSKEY) or step for step in plan.steps)
    return replace(plan, steps=tuple(steps))
