"""Webfinger: the same answer for everybody (RFC 7033, OpenID Connect Discovery §2)."""

import pytest

from tests.support.builders import Site

PATH = "/.well-known/webfinger"
ISSUER = "http://openid.net/specs/connect/1.0/issuer"


@pytest.mark.spec("OpenID Connect Discovery", "2")
@pytest.mark.spec("RFC 7033", "4.4")
@pytest.mark.parametrize("resource", ["acct:jane@example.org", "acct:nobody@example.org", "https://example.org/jane"])
def test_the_issuer_of_somebody(site: Site, resource: str) -> None:
    response = site.http.get(PATH, params={"resource": resource, "rel": ISSUER})
    assert response.headers["content-type"] == "application/jrd+json"
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.json() == {"subject": resource, "links": [{"rel": ISSUER, "href": site.issuer}]}


@pytest.mark.spec("RFC 7033", "4.3")
@pytest.mark.parametrize(
    ("relations", "links"), [([], 1), (["avatar"], 0), (["avatar", ISSUER], 1), (["avatar", "blog"], 0)]
)
def test_only_the_relations_asked_for(site: Site, relations: list[str], links: int) -> None:
    response = site.http.get(PATH, params={"resource": "acct:a@b.example", "rel": relations})
    assert len(response.json()["links"]) == links


@pytest.mark.spec("RFC 7033", "4.2")
@pytest.mark.parametrize(
    ("resource", "status"),
    [
        (None, 400), ("jane", 404), ("acct:", 404), ("acct:jane", 404), ("http://a.example", 404),
        ("javascript:alert(1)", 404), ("acct:a@b@c", 404), ("https://u@a.example/", 404), ("acct:<b>@c", 404),
        ("acct:" + "a" * 1000 + "@b", 404),
    ],
)  # fmt: skip
@pytest.mark.any_engine
def test_what_is_no_resource(site: Site, resource: str | None, status: int) -> None:
    assert site.http.get(PATH, params={"resource": resource} if resource else None).status_code == status
