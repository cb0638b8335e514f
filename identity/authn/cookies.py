"""Our cookies: the session's, each flow's, and the browser state that scripts may read (decisions 17 and 18).

`__Host-` names with Secure, except in demo mode over http on loopback. Values are random and stored hashed; an
unreadable or foreign one is nobody's.
"""

from dataclasses import dataclass

from identity.storage.configuration import TenantConfiguration
from identity.web.messages import Request, Response

MAXIMUM_VALUE = 128


@dataclass(frozen=True, slots=True)
class Cookies:
    """`plain` leaves out `__Host-` and Secure: demo mode on loopback only."""

    plain: bool

    def session(self, request: Request) -> str | None:
        return self._read(request, self._session_name(request.tenant))

    def set_session(self, response: Response, tenant: TenantConfiguration, value: str, max_age: int | None) -> None:
        """`max_age` seconds, or None for a cookie that goes with the browser."""
        self._write(response, self._session_name(tenant), value, max_age)

    def clear_session(self, response: Response, tenant: TenantConfiguration) -> None:
        """The browser state goes with it: applications notice that the session is over."""
        self._write(response, self._session_name(tenant), "", 0)
        self.set_browser_state(response, tenant, "", 0)

    def browser_state(self, request: Request) -> str | None:
        return self._read(request, self.browser_state_name(request.tenant))

    def set_browser_state(
        self, response: Response, tenant: TenantConfiguration, value: str, max_age: int | None
    ) -> None:
        """Read by the script of `/oidc/checksession`, which stands in pages of other sites: hence neither HttpOnly nor
        Lax, and hence it must carry no authority. Browsers take SameSite=None with Secure only."""
        cross_site = "SameSite=Lax" if self.plain else "SameSite=None; Secure"
        response.set_cookie(_line(self.browser_state_name(tenant), value, max_age, cross_site))

    def browser_state_name(self, tenant: TenantConfiguration) -> str:
        return self._name(f"opbs-{tenant.tenant.handle}")

    def set_device(self, response: Response, tenant: TenantConfiguration, marks: str, max_age: int) -> None:
        """Who has signed in with this browser before (`devices`); gives nobody any right."""
        self._write(response, self._name(f"device-{tenant.tenant.handle}"), marks, max_age)

    def flow(self, request: Request, flow: str) -> str | None:
        return self._read(request, self._name(f"flow-{flow}"))

    def set_flow(self, response: Response, flow: str, value: str, max_age: int) -> None:
        self._write(response, self._name(f"flow-{flow}"), value, max_age)

    def clear_flow(self, response: Response, flow: str) -> None:
        self._write(response, self._name(f"flow-{flow}"), "", 0)

    def _session_name(self, tenant: TenantConfiguration) -> str:
        return self._name(f"sso-{tenant.tenant.handle}")

    def _name(self, name: str) -> str:
        return name if self.plain else f"__Host-{name}"

    def _read(self, request: Request, name: str) -> str | None:
        value = request.cookies().get(name)
        return value if value and len(value) <= MAXIMUM_VALUE else None

    def _write(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        secure = "" if self.plain else "; Secure"
        response.set_cookie(_line(name, value, max_age, f"HttpOnly; SameSite=Lax{secure}"))


def _line(name: str, value: str, max_age: int | None, attributes: str) -> bytes:
    lifetime = "" if max_age is None else f"; Max-Age={max_age}"
    return f"{name}={value}; Path=/{lifetime}; {attributes}".encode()
