"""A real OpenLDAP server for tests: any loopback port, LDAP, LDAPS and StartTLS, no systemd, any user of the machine.

    with Slapd(folder) as directory:
        directory.uri, directory.ldaps_uri, directory.ca_file, directory.base

People `ou=people`: `uid=u0 … u<n-1>` with the password `pw-<n>`, and the ones of `people()` below. Service account
`cn=svc` with the password `svc-pw`. Overlays: memberof, refint, ppolicy (five wrong passwords lock).
"""

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
SERVICE_DN, SERVICE_PASSWORD = f"cn=svc,{BASE}", "svc-pw"
ADMIN_DN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "admin-pw"

NAMES = "DNS:localhost,IP:127.0.0.1"
"""In its certificate."""

_MODULES, _SCHEMA = Path("/usr/lib/ldap"), Path("/etc/ldap/schema")
_STARTED_WITHIN_TRIES = 250


def find_slapd() -> str | None:
    """The server's program, if it is installed with its modules (Debian: slapd)."""
    program = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/libexec")
    return program if program and (_MODULES / "memberof.la").exists() and shutil.which("openssl") else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def hashed(password: str, salt: bytes = b"saltsalt") -> str:
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


class Slapd:
    base = BASE

    def __init__(self, folder: Path, *, users: int = 20, group_size: int = 10, names: str = NAMES) -> None:
        self.folder = folder
        self._names = names
        self._users, self._group_size = users, group_size
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.port, self.tls_port = free_port(), free_port()
        self.ca_file = folder / "ca.pem"

    @property
    def uri(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def ldaps_uri(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def start(self) -> None:
        """Start, or start again on the same ports. Raises RuntimeError with the server's log."""
        program = find_slapd()
        assert program is not None
        if not (self.folder / "db" / "data.mdb").exists():
            self._prepare()
        self._log = (self.folder / "slapd.log").open("ab")
        # `-d 0` keeps it in the foreground, so the process we hold is the server.
        command = [program, "-d", "0", "-f", str(self._configuration), "-h", f"{self.uri} {self.ldaps_uri}"]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._wait_until_it_listens()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None

    def freeze(self) -> None:
        """It keeps its connections, and the kernel accepts more for it; nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # On a busy machine its threads go on for a while; the parent is told when the last has stopped.
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _configuration(self) -> Path:
        return self.folder / "slapd.conf"

    def _prepare(self) -> None:
        (self.folder / "db").mkdir(parents=True, exist_ok=True)
        make_certificates(self.folder, self._names)
        self._configuration.write_text(self._configuration_text())
        ldif = self.folder / "load.ldif"
        ldif.write_text("".join(self._entries()))
        loader = str(Path(find_slapd() or "slapd").with_name("slapadd"))
        command = [loader, "-q", "-f", str(self._configuration), "-l", str(ldif)]
        loaded = subprocess.run(command, capture_output=True, check=False)
        if loaded.returncode:
            raise RuntimeError(loaded.stderr.decode())

    def _wait_until_it_listens(self) -> None:
        assert self._process is not None
        for port in (self.port, self.tls_port):
            for _ in range(_STARTED_WITHIN_TRIES):
                try:
                    socket.create_connection(("127.0.0.1", port), 0.2).close()
                    break
                except OSError:
                    try:
                        self._process.wait(0.02)
                    except subprocess.TimeoutExpired:
                        continue
                    raise RuntimeError((self.folder / "slapd.log").read_text()[-2000:]) from None

    def _configuration_text(self) -> str:
        folder = self.folder
        schemas = "".join(f"include {_SCHEMA}/{name}.schema\n" for name in ("core", "cosine", "nis", "inetorgperson"))
        modules = "".join(f"moduleload {name}\n" for name in ("back_mdb", "memberof", "refint", "ppolicy"))
        return f"""{schemas}modulepath {_MODULES}
{modules}pidfile {folder}/slapd.pid
argsfile {folder}/slapd.args
loglevel none
sizelimit 500
threads 4
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
access to dn.base="" by * read
database mdb
maxsize {1 << 28}
suffix "{BASE}"
rootdn "{ADMIN_DN}"
rootpw {ADMIN_PASSWORD}
directory {folder}/db
dbnosync
index objectClass eq
index uid,mail,cn,sn eq
index entryUUID,member,memberOf eq
limits dn.exact="{SERVICE_DN}" size.soft=500 size.hard=unlimited size.pr=500 size.prtotal=unlimited
overlay memberof
memberof-group-oc groupOfNames
memberof-refint true
overlay refint
refint_attributes member
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{BASE}"
ppolicy_use_lockout
access to attrs=userPassword by self write by anonymous auth by * none
access to * by self write by users read by * none
"""

    def _entries(self) -> Iterator[str]:
        yield f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: test\ndc: example\n\n"
        for unit in ("people", "groups", "policies", "empty"):
            yield f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
        yield (
            f"dn: {SERVICE_DN}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: svc\n"
            f"userPassword: {hashed(SERVICE_PASSWORD)}\n\n"
        )
        # Every search below people meets this reference; whoever follows it finds nobody listening.
        yield (
            f"dn: ou=elsewhere,{PEOPLE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\n"
            f"ref: ldap://127.0.0.1:1/ou=elsewhere,{PEOPLE}\n\n"
        )
        yield from policies()
        yield from people()
        for number in range(self._users):
            yield numbered_person(number, f"cn=g{number // self._group_size},{GROUPS}")
        for group, first in enumerate(range(0, self._users, self._group_size)):
            members = range(first, min(self._users, first + self._group_size))
            yield group_entry(f"g{group}", *(f"uid=u{number},{PEOPLE}" for number in members))
        yield from nested_groups()


def policies() -> Iterator[str]:
    common = "objectClass: device\nobjectClass: pwdPolicy\npwdAttribute: userPassword\n"
    yield (
        f"dn: cn=default,ou=policies,{BASE}\n{common}cn: default\npwdLockout: TRUE\npwdMaxFailure: 5\n"
        "pwdLockoutDuration: 300\npwdFailureCountInterval: 60\n\n"
    )
    yield f"dn: cn=change,ou=policies,{BASE}\n{common}cn: change\npwdMustChange: TRUE\n\n"
    yield f"dn: cn=old,ou=policies,{BASE}\n{common}cn: old\npwdMaxAge: 1\npwdGraceAuthNLimit: 0\n\n"


def people() -> Iterator[str]:
    """ada has every attribute; grace two mail addresses and odd signs; locked, changing and expired their state; twin1
    and twin2 share a mail address."""
    ada = (
        "displayName: Ada Lovelace\npreferredLanguage: en-GB\ntelephoneNumber: +44 20 7946 0001\n"
        "labeledURI: https://ada.example.org/\nstreet: 12 St James's Square\nl: London\nst: England\n"
        "postalCode: SW1Y 4JH\npostalAddress: 12 St James's Square$London\n"
    )
    yield person("ada", "Ada", "Lovelace", "ada@example.org", ada, groups=("cn=math", "cn=staff"))
    yield person("grace", "Grace", "Hopper", "grace@example.org\nmail: ghopper@example.org", groups=("cn=navy\\2C us",))
    yield person("zoe.o'neill*(x)", "Zoë", "O'Neill", "zoe@example.org")
    yield person("locked", "L", "Ocked", "locked@example.org", "pwdAccountLockedTime: 000001010000Z\n")
    change = f"pwdReset: TRUE\npwdPolicySubentry: cn=change,ou=policies,{BASE}\n"
    yield person("changing", "C", "Hanging", "changing@example.org", change)
    expired = f"pwdChangedTime: 20200101000000Z\npwdPolicySubentry: cn=old,ou=policies,{BASE}\n"
    yield person("expired", "E", "Xpired", "expired@example.org", expired)
    yield person("twin1", "T", "Win", "twins@example.org")
    yield person("twin2", "T", "Win", "twins@example.org")


def person(uid: str, given: str, family: str, mail: str, more: str = "", groups: tuple[str, ...] = ()) -> str:
    """Password `<uid>-pw`. slapadd bypasses the memberof overlay, so the back links are written here."""
    back_links = "".join(f"memberOf: {group},{GROUPS}\n" for group in groups)
    text = f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\n"
    for name, value in (("cn", f"{given} {family}"), ("givenName", given), ("sn", family)):
        text += f"{name}:: {base64.b64encode(value.encode()).decode()}\n"
    return f"{text}mail: {mail}\nuserPassword: {hashed(f'{uid}-pw')}\n{more}{back_links}\n"


def numbered_person(number: int, group: str) -> str:
    return (
        f"dn: uid=u{number},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: u{number}\ncn: User {number}\nsn: Nr{number}\n"
        f"givenName: User\nmail: u{number}@example.org\ntelephoneNumber: +1 555 {number:07d}\n"
        f"userPassword: {hashed(f'pw-{number}')}\nmemberOf: {group}\n\n"
    )


def group_entry(name: str, *members: str, back_links: str = "") -> str:
    lines = "".join(f"member: {member}\n" for member in members)
    return f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\n{back_links}{lines}\n"


def nested_groups() -> Iterator[str]:
    """math and staff have ada; science has math; science and everything have each other."""
    yield group_entry("math", f"uid=ada,{PEOPLE}", back_links=f"memberOf: cn=science,{GROUPS}\n")
    yield group_entry("staff", f"uid=ada,{PEOPLE}")
    yield group_entry("science", f"cn=math,{GROUPS}", f"cn=everything,{GROUPS}")
    yield group_entry("everything", f"cn=science,{GROUPS}")
    yield group_entry("navy\\2C us", f"uid=grace,{PEOPLE}")


def make_certificates(folder: Path, names: str) -> None:
    """ca.pem, and cert.pem with key.pem for `names` (a subjectAltName)."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _openssl(
        folder, "req", "-x509", *key, "-days", "3650", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test ca"
    )
    _openssl(folder, "req", *key, "-keyout", "key.pem", "-out", "server.csr", "-subj", "/CN=test directory")
    (folder / "names").write_text(f"subjectAltName={names}")
    issue = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650", "-extfile", "names")
    _openssl(folder, "x509", "-req", "-in", "server.csr", *issue, "-out", "cert.pem")


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
