"""The `internal_…` scopes of our own interfaces, by the names of WSO2's (wso2-contracts §6.2).

A route of `Permission.API` names some of these; a test proves that no route names another one.
"""

PREFIX = "internal_"
LOGIN_SCOPE = "internal_login"
"""What every person has for their own account (`/scim2/Me`)."""
OWN_FACTORS_SCOPE = "internal_own_factor_mgt"
"""What every person has through applications that an administrator gave it: to change their own ways to sign in."""

MANAGEMENT_SCOPES: dict[str, str] = {
    LOGIN_SCOPE: "Read one's own account",
    OWN_FACTORS_SCOPE: "Change one's own ways to sign in",
    "internal_oauth2_introspect": "Introspect every token of the tenant",
    "internal_api_resource_view": "View API resources and scopes",
    "internal_api_resource_create": "Create API resources",
    "internal_api_resource_update": "Change API resources and their scopes",
    "internal_api_resource_delete": "Delete API resources",
    "internal_oauth2_scope_view": "View scopes at the older scope interface",
    "internal_oauth2_scope_create": "Create scopes at the older scope interface",
    "internal_oauth2_scope_update": "Change scopes at the older scope interface",
    "internal_oauth2_scope_delete": "Delete scopes at the older scope interface",
    "internal_role_mgt_view": "View roles",
    "internal_role_mgt_create": "Create roles",
    "internal_role_mgt_update": "Change roles and who has them",
    "internal_role_mgt_delete": "Delete roles",
    "internal_user_mgt_list": "Read the claims of people",
    "internal_dcr_create": "Register applications",
    "internal_dcr_view": "Read registered applications and their secrets",
    "internal_dcr_update": "Change registered applications",
    "internal_dcr_delete": "Delete registered applications",
    "internal_application_mgt_create": "Register applications",
    "internal_application_mgt_view": "Read registered applications and their secrets",
    "internal_application_mgt_update": "Change registered applications",
    "internal_application_mgt_delete": "Delete registered applications",
    "internal_script_library_mgt_view": "Read libraries of sign-in scripts",
    "internal_script_library_mgt_create": "Add libraries of sign-in scripts",
    "internal_script_library_mgt_update": "Change libraries of sign-in scripts",
    "internal_script_library_mgt_delete": "Delete libraries of sign-in scripts",
    "internal_secret_mgt_view": "See which secrets sign-in scripts have, never their values",
    "internal_secret_mgt_create": "Add secrets of sign-in scripts",
    "internal_secret_mgt_update": "Change secrets of sign-in scripts",
    "internal_secret_mgt_delete": "Delete secrets of sign-in scripts",
    "internal_sign_in_trace_view": "Read how sign-ins went",
}


def is_internal(scope: str) -> bool:
    return scope.startswith(PREFIX)
