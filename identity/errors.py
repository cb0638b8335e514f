"""Errors that travel through the layers. Each has a code, a public text, and a private detail for logs and events."""


class IdentityError(Exception):
    """A refusal or failure that we know how to answer.

    `code` is a specification's error code or our own word; `public` may be shown to anybody; `detail` never leaves
    the logs.
    """

    def __init__(self, code: str, public: str, *, detail: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {public}" + (f" ({detail})" if detail else ""))
        self.code = code
        self.public = public
        self.detail = detail
        self.status = status


class Unavailable(IdentityError):
    """Something we stand on (database, directory, hash lane) did not answer within its deadline: 503, try again."""

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(
            "temporarily_unavailable", "The service is busy. Try again in a moment.", detail=detail, status=503
        )
        self.retry_after = retry_after


class ConfigurationError(IdentityError):
    """The installation is set up wrongly; the public text says what to change. The command line prints it and stops."""

    def __init__(self, public: str) -> None:
        super().__init__("configuration", public, status=500)
