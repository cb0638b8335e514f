"""Requests as octets, answers as outcomes: checked against ldap3's own reader of the protocol and published forms."""

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from userstores.ldap.answers import BindAnswer, ConnectionBroken, DirectoryRefusal, Entry, policy_error
from userstores.ldap.entries import claim_value, entry_id, generalized_time, id_value, is_enabled
from userstores.ldap.filters import And, Equal, Filter, Or, Present
from userstores.ldap.groups import _group_name, _is_below
from userstores.ldap.messages import bind_request, control, encode_filter, paged_results, search_request
from userstores.ldap.settings import parse_settings
from userstores.spi import RefusalReason

pytestmark = pytest.mark.long

SETTINGS = parse_settings({"urls": "ldaps://x.example.org", "user_search_base": "ou=people,dc=x"})


def decode(octets: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element: an independent, slow reader of BER with definite lengths."""
    found = []
    while octets:
        tag, length, start = octets[0], octets[1], 2
        if length & 0x80:
            start = 2 + (length & 0x7F)
            length = int.from_bytes(octets[2:start], "big")
        assert len(octets) >= start + length
        found.append((tag, octets[start : start + length]))
        octets = octets[start + length :]
    return found


class TestRequests:
    def test_search(self) -> None:
        tree = And((Equal("objectClass", "person"), Or((Equal("uid", "a"), Present("mail")))))
        message = search_request(7, "dc=x", "SUBTREE", tree, ["cn", "sn"], size_limit=300, time_limit=3)
        ((tag, body),) = decode(message)
        assert tag == 0x30
        (message_id, operation) = decode(body)
        assert message_id == (0x02, b"\x07")
        assert operation[0] == 0x63
        fields = decode(operation[1])
        assert fields[:6] == [(4, b"dc=x"), (10, b"\x02"), (10, b"\0"), (2, b"\x01\x2c"), (2, b"\x03"), (1, b"\0")]
        assert [tag for tag, _ in decode(fields[6][1])] == [0xA3, 0xA1]
        assert decode(fields[7][1]) == [(4, b"cn"), (4, b"sn")]

    def test_bind(self) -> None:
        message = bind_request(128, "cn=a", b"pw", control("1.2.3"))
        parts = decode(decode(message)[0][1])
        assert parts[0] == (2, b"\x00\x80")
        assert decode(parts[1][1]) == [(2, b"\x03"), (4, b"cn=a"), (0x80, b"pw")]
        assert decode(decode(parts[2][1])[0][1]) == [(4, b"1.2.3")]

    @pytest.mark.parametrize(("dn", "password"), [("", b"pw"), ("cn=a", b""), ("", b"")])
    @pytest.mark.spec("RFC 4513", "5.1.2")
    def test_never_an_unauthenticated_bind(self, dn: str, password: bytes) -> None:
        with pytest.raises(ValueError, match="name and a password"):
            bind_request(1, dn, password)

    def test_ldap3_reads_what_we_write(self) -> None:
        from pyasn1.codec.ber import decoder

        import userstores.ldap.library  # noqa: F401  # ldap3 takes names from pyasn1 that are put back there

        rfc4511 = importlib.import_module("ldap3.protocol.rfc4511")
        controls = control("1.2.840.113556.1.4.319", paged_results(500, b"\x01"))
        tree = Equal("uid", "x" * 300)
        message = search_request(2**31 - 1, "ou=é,dc=x", "BASE", tree, [], controls=controls)
        read, rest = decoder.decode(message, asn1Spec=rfc4511.LDAPMessage())
        assert not rest
        request = read["protocolOp"]["searchRequest"]
        assert bytes(request["baseObject"]).decode() == "ou=é,dc=x"
        assert bytes(request["filter"]["equalityMatch"]["assertionValue"]) == b"x" * 300

    @settings(max_examples=200)
    @given(
        st.recursive(
            st.builds(Equal, st.just("uid"), st.text() | st.binary()) | st.just(Present("mail")),
            lambda inner: (
                st.builds(And, st.lists(inner, min_size=1, max_size=3).map(tuple))
                | st.builds(Or, st.lists(inner, min_size=1, max_size=3).map(tuple))
            ),
            max_leaves=8,
        ).filter(lambda tree: "\\ud" not in ascii(tree))
    )
    def test_a_value_is_one_element_whatever_it_holds(self, tree: Filter) -> None:
        def check(node: Filter, octets: bytes) -> None:
            ((tag, content),) = decode(octets)
            match node:
                case Equal(attribute, value):
                    expected = value.encode() if isinstance(value, str) else value
                    assert (tag, decode(content)) == (0xA3, [(4, attribute.encode()), (4, expected)])
                case Present(attribute):
                    assert (tag, content) == (0x87, attribute.encode())
                case And(parts) | Or(parts):
                    assert tag == (0xA0 if isinstance(node, And) else 0xA1)
                    for part, (inner, value) in zip(parts, decode(content), strict=True):
                        check(part, _element(inner, value))

        check(tree, encode_filter(tree))


def _element(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content


class TestAnswers:
    @pytest.mark.parametrize(
        ("value", "error"),
        [
            (b"", None),
            (b"\x30\x00", None),
            (b"\x30\x03\x81\x01\x00", 0),
            (b"\x30\x03\x81\x01\x01", 1),
            (b"\x30\x08\xa0\x03\x80\x01\x05\x81\x01\x02", 2),
            (b"\x30\x05\xa0\x03\x81\x01\x03", None),
            (b"\x30\xff\x81\x01\x01", None),
            (b"\x30\x03\x81\x02\x01", None),
            (b"garbage", None),
        ],
    )
    def test_password_policy(self, value: bytes, error: int | None) -> None:
        assert policy_error(value) == error

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (BindAnswer(0), None),
            (BindAnswer(49), RefusalReason.WRONG_PASSWORD),
            (BindAnswer(49, policy_error=1), RefusalReason.LOCKED),
            (BindAnswer(49, policy_error=0), RefusalReason.EXPIRED),
            (BindAnswer(48), RefusalReason.WRONG_PASSWORD),
            (BindAnswer(32), RefusalReason.WRONG_PASSWORD),
            (BindAnswer(53, "Account inactivated. Contact system administrator."), RefusalReason.DISABLED),
            (
                BindAnswer(49, "80090308: LdapErr: DSID-0C090447, data 52e, v3839"),
                RefusalReason.WRONG_PASSWORD,
            ),
            (BindAnswer(49, "80090308: LdapErr: DSID-0C090447, data 533, v3839"), RefusalReason.DISABLED),
            (BindAnswer(49, "80090308: LdapErr: DSID-0C090447, data 775, v3839"), RefusalReason.LOCKED),
            (BindAnswer(49, "80090308: LdapErr: DSID-0C090447, data 532, v3839"), RefusalReason.EXPIRED),
        ],
    )
    def test_bind_reasons(self, answer: BindAnswer, reason: RefusalReason | None) -> None:
        assert answer.reason is reason

    def test_what_says_nothing_about_the_password_is_no_refusal(self) -> None:
        expected = {51: ConnectionBroken, 52: ConnectionBroken, 8: DirectoryRefusal, 80: DirectoryRefusal}
        for code, error in expected.items():
            with pytest.raises(error):
                _ = BindAnswer(code).reason


class TestEntries:
    def test_a_guid_is_read_and_asked_for_as_active_directory_writes_it(self) -> None:
        ad = parse_settings({"urls": "ldaps://x", "user_search_base": "dc=x", "id_attribute": "objectGUID"})
        raw = bytes(range(16))
        text = "03020100-0504-0706-0809-0a0b0c0d0e0f"
        assert entry_id(Entry("cn=a", {"objectguid": (raw,)}), ad) == text
        assert id_value(text, ad) == raw

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("20240102030405Z", 1704164645),
            ("20240102030405.678Z", 1704164645),
            ("20240102030405", None),
            ("20240102030405+0100", None),
            ("yesterday", None),
            ("99999999999999Z", None),
        ],
    )
    def test_generalized_time(self, text: str, seconds: int | None) -> None:
        assert generalized_time(text) == seconds

    @pytest.mark.parametrize(
        ("attributes", "enabled"),
        [
            ({}, True),
            ({"nsaccountlock": (b"TRUE",)}, False),
            ({"nsaccountlock": (b"false",)}, True),
            ({"useraccountcontrol": (b"514",)}, False),
            ({"useraccountcontrol": (b"512",)}, True),
            ({"pwdaccountlockedtime": (b"000001010000Z",)}, False),
            ({"pwdaccountlockedtime": (b"20240101000000Z",)}, True),
        ],
    )
    def test_enabled(self, attributes: dict[str, tuple[bytes, ...]], enabled: bool) -> None:
        assert is_enabled(Entry("cn=a", attributes)) is enabled

    def test_values_that_are_no_text_are_left_out(self) -> None:
        entry = Entry("cn=a", {"cn": (b"\xff\xfe", b"good")})
        assert entry.texts("CN") == ("good",)
        assert claim_value("custom", ("a", "b")) == ("a", "b")
        assert claim_value("name", ("a", "b")) == "a"


class TestGroupNames:
    @pytest.mark.parametrize(
        ("dn", "name"),
        [
            ("cn=a,ou=groups,dc=x", "a"),
            ("CN=a b,ou=groups,dc=x", "a b"),
            ("cn=a\\, b,ou=groups,dc=x", "a, b"),
            ("cn=a\\2cb,ou=groups,dc=x", "a,b"),
            ("cn=\\c3\\a9,ou=groups,dc=x", "é"),
            ("ou=a,dc=x", None),
            ("cn=a+ou=b,dc=x", None),
        ],
    )
    def test_from_the_dn(self, dn: str, name: str | None) -> None:
        assert _group_name(dn, SETTINGS) == name

    def test_only_below_the_search_base(self) -> None:
        assert _is_below("cn=a, OU=Groups,dc=x", "ou=groups,dc=x")
        assert not _is_below("cn=a,ou=othergroups,dc=x", "ou=groups,dc=x")
        assert not _is_below("ou=groups,dc=x", "ou=groups,dc=x")
