"""What pages may load, frame and submit to; and that nothing hostile becomes part of it (attack rows 11 and 12)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.web.security_headers import UnsafeSource, form_action_source, page_headers


def directives(**arguments: object) -> dict[str, str]:
    policy = dict(page_headers(https=True, **arguments))[b"content-security-policy"].decode()  # type: ignore[arg-type]
    return dict(part.split(" ", 1) for part in policy.split("; "))


def test_every_page() -> None:
    headers = dict(page_headers(https=True))
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"referrer-policy"] == b"same-origin"
    assert headers[b"strict-transport-security"].startswith(b"max-age=")
    assert directives() == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
        "font-src": "'self'",
        "connect-src": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'", "form-action": "'self'",
    }  # fmt: skip


def test_pop_up_sign_in_stays_possible() -> None:
    assert b"cross-origin-opener-policy" not in dict(page_headers(https=True))


def test_no_transport_security_without_tls() -> None:
    assert b"strict-transport-security" not in dict(page_headers(https=False))


def test_a_flow_adds_the_places_its_form_may_lead_to() -> None:
    found = directives(form_action=("https://app.example", "myapp:", "https://app.example"), frame_src=("https://a.b",))
    assert found["form-action"] == "'self' https://app.example myapp:"
    assert found["frame-src"] == "https://a.b"


def test_callers_may_change_their_list() -> None:
    page_headers(https=False).clear()
    assert page_headers(https=False)


@pytest.mark.parametrize(
    ("redirect_uri", "source"),
    [
        ("https://app.example/cb", "https://app.example"),
        ("https://app.example:8443/cb?x=1", "https://app.example:8443"),
        ("HTTPS://App.Example/cb", "https://app.example"),
        ("http://127.0.0.1:9999/cb", "http://127.0.0.1:9999"),
        ("http://localhost/cb", "http://localhost"),
        ("http://[::1]:8000/cb", "http:"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
        ("com.example.app:/cb", "com.example.app:"),
        ("com.example.app://cb", "com.example.app:"),
        ("MyApp:cb", "myapp:"),
    ],
)
def test_the_source_of_a_redirect_uri(redirect_uri: str, source: str) -> None:
    assert form_action_source(redirect_uri) == source
    assert directives(form_action=(source,))["form-action"] == f"'self' {source}"


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x",
        "https://a.example;script-src *", "https://a.example; script-src 'unsafe-inline'/", "https://a.example,b/",
        "https://*/", "https://*.example/", "https://a.example'/", 'https://a.example"/', "https://user@a.example/",
        "https://user:pw@a.example/", "https://a.example\\@b/", "https://a.example\r\nset-cookie: a=b/", "https://a b/",
        "https://a.example\t/", "https://bücher.example/", "https:///cb", "https://", "https:a", "//a.example/cb",
        "/cb", "",
        "https://a.example:port/", "https://a.example:99999/", "https://[::1/", "'self'", "https://a%00.example/", "*",
        "my_app:/cb", "1app:/cb", ":",
    ],
)  # fmt: skip
def test_a_hostile_redirect_uri_gives_no_source(redirect_uri: str) -> None:
    with pytest.raises(UnsafeSource):
        form_action_source(redirect_uri)


@pytest.mark.parametrize(
    "source", ["*", "'unsafe-inline'", "https://a; x", "https:", "data:", "https://a/b", "a.example"]
)
def test_sources_are_checked_again(source: str) -> None:
    if source == "https:":
        assert directives(form_action=(source,))["form-action"].endswith(" https:")
        return
    with pytest.raises(UnsafeSource):
        page_headers(form_action=(source,), https=True)
    with pytest.raises(UnsafeSource):
        page_headers(frame_src=(source,), https=True)


@given(st.text(max_size=60) | st.text(max_size=40).map("https://".__add__) | st.text("ab:/;,'* .@[]\\", max_size=30))
def test_any_text_gives_one_source_or_none(redirect_uri: str) -> None:
    try:
        source = form_action_source(redirect_uri)
    except UnsafeSource:
        return
    assert not set(source) & set("; ,'\"*@\\\r\n\t")
    assert len(directives(form_action=(source,))) == 9
