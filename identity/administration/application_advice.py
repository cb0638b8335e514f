"""What works as an application is set, and yet will surprise somebody: for `applications show` and `check`."""

from identity.domain.applications import Application


def application_advice(application: Application) -> list[str]:
    """Sentences for an administrator; nothing is refused because of them."""
    if application.frontchannel_logout_uri is not None and application.backchannel_logout_uri is None:
        # Decision 21: frames reach only the browser at hand, and many browsers keep cookies from them.
        return [
            "It has only a frontchannel_logout_uri: it does not hear of a sign-out on another device, or by an "
            "administrator. Guaranteed delivery needs a backchannel_logout_uri."
        ]
    return []
