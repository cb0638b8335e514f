"""Logos are fetched once, by us, and shown from our own address (decision 23)."""

from typing import Any

import pytest

from identity.registration.logos import MAXIMUM_BYTES
from tests.registration.registering import open_office
from tests.support.builders import CALLBACK, Site
from tests.support.in_process import TimedSite
from tests.support.receiver import Receiver, Reply

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 60
IMAGES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 20,
    "image/gif": b"GIF89a" + b"\0" * 20,
    "image/webp": b"RIFF\x10\0\0\0WEBPVP8 " + b"\0" * 20,
}


def with_logo(site: Site, uri: str) -> dict[str, Any]:
    return open_office(site).registered(client_name="Notes", logo_uri=uri)


def login_page(site: Site, information: dict[str, Any]) -> Any:
    return site.browser().get(
        f"{site.base}/oauth2/authorize?client_id={information['client_id']}&response_type=code&scope=openid"
        f"&redirect_uri={CALLBACK}"
    )


def logo_of(page: Any) -> Any:
    """The image of the page's application, None when there is only its letter."""
    return next((image for image in page.document.all("img") if image.attributes.get("class") == "logo"), None)


@pytest.mark.spec("OpenID Connect Dynamic Client Registration", "2")
@pytest.mark.parametrize("content_type", IMAGES)
def test_the_login_page_shows_it(site: Site, receiver: Receiver, content_type: str) -> None:
    uri = receiver.answer("/logo", Reply(200, IMAGES[content_type], (("content-type", "text/html"),)))
    information = with_logo(site, uri)
    assert not receiver.at("/logo"), "registering fetches nothing"
    for _ in range(2):
        shown = logo_of(login_page(site, information))
        assert shown.attributes["data-source"] == uri
        assert shown.attributes["src"].startswith(f"/t/{site.handle}/logos/")
        answer = site.http.get(site.server.base_url + shown.attributes["src"])
        assert (answer.status_code, answer.content) == (200, IMAGES[content_type])
        assert answer.headers["content-type"] == content_type
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
    assert len(receiver.at("/logo")) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(
            200, b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', (("content-type", "image/svg+xml"),)
        ),
        Reply(200, b"<html><script>alert(1)</script>", (("content-type", "image/png"),)),
        Reply(200, PNG + b"\0" * MAXIMUM_BYTES, (("content-type", "image/png"),)),
        Reply(404, PNG),
        Reply(302, PNG, (("location", "/elsewhere"),)),
        Reply(200, b""),
    ],
    ids=["svg", "html", "large", "missing", "redirect", "empty"],
)
def test_what_is_no_image_is_a_letter(site: Site, receiver: Receiver, reply: Reply) -> None:
    information = with_logo(site, receiver.answer("/logo", reply))
    shown = logo_of(login_page(site, information))
    for _ in range(2):
        assert site.http.get(site.server.base_url + shown.attributes["src"]).status_code == 404
    page = login_page(site, information)
    assert logo_of(page) is None
    assert f'data-source="{information["logo_uri"]}"' in page.text
    assert len(receiver.at("/logo")) == 1, "not asked again for a while"
    assert not receiver.at("/elsewhere")


def test_another_address_is_another_logo(site: Site, receiver: Receiver) -> None:
    office = open_office(site)
    information = office.registered(logo_uri=receiver.answer("/one", Reply(200, PNG)))
    first = logo_of(login_page(site, information)).attributes["src"]
    assert site.http.get(site.server.base_url + first).status_code == 200
    office.of(information).update(logo_uri=receiver.answer("/two", Reply(200, IMAGES["image/gif"])))
    second = logo_of(login_page(site, information)).attributes["src"]
    assert second != first, "so that no browser shows the former"
    assert site.http.get(site.server.base_url + second).headers["content-type"] == "image/gif"


def test_a_failed_one_is_tried_again_later(timed: TimedSite, receiver: Receiver) -> None:
    information = with_logo(timed, receiver.answer("/logo", Reply(500), Reply(200, PNG)))
    source = logo_of(login_page(timed, information)).attributes["src"]
    url = timed.server.base_url + source
    assert timed.http.get(url).status_code == 404
    timed.clock.advance(3500)
    assert timed.http.get(url).status_code == 404
    timed.clock.advance(101)
    assert timed.http.get(url).status_code == 200


def test_nobody_elses(site: Site, receiver: Receiver) -> None:
    assert site.http.get("/logos/01a2b3c4-0000-7000-8000-000000000000").status_code == 404
    without = site.application()
    assert site.http.get(f"/logos/{without.application.id}").status_code == 404


def test_a_deleted_application_leaves_none(site: Site, receiver: Receiver) -> None:
    from identity.storage.logos import find_logo

    office = open_office(site)
    information = office.registered(logo_uri=receiver.answer("/logo", Reply(200, PNG)))
    stored = site.in_tenant(lambda a, t: a.configuration.load_application(t, information["client_id"]))
    assert stored is not None
    assert site.http.get(f"/logos/{stored.id}").status_code == 200
    office.of(information).delete()
    assert site.http.get(f"/logos/{stored.id}").status_code == 404
    assert site.administer(lambda a: find_logo(a.database, site.tenant.id, stored.id)) is None
