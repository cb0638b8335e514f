"""Tokens of trusted issuers, exchanged for ours: which are believed, and whose account they lead to."""

from typing import Any

import pytest
from joserfc.jwk import RSAKey

from identity.administration import users
from identity.domain.applications import JWT_BEARER, TOKEN_EXCHANGE
from tests.support.authority import Authority
from tests.support.builders import Site, claims_of
from tests.support.exchange import (
    ACCESS_TOKEN,
    ID_TOKEN,
    JWT,
    exchange,
    exchanged,
    portal,
    refusal,
    service,
)
from tests.support.key_holder import KeyHolder
from tests.support.receiver import Receiver, Reply
from tests.support.trusted import Trusted

pytestmark = pytest.mark.long


class TestTrustedIssuers:
    @pytest.mark.parametrize("algorithm", ["ES256", "RS256", "PS384", "EdDSA"])
    def test_a_linked_account(self, site: Site, algorithm: str) -> None:
        caller, issuer = service(site), Trusted(site, algorithm=algorithm)
        person = site.jane
        answer = exchanged(site, caller, issuer.token(), JWT, scope="read")
        claims = claims_of(answer["access_token"])
        sub = claims_of(site.tokens(portal(site), person)["id_token"])["sub"]
        assert (claims["sub"], claims["scope"], "act" in claims) == (sub, "read", False)

    def test_keys_at_an_address(self, site: Site, receiver: Receiver) -> None:
        caller = service(site)
        issuer = Trusted(site, jwks_uri=receiver.url("/jwks"))
        receiver.answer("/jwks", Reply(200, issuer.holder.jwks))
        assert site.jane
        assert exchanged(site, caller, issuer.token(), JWT)["issued_token_type"] == ACCESS_TOKEN

    def test_keys_as_pem(self, site: Site) -> None:
        holder = KeyHolder("RS256", kid=None)
        assert isinstance(holder.key, RSAKey)
        pem = holder.key.as_pem(private=False).decode()
        issuer = Trusted(site, certificate=pem)
        issuer.holder = holder
        assert site.jane
        assert exchanged(site, service(site), issuer.token(), JWT)["expires_in"] == 3600

    def test_a_certificate_is_a_key(self, site: Site) -> None:
        certificate, _ = Authority().issue(("idp.example",))
        issuer = Trusted(site, certificate=certificate.decode())
        assert refusal(site, service(site), issuer.token(), JWT) == "invalid_request", "another key signed"

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://evil.example"}, {"iss": None}, {"aud": "https://other.example"}, {"aud": None},
            {"aud": [5]},
            {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"exp": 2**40}, {"nbf": 2**40}, {"iat": 2**40}, {"sub": None},
            {"sub": ""}, {"sub": "x" * 300}, {"sub": 5}, {"sub": "a\nb"}, {"act": "x"}, {"may_act": 5},
            {"preferred_username": "nobody"}, {"preferred_username": None}, {"preferred_username": ["jane"]},
            {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
        ],
    )  # fmt: skip
    @pytest.mark.any_engine
    def test_refused(self, site: Site, claims: dict[str, Any]) -> None:
        caller, issuer = service(site), Trusted(site)
        assert site.jane
        assert refusal(site, caller, issuer.token(**claims), JWT) == "invalid_request"

    @pytest.mark.parametrize("typ", ["logout+jwt", "oauth-id-jag+jwt", "dpop+jwt", "secevent+jwt", "rt+jwt"])
    def test_a_jwt_of_another_kind(self, site: Site, typ: str) -> None:
        caller, issuer = service(site), Trusted(site)
        assert site.jane
        assert refusal(site, caller, issuer.token(typ=typ), JWT) == "invalid_request"

    def test_signed_by_somebody_else(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site)
        assert site.jane
        issuer.holder = KeyHolder()
        assert refusal(site, caller, issuer.token(), JWT) == "invalid_request"

    def test_our_own_name_is_nobody_s_to_trust(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site, issuer=site.issuer)
        assert site.jane
        assert refusal(site, caller, issuer.token(), ID_TOKEN) == "invalid_request"
        client = site.application(grant_types=(JWT_BEARER,), redirect_uris=())
        answer = site.token(client, grant_type=JWT_BEARER, assertion=issuer.token())
        assert answer.json()["error"] == "invalid_grant"

    def test_a_chain_of_actors_that_is_too_long(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site)
        assert site.jane
        act: dict[str, Any] = {"sub": "first"}
        for deep in (9, 800):
            for _ in range(deep):
                act = {"act": act}
            assert refusal(site, caller, issuer.token(act=act), JWT) == "invalid_request"

    def test_a_disabled_issuer(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site)
        assert site.jane
        issuer.update(enabled=False)
        assert refusal(site, caller, issuer.token(), JWT) == "invalid_request"

    def test_an_alias_in_place_of_our_issuer(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site, alias="our-alias")
        assert site.jane
        assert exchange(site, caller, issuer.token(aud=["our-alias", "others"]), JWT)[0] == 200
        assert refusal(site, caller, issuer.token(aud="somebody-s-alias"), JWT) == "invalid_request"

    def test_whose_account_is_disabled(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site)
        assert site.jane
        site.in_tenant(lambda a, t: users.set_user_enabled(a, t, "jane", False))
        assert refusal(site, caller, issuer.token(), JWT) == "invalid_request"


class TestLinking:
    """wso2-contracts §1.3; attack row 19: nobody is linked by an address that was not verified on both sides."""

    @pytest.mark.parametrize(
        ("ours", "theirs", "linked"),
        [(True, True, True), (False, True, False), (True, False, False), (True, None, False), (True, "true", False)],
    )
    def test_by_a_verified_email_only(self, site: Site, ours: bool, theirs: Any, linked: bool) -> None:
        caller, issuer = service(site), Trusted(site, lookup_claims=("email",))
        site.person("kim", email="kim@example.org", email_verified=ours)
        token = issuer.token(email="Kim@Example.org", email_verified=theirs)
        assert (exchange(site, caller, token, JWT)[0] == 200) is linked

    def test_an_address_of_two_links_nobody(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site, lookup_claims=("email",))
        for name in ("kim", "sam"):
            site.person(name, email="team@example.org", email_verified=name == "kim")
        token = issuer.token(email="team@example.org", email_verified=True)
        assert refusal(site, caller, token, JWT) == "invalid_request"

    def test_by_telephone(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site, lookup_claims=("phone_number",))
        site.person("kim", phone_number="+44 20 7946 0018")
        number = "+44 20 7946 0018"
        good = issuer.token(phone_number=number, phone_number_verified=True)
        assert exchange(site, caller, good, JWT)[0] == 200
        for other in ("+44 20 7946 001", "%", "+44 20 7946 001_", "phone_number"):
            token = issuer.token(phone_number=other, phone_number_verified=True)
            assert refusal(site, caller, token, JWT) == "invalid_request"
        for verified in (None, False, "true"):
            token = issuer.token(phone_number=number, phone_number_verified=verified)
            assert refusal(site, caller, token, JWT) == "invalid_request"

    @pytest.mark.parametrize("address", ["\u212aim@example.org", "kim@e\u017fample.org", "\uff4bim@example.org"])
    def test_a_look_alike_of_an_address_is_another_one(self, site: Site, address: str) -> None:
        """Letters that fold into others (Kelvin sign, long s) are other mailboxes."""
        caller, issuer = service(site), Trusted(site, lookup_claims=("email",))
        site.person("kim", email="kim@esample.org" if "\u017f" in address else "kim@example.org", email_verified=True)
        token = issuer.token(email=address, email_verified=True)
        assert refusal(site, caller, token, JWT) == "invalid_request"

    def test_two_claims_must_name_one_person(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site, lookup_claims=("username", "email"))
        site.person("kim", email="kim@example.org", email_verified=True)
        site.person("sam", email="sam@example.org", email_verified=True)
        good = issuer.token(preferred_username="kim", email="kim@example.org", email_verified=True)
        assert exchange(site, caller, good, JWT)[0] == 200
        mixed = issuer.token(preferred_username="kim", email="sam@example.org", email_verified=True)
        assert refusal(site, caller, mixed, JWT) == "invalid_request"
        half = issuer.token(preferred_username="kim")
        assert refusal(site, caller, half, JWT) == "invalid_request"

    @pytest.mark.parametrize("linked_account", ["none", "preferred"])
    def test_a_visitor_brings_nothing_but_a_sub(self, site: Site, linked_account: str) -> None:
        caller = service(site, grant_types=(TOKEN_EXCHANGE, "refresh_token"), access_token_claims=("email", "name"))
        issuer = Trusted(site, linked_account=linked_account)
        token = issuer.token(
            sub="visitor-1", preferred_username="nobody", email="x@example.org", email_verified=True, name="X",
            groups=["admin"], scope="read write",
        )  # fmt: skip
        answer = exchanged(site, caller, token, JWT, scope="openid email offline_access read")
        claims = claims_of(answer["access_token"])
        assert (claims["sub"], claims["scope"]) == ("visitor-1", "read")
        assert not {"email", "name", "groups"} & claims.keys()
        assert "refresh_token" not in answer
        assert site.is_active(caller, answer["access_token"])

    def test_preferred_takes_the_account_where_there_is_one(self, site: Site) -> None:
        caller, issuer = service(site), Trusted(site, linked_account="preferred")
        site.person("jane")
        claims = claims_of(exchanged(site, caller, issuer.token(), JWT)["access_token"])
        assert claims["sub"] != "jane-at-idp"

    def test_no_issuer_speaks_for_the_people_of_another_or_for_ours(self, site: Site) -> None:
        caller = service(site)
        one = Trusted(site, linked_account="none")
        two = Trusted(site, issuer="https://other-idp.example", linked_account="none")
        own = claims_of(site.tokens(portal(site), site.jane)["id_token"])["sub"]
        assert exchange(site, caller, one.token(sub="shared"), JWT)[0] == 200
        assert refusal(site, caller, two.token(sub="shared"), JWT) == "invalid_request"
        assert refusal(site, caller, one.token(sub=own), JWT) == "invalid_request"
