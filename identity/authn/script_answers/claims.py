"""Claims of people under WSO2's names: `http://wso2.org/claims/emailaddress` is our `email`."""

from typing import Any

from identity.authn.lockout import user_key
from identity.authn.login_course import Course
from identity.authn.people import Person
from identity.authn.script_answers import Arguments, Sources
from identity.storage.attempts import count_failures
from userstores.spi import AttributeValue

PREFIX = "http://wso2.org/claims/"
_NAMES = {
    "emailaddress": "email",
    "givenname": "given_name",
    "lastname": "family_name",
    "middleName": "middle_name",
    "fullname": "name",
    "displayName": "name",
    "nickname": "nickname",
    "mobile": "phone_number",
    "telephone": "phone_number",
    "dob": "birthdate",
    "gender": "gender",
    "locale": "locale",
    "timeZone": "zoneinfo",
    "url": "website",
    "photourl": "picture",
    "profileUrl": "profile",
    "identity/emailVerified": "email_verified",
    "identity/phoneVerified": "phone_number_verified",
}
"""By WSO2's name; other attributes keep their own."""
_BACK = {own: name for name, own in reversed(_NAMES.items())}
_ADDRESS = {"country": "country", "stateorprovince": "region", "locality": "locality", "postalcode": "postal_code",
            "streetaddress": "street_address"}  # fmt: skip
FAILURES = PREFIX + "identity/failedLoginAttemptsBeforeSuccess"


def attribute_of(claim: str) -> str:
    """Our attribute that a claim URI, or a bare name, stands for."""
    name = claim.removeprefix(PREFIX)
    return _NAMES.get(name, name)


def claims_of(person: Person) -> dict[str, str]:
    """Every claim as text, by its URI. WSO2 joins several values with commas."""
    user = person.user
    found = {
        PREFIX + "username": user.username,
        PREFIX + "userid": person.subject.id,
        PREFIX + "groups": ",".join(user.groups),
    }
    for name, value in user.attributes.items():
        if isinstance(value, dict):
            found |= {PREFIX + claim: value[member] for claim, member in _ADDRESS.items() if member in value}
        else:
            found[PREFIX + _BACK.get(name, name)] = _text(value)
            if name == "name":
                found[PREFIX + "fullname"] = _text(value)
    return found


async def claims(sources: Sources, course: Course, arguments: Arguments) -> Any:
    person = await sources.person(course, arguments["user"])
    if person is None:
        return {}
    key = user_key(person.user.store, person.user.id)
    failures = await count_failures(sources.database, course.request.tenant.id, key, course.now)
    return claims_of(person) | {FAILURES: str(failures)}


async def none_yet(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """Claims of a session or of another provider: a login has none before the script sets them."""
    return {}


def _text(value: AttributeValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, tuple) else str(value)
