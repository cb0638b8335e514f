"""The paths of registration (wso2-contracts §1.1, decision 25), of logos and of resource metadata."""

from identity.registration.logos import LogoEndpoint
from identity.registration.registration_endpoint import PATH, RegistrationEndpoint
from identity.web.routing import Permission, Route

# Newer releases call the rights over applications otherwise; whoever holds these may register, too.
VIEW = ("internal_dcr_view", "internal_application_mgt_view")
CREATE = ("internal_dcr_create", "internal_application_mgt_create")
UPDATE = ("internal_dcr_update", "internal_application_mgt_update")
DELETE = ("internal_dcr_delete", "internal_application_mgt_delete")


def registration_routes(*, registration: RegistrationEndpoint, logo: LogoEndpoint) -> list[Route]:
    api, one = Permission.API, PATH + "/{client_id}"
    return [
        Route(name="register", methods=("POST",), path=PATH, endpoint=registration.create, permission=api,
              scopes=CREATE, cors="registered", summary="Register an application (RFC 7591 §3.1)"),
        Route(name="registration_find", methods=("GET",), path=PATH, endpoint=registration.find, permission=api,
              scopes=VIEW, summary="The newest application of a name",
              parameters=("client_name*",)),
        Route(name="registration_read", methods=("GET",), path=one, endpoint=registration.read, permission=api,
              scopes=VIEW, cors="registered", summary="Read a registration (RFC 7592 §2.1)"),
        Route(name="registration_update", methods=("PUT",), path=one, endpoint=registration.update, permission=api,
              scopes=UPDATE, cors="registered", summary="Change a registration (RFC 7592 §2.2)"),
        Route(name="registration_delete", methods=("DELETE",), path=one, endpoint=registration.delete, permission=api,
              scopes=DELETE, cors="registered", summary="Delete a registration (RFC 7592 §2.3)"),
        Route(name="logo", methods=("GET",), path="/logos/{application}", endpoint=logo, permission=Permission.PUBLIC,
              summary="An application's logo, as it was fetched from its registered address"),
    ]  # fmt: skip
