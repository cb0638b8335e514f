"""A page as a response: the template rendered in the person's language, with the headers that every page has."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from identity.errors import IdentityError
from identity.storage.database import forbid_in_transaction
from identity.web.csrf import form_token, valid_form_token
from identity.web.i18n import choose_locale
from identity.web.messages import Request, Response
from identity.web.security_headers import page_headers
from identity.web.templates import Pages

HTML = (b"content-type", b"text/html; charset=utf-8")


class PageResponses:
    """Renders pages and guards their forms. `form_key` signs form tokens; all workers share it."""

    def __init__(self, pages: Pages, *, base_url: str, form_key: bytes) -> None:
        self._pages = pages
        self._host = urlsplit(base_url).netloc
        self._https = base_url.startswith("https:")
        self._form_key = form_key

    def respond(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        form_action: Sequence[str] = (),
        frame_src: Sequence[str] = (),
        ui_locales: str = "",
        **context: Any,
    ) -> Response:
        """`form_action`: sources beside our own that the page's form may lead to; `frame_src`: what it may frame."""
        forbid_in_transaction("a template")
        body = self._pages.render(
            template,
            tenant=request.tenant.tenant,
            host=self._host,
            locale=choose_locale(ui_locales or None, None, request.header(b"accept-language")),
            **context,
        )
        headers = page_headers(form_action=form_action, https=self._https, frame_src=frame_src)
        return Response(status, body, [HTML, *headers])

    def token(self, cookie: str, purpose: str) -> str:
        """The hidden field `csrf_token` of a form for this browser (its cookie) and purpose (a flow, a page)."""
        return form_token(self._form_key, cookie, purpose)

    def valid_token(self, cookie: str, purpose: str, token: str) -> bool:
        """Whether `token` was made for this browser and purpose."""
        return valid_form_token(self._form_key, cookie, purpose, token)

    def checked_form(self, request: Request, cookie: str, purpose: str) -> dict[str, str]:
        """The posted form. Raises IdentityError when it was not rendered for this browser and purpose."""
        form = request.form(frozenset({"scope"}))
        if not self.valid_token(cookie, purpose, form.get("csrf_token", "")):
            raise IdentityError(
                "form_expired", "This form has expired, so nothing was done. Go back and try again.", status=403
            )
        return form
