"""The command line as a stranger uses it: every command against an embedded installation of its own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from identity.cli import app
from identity.errors import IdentityError
from tests.support.key_holder import KeyHolder

pytestmark = pytest.mark.long


class Cli:
    """Runs commands in this process, in a folder of their own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._runner = CliRunner()

    def __call__(self, *arguments: str, password: str | None = None) -> Result:
        environment = {} if password is None else {"NEW_PASSWORD": password}
        return self._runner.invoke(app, [*arguments, "--data", str(self.data)], env=environment)

    def output(self, *arguments: str, password: str | None = None) -> str:
        result = self(*arguments, password=password)
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return result.stdout

    def refusal(self, *arguments: str, password: str | None = None) -> str:
        """What `identity` would print before it ends with 1."""
        error = self(*arguments, password=password).exception
        assert isinstance(error, IdentityError), repr(error)
        return error.public


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    data = tmp_path_factory.mktemp("installation")
    made = Cli(data)
    assert "ready" in made.output("migrate")
    return made


def test_people(cli: Cli) -> None:
    cli.output(
        "users",
        "create",
        "jane",
        "--attribute",
        "email=jane@example.org",
        "--attribute",
        "email_verified=true",
        "--group",
        "staff",
        password="correct horse battery",
    )
    assert "jane\tjane@example.org\tstaff" in cli.output("users", "list")
    assert "taken" in cli.refusal("users", "create", "jane", password="correct horse battery")
    cli.output("users", "disable", "jane")
    assert "(disabled)" in cli.output("users", "list")
    cli.output("users", "enable", "jane")
    cli.output("users", "set-password", "jane", password="another horse battery")
    cli.output("users", "sign-out", "jane")
    assert cli.output("users", "factors", "jane") == ""
    cli.output("users", "let-back-in", "jane")
    cli.output("users", "remove-factors", "jane")
    cli.output("users", "delete", "jane")
    assert "jane" not in cli.output("users", "list")
    assert "no user" in cli.refusal("users", "disable", "jane")


def test_import_of_people_reports_what_it_left_alone(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "username,password,groups,email\nkim,kim long password,a b,kim@example.org\nlee,,,\nkim,x y z long,,\n"
    )
    result = cli("users", "import", str(file))
    assert result.exit_code == 1
    assert "kim:" in result.stdout
    assert "kim\tkim@example.org\ta,b" in cli.output("users", "list")


def test_applications(cli: Cli) -> None:
    shown = cli.output(
        "applications", "create", "My shop", "--redirect-uri", "https://shop.example/cb", "--client-id", "shop"
    )
    assert re.search(r"client_secret  \S{80,}", shown)
    assert "shop\tMy shop" in cli.output("applications", "list")
    cli.output("applications", "update", "shop", "--set", "user_access_token_lifetime=60", "--set", 'scopes=["a", "b"]')
    document = json.loads(cli.output("applications", "show", "shop"))
    assert (document["user_access_token_lifetime"], document["scopes"]) == (60, ["a", "b"])
    assert "fingerprint" not in document["secrets"][0]
    assert "client_secret" in cli.output("applications", "secret", "shop", "--keep-old", "60")
    assert len(json.loads(cli.output("applications", "show", "shop"))["secrets"]) == 2
    cli.output("applications", "delete", "shop")
    assert "no application" in cli.refusal("applications", "show", "shop")


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("user_access_token_lifetime=soon", "user_access_token_lifetime: Expected `int`"),
        ("user_access_token_lifetime=0", "user_access_token_lifetime must be 1 to"),
        ("colour=red", "colour is not a setting"),
        ('redirect_uris=["https://a.example/#b"]', "fragment"),
        ('redirect_uris=["javascript:alert(1)"]', "javascript"),
        ('web_origins=["https://a.example/path"]', "not an origin"),
        ("id_token_algorithm=none", "not supported"),
        ("secrets=[]", "secrets is not a setting"),
    ],
)
def test_a_bad_setting_is_named(cli: Cli, setting: str, reason: str) -> None:
    cli("applications", "create", "Named", "--redirect-uri", "https://named.example/cb", "--client-id", "named")
    assert reason in cli.refusal("applications", "update", "named", "--set", setting)


def test_keys(cli: Cli) -> None:
    before = cli.output("keys", "list")
    assert "RS256\tsigning" in before
    new = cli.output("keys", "rotate", "RS256", "--overlap", "0").split()[0]
    assert f"{new}\tRS256\tsigning" in cli.output("keys", "list")
    old = next(line.split("\t")[0] for line in before.splitlines() if "RS256" in line)
    assert "rotate first" in cli.refusal("keys", "delete", new)
    cli.output("keys", "delete", old)
    assert old not in cli.output("keys", "list")
    assert "Sealed" in cli.output("keys", "rewrap")
    assert cli("keys", "rotate", "HS256").exit_code == 2


def test_tenants(cli: Cli) -> None:
    cli.output("tenants", "create", "acme")
    cli.output("tenants", "update", "acme", "--set", "session_idle=900", "--set", "display_name=Acme")
    assert "acme\tAcme" in cli.output("tenants", "list")
    assert "no setting" in cli.refusal("tenants", "update", "acme", "--set", "colour=red")
    assert "code_lifetime must be 1" in cli.refusal("tenants", "update", "acme", "--set", "code_lifetime=0")
    assert "https" in cli.refusal("tenants", "update", "acme", "--set", "issuer=http://evil.example")
    cli.output("tenants", "disable", "acme")
    assert "no tenant" in cli.refusal("users", "list", "--tenant", "acme")
    cli.output("tenants", "enable", "acme")
    assert "host-like" in cli.refusal("tenants", "create", "Not A Handle")


def test_check_knows_what_fapi_2_asks_of_the_issuer(cli: Cli) -> None:
    """Decision 1, where the issuer is changed after the application was saved."""
    cli.output("tenants", "create", "bank")
    cli.output("tenants", "update", "bank", "--set", "issuer=https://id.example/t/bank")
    settings = {
        "profile": "fapi2_security",
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=bank",
        "tls_client_certificate_bound_access_tokens": "true",
    }
    given = [f"--set={name}={value}" for name, value in settings.items()]
    address = ("--redirect-uri", "https://bank.example/cb", "--client-id", "bank")
    cli.output("applications", "create", "Bank", *address, *given, "--tenant", "bank")
    assert "PROBLEM" not in cli.output("check")
    cli.output("tenants", "update", "bank", "--set", "issuer=https://id.example/t/bank/oauth2/token")
    checked = cli("check")
    assert checked.exit_code == 1
    assert "PROBLEM  tenant bank: application bank: profile: fapi2_security needs an issuer" in checked.stdout
    cli.output("tenants", "disable", "bank")


def test_stores(cli: Cli, tmp_path: Path) -> None:
    settings = tmp_path / "ldap.json"
    settings.write_text(json.dumps({"urls": "ldap://127.0.0.1:9", "user_search_base": "dc=example"}))
    result = cli("stores", "add", "corp", "--settings", str(settings))
    assert result.exit_code == 1
    assert "CORP: ldap://127.0.0.1:9" in result.stdout
    assert "CORP\tldap" in cli.output("stores", "list")
    cli.output("stores", "disable", "corp")
    assert "CORP\tldap  (disabled)" in cli.output("stores", "list")
    cli.output("stores", "enable", "corp")
    assert cli("check").exit_code == 1
    cli.output("stores", "remove", "corp")
    assert "no user store" in cli.refusal("stores", "test", "corp")
    settings.write_text(json.dumps({"colour": "red"}))
    assert "CORP" in cli.refusal("stores", "add", "corp", "--settings", str(settings))


def test_trusted_issuers(cli: Cli, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(KeyHolder().jwks)
    issuer = "https://idp.example"
    given = ("--issuer", issuer, "--keys", str(keys))
    assert "lookup_claims" in cli.refusal("issuers", "add", "company", *given)
    assert issuer in cli.output("issuers", "add", "company", *given, "--lookup-claim", "email")
    assert "already" in cli.refusal("issuers", "add", "company", *given, "--lookup-claim", "email")
    assert cli.output("issuers", "list") == f"company\t{issuer}\n"
    cli.output("issuers", "set", "company", "--disable", "--linked-account", "none", "--alias", "us")
    assert cli.output("issuers", "list") == f"company\t{issuer}  (disabled)\n"
    keys.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
    assert "certificate" in cli.refusal("issuers", "set", "company", "--keys", str(keys))
    cli.output("issuers", "remove", "company")
    assert "no trusted issuer" in cli.refusal("issuers", "remove", "company")


def test_check(cli: Cli) -> None:
    shown = cli.output("check")
    assert "tenant root: signing key RS256" in shown
    assert "PROBLEM" not in shown


def identity(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    return subprocess.run(
        [sys.executable, "-m", "identity", *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (("serve", "--demo", "--host", "0.0.0.0"), {}, "only serves loopback"),
        (("serve", "--host", "0.0.0.0"), {}, "--base-url"),
        (("serve", "--base-url", "http://id.example.org"), {}, "https"),
        (("serve", "--base-url", "https://id.example.org/path"), {}, "must not have a path"),
        (("serve", "--workers", "2"), {}, "PostgreSQL"),
        (("serve",), {"IDENTITY_COLOUR": "red"}, "IDENTITY_COLOUR"),
        (("serve",), {"IDENTITY_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/x"}, "master key"),
        (("users", "list"), {}, "identity migrate"),
    ],
)  # fmt: skip
def test_a_wrong_start_says_in_one_line_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    ended = identity(*arguments, folder=tmp_path, **environment)
    assert ended.returncode == 1
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("Made a master key")]
    assert len(lines) == 1, ended.stderr
    assert says in lines[0]


def test_an_unknown_key_in_the_file_refuses_to_start(tmp_path: Path) -> None:
    (tmp_path / "identity.toml").write_text('colour = "red"\n')
    ended = identity("check", folder=tmp_path)
    assert ended.returncode == 1
    assert "colour" in ended.stderr


def test_another_master_key_is_noticed(cli: Cli) -> None:
    ended = identity("check", folder=cli.data, IDENTITY_DATA=str(cli.data), IDENTITY_MASTER_KEY="00" * 32)
    assert ended.returncode == 1
    assert "not the one this database was set up with" in ended.stderr


def test_the_master_key_can_be_replaced(tmp_path: Path) -> None:
    old, new = "11" * 32, "22" * 32
    place = {"IDENTITY_DATA": str(tmp_path)}
    assert identity("migrate", folder=tmp_path, IDENTITY_MASTER_KEY=old, **place).returncode == 0
    both = {"IDENTITY_MASTER_KEY": new, "IDENTITY_PREVIOUS_MASTER_KEYS": json.dumps([old])}
    assert "Sealed" in identity("keys", "rewrap", folder=tmp_path, **both, **place).stdout
    assert identity("check", folder=tmp_path, IDENTITY_MASTER_KEY=new, **place).returncode == 0
    assert identity("check", folder=tmp_path, IDENTITY_MASTER_KEY=old, **place).returncode == 1


@pytest.mark.parametrize(
    ("command", "content", "reason"),
    [
        ("users import", None, "does not exist"),
        ("users import", b"name\nx\n", "no column password and username"),
        ("users import", b"\xff\xfe\x00", "cannot be read as CSV in UTF-8"),
        ("stores add corp --settings", None, "does not exist"),
        ("stores add corp --settings", b"{", "is not JSON"),
        ("stores add corp --settings", b"[1]", "must hold one JSON object"),
    ],
)
def test_an_unusable_file_is_named_without_a_stack(
    cli: Cli, tmp_path: Path, command: str, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    result = cli(*command.split(), str(file))
    assert result.exit_code == 2
    # The terminal's width breaks the sentence, and a frame stands around it.
    assert reason in " ".join(re.sub("[│╭╮╰╯─]", " ", result.output).split())


def test_a_spreadsheets_csv_begins_with_a_byte_order_mark(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(b"\xef\xbb\xbfusername,password\nsheet,correct horse battery\n")
    assert "Imported 1 of 1." in cli.output("users", "import", str(file))


def test_a_taken_client_id_is_named(cli: Cli) -> None:
    arguments = ("applications", "create", "Twice", "--client-id", "twice", "--machine")
    cli.output(*arguments)
    assert cli.refusal(*arguments) == "There is an application 'twice' already."


def test_an_update_without_a_setting_is_refused(cli: Cli) -> None:
    result = cli("applications", "update", "whatever")
    assert result.exit_code == 2
    assert "--set" in result.output
