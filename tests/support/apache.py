"""An Apache of a test's own, with mod_auth_openidc in front of an application: its own folder, port and process."""

import os
from pathlib import Path

import pytest

from tests.support import outside
from tests.support.network import free_ports
from tests.support.processes import Program, environment

_MODULES = Path("/usr/lib/apache2/modules")
# In the order in which they need each other.
_NEEDED = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy", "proxy_http", "auth_openidc")

_CONFIGURATION = """
ServerRoot "{folder}"
ServerName localhost
PidFile "{folder}/apache.pid"
Mutex file:{folder} default
DefaultRuntimeDir "{folder}"
Listen 127.0.0.1:{port}
LogLevel warn mpm_event:notice
ErrorLog /dev/stderr
StartServers 1
ServerLimit 1
{modules}
{user}

{provider}
OIDCRedirectURI http://localhost:{port}/protected/oidc
OIDCCryptoPassphrase only-in-this-test
OIDCScope "openid profile email groups"
OIDCPKCEMethod S256
OIDCPassClaimsAs headers
OIDCRemoteUserClaim sub
OIDCDefaultLoggedOutURL http://localhost:{port}/public
{directives}

ProxyPass /protected/oidc !
ProxyPass / {application}/
<Location /protected>
  AuthType openid-connect
  Require valid-user
</Location>
<Location /protected/engineers>
  AuthType openid-connect
  Require claim groups:engineering
</Location>
<Location /api>
  AuthType oauth20
  Require valid-user
</Location>
<Location /public>
  Require all granted
</Location>
"""
"""`/protected` is for people who signed in, `/api` for access tokens, `/public` for everybody."""


class Apache:
    """`start()` to `stop()`. The folder must be readable by its unprivileged children."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        (self.port,) = free_ports(1)
        self.base_url = f"http://localhost:{self.port}"
        self.redirect_uri = f"{self.base_url}/protected/oidc"
        self._running: Program | None = None

    def start(
        self,
        *,
        application: str,
        discovery_url: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        directives: str = "",
    ) -> None:
        """`directives` come last, and so over those that are here anyway. Raises AssertionError with its output when
        it does not start."""
        named = {
            "OIDCProviderMetadataURL": discovery_url, "OIDCClientID": client_id, "OIDCClientSecret": client_secret,
        }  # fmt: skip
        file = self._folder / "apache.conf"
        file.write_text(
            _CONFIGURATION.format(
                folder=self._folder,
                port=self.port,
                modules="\n".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in _NEEDED),
                user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
                provider="\n".join(f"{name} {value}" for name, value in named.items() if value is not None),
                directives=directives,
                application=application,
            )
        )
        command = [str(self._program), "-d", str(self._folder), "-f", str(file), "-D", "FOREGROUND"]
        self._running = Program(command, env=environment(), cwd=self._folder)
        self._running.wait_for("resuming normal operations", 30)

    @property
    def output(self) -> str:
        return self._running.output if self._running else ""

    def stop(self) -> None:
        """End the process that `start` began, and with it its children."""
        if self._running is not None:
            self._running.stop()


def find_apache(config: pytest.Config) -> Path:
    """The program; skips when it or its OpenID Connect module is missing."""
    program = outside.find_program("apache2")
    if program is None:
        outside.missing(config, "Apache", "apache2")
    if not (_MODULES / "mod_auth_openidc.so").exists():
        outside.missing(config, "mod_auth_openidc", "libapache2-mod-auth-openidc")
    return program
