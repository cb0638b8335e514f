"""Questions answered before a script asks them: a journal is as if each had been asked, and about its own person."""

import asyncio
from typing import Any

import pytest

from identity.authn.login_recording import LoginRecordings
from identity.storage.recorded_logins import list_recorded_logins
from tests.support.builders import Site, response_parameters
from tests.support.scripts import begun, scripted, with_password

pytestmark = pytest.mark.long

BRANCHES = """
var onLoginRequest = function (context) {
  executeStep(1, { onSuccess: function (context) {
    var user = context.currentKnownSubject;
    if (isMemberOfAnyOfGroups(user, ['staff'])) {
      Log.info(user.localClaims['http://wso2.org/claims/emailaddress']);
    }
    if (hasAnyOfTheRoles(user, ['banned'])) { fail(); }
  }});
};
"""


def journals(site: Site) -> list[list[tuple[str, Any]]]:
    """Of the tenant's logins, in the order in which they ended."""

    async def read(administration: Any, tenant: Any) -> list[list[tuple[str, Any]]]:
        rows = await list_recorded_logins(administration.database, tenant.id, since=0, application=None)
        recordings = LoginRecordings(administration.database, administration.sealer)
        opened = await asyncio.gather(*(recordings.open(row) for row in rows))
        return [[(each.key, each.value) for each in found.journal] for found in opened if found is not None]

    return site.in_tenant(read)


def test_a_journal_holds_what_was_asked_and_no_guess(site: Site) -> None:
    client = scripted(site, BRANCHES)
    guest, jane = site.person("guest", email="guest@example.org"), site.jane
    for person in (jane, guest, jane, guest):
        page = with_password(begun(site, client), person)
        assert "code" in response_parameters(page), page
    kinds = [[key.partition(":")[0] for key, _ in journal] for journal in journals(site)]
    asked_of_staff = ["step", "isMemberOfAnyOfGroups", "claims", "hasAnyOfTheRoles"]
    asked_of_guests = ["step", "isMemberOfAnyOfGroups", "hasAnyOfTheRoles"]
    assert kinds == [asked_of_staff, asked_of_guests] * 2


def test_a_foreseen_answer_is_about_the_person_of_its_login(site: Site) -> None:
    client = scripted(site, BRANCHES)
    guest, jane = site.person("guest", email="guest@example.org"), site.jane
    for person in (jane, jane, guest):
        assert "code" in response_parameters(with_password(begun(site, client), person))
    first, second, other = journals(site)
    assert (first[1], first[2]) == (second[1], second[2])
    assert first[1][1] is True
    assert other[1][1] is False
    assert second[0][1]["subject"]["id"] in second[1][0]
    assert other[0][1]["subject"]["id"] in other[1][0]
