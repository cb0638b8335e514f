"""Attack rows 23, 24: whoever may register applications does not become what a registered application is."""

from typing import Any

import pytest

from tests.registration.registering import SCOPES, Office
from tests.support.builders import CALLBACK, Site
from tests.support.key_manager import administrator

STRONG: dict[str, dict[str, Any]] = {
    "rights of ours": {"management_scopes": ("internal_role_mgt_update",)},
    "every token": {"may_introspect_any": True},
    "other people": {"may_impersonate": True},
}


@pytest.mark.parametrize("why", STRONG)
@pytest.mark.parametrize("act", ["GET", "find", "PUT", "DELETE"])
def test_a_stronger_application_is_out_of_reach(site: Site, why: str, act: str) -> None:
    """Its secret would make the registrar an administrator; so would its redirect address."""
    strong = site.application("Strong", grant_types=("client_credentials",), redirect_uris=(), **STRONG[why])
    registrar = Office(site, basic=site.machine(scopes=(), management_scopes=SCOPES).basic)
    root = administrator(site)
    path, document = f"/{strong.client_id}", None
    if act == "find":
        path = "?client_name=Strong"
    if act == "PUT":
        document = {"client_id": strong.client_id, "redirect_uris": [CALLBACK], "grant_types": ["authorization_code"]}
    method = "GET" if act == "find" else act
    refused = registrar.call(method, path, document)
    assert refused.status_code == 403, refused.text
    assert strong.basic[1] not in refused.text
    allowed = Office(site, basic=(root.username, root.password)).call(method, path, document)
    assert allowed.status_code != 403


@pytest.mark.parametrize("number", range(4))
def test_rights_over_applications_by_their_newer_names(site: Site, number: int) -> None:
    """WSO2 IS 7 calls them `internal_application_mgt_…` (wso2-contracts §7.2)."""
    scope = SCOPES[number].replace("_dcr_", "_application_mgt_")
    root = administrator(site)
    information = Office(site, basic=(root.username, root.password)).registered()
    office = Office(site, basic=site.machine(scopes=(), management_scopes=(scope,)).basic)
    place = f"/{information['client_id']}"
    answers = {
        "create": office.register(),
        "view": office.call("GET", place),
        "update": office.call("PUT", place, {"client_id": information["client_id"], "redirect_uris": [CALLBACK]}),
        "delete": office.call("DELETE", place),
    }
    own = scope.rpartition("_")[2]
    assert {name for name, answer in answers.items() if answer.status_code < 300} == {own}
    assert {answer.status_code for name, answer in answers.items() if name != own} == {403}
