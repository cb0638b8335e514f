"""`/api/users/v1/me/sign-in-traces`: how a person's own last sign-ins went, in the words that they may read."""

from identity.account.account_access import AccountAccess
from identity.authn.login_trace import LoginTraces
from identity.storage.database import Database
from identity.web.messages import Request, Response, json_response

SHOWN = ("short", "started", "outcome", "application", "address")
"""Rules, inputs and log lines of scripts are for administrators."""


class OwnTracesEndpoint:
    def __init__(self, access: AccountAccess, traces: LoginTraces, database: Database) -> None:
        self._access = access
        self._traces = traces
        self._database = database

    async def list_all(self, request: Request) -> Response:
        """GET: the newest first."""
        visit = await self._access.reading(request)
        found = await self._traces.of_subject(self._database, request.tenant.id, visit.person.subject.id, visit.now)
        traces = [{name: trace[name] for name in SHOWN} for trace in found]
        return json_response(200, {"totalResults": len(traces), "traces": traces})
