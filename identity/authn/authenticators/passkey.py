"""Passkeys and security keys (WebAuthn Level 3): alone, found by the browser, or as a second factor.

The id of the relying party is the host of the base URL, the only origin is the base URL's own. Without another factor
before it a passkey has to verify its user. Challenges live in the flow's state, for five minutes, and are replaced
with whatever is answered.
"""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from identity.authn.authenticators import (
    PASSKEY,
    TOTP,
    Attempt,
    Begun,
    Kinds,
    PromptField,
    Refusal,
    Rejected,
    State,
    Verified,
)
from identity.authn.authenticators.passkey_options import (
    base64url_bytes,
    creation_options,
    request_options,
)
from identity.authn.enrolled_factors import EnrolledFactors
from identity.authn.factor_policy import FactorPolicy
from identity.authn.people import People, Person
from identity.clock import SECOND
from identity.domain.enrolled_factors import EnrolledFactor
from identity.secrets import base64url
from identity.storage.database import Database
from identity.storage.enrolled_factors import find_factor_by_lookup
from identity.storage.write_batch import WriteBatch
from identity.web.user_agents import device_name
from userstores.spi import StoreUnavailable

if TYPE_CHECKING:
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
    from webauthn.registration.verify_registration_response import VerifiedRegistration

CHALLENGE_SECONDS = 300
LARGEST_RESPONSE = 32_768
"""Characters of the browser's JSON. Attestations with their certificates stay far below."""
LONGEST_CREDENTIAL_ID = 1023
"""WebAuthn Level 3 §4."""
MOST_PASSKEYS = 20
HANDLE_BYTES = 32
LONGEST_LABEL = 60


class PasskeyAuthenticator:
    name = PASSKEY
    kinds: Kinds = frozenset({"possession"})
    identifies = True
    template = "factors/passkey.html"
    enrol_template = "factors/passkey_enrol.html"
    fields: tuple[PromptField, ...] = (
        PromptField(name="tokenResponse", confidential=True, display_name="Passkey", i18n_key="fido.passkey"),
    )

    def __init__(
        self, factors: EnrolledFactors, policy: FactorPolicy, people: People, database: Database, base_url: str
    ) -> None:
        self._factors = factors
        self._policy = policy
        self._people = people
        self._database = database
        parts = urlsplit(base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._rp_id = parts.hostname or ""

    async def usable(self, attempt: Attempt) -> bool:
        """Before anybody has shown who they are, it always could: who has one must not be seen."""
        return not attempt.proven or bool(await self._factors.of_person(attempt, PASSKEY))

    async def begin(self, attempt: Attempt) -> Begun:
        return Begun(state=_new_challenge(attempt))

    async def page(self, attempt: Attempt) -> dict[str, Any]:
        """`passkey`: `options` of `navigator.credentials.get` as JSON; `conditional`: the browser may offer passkeys in
        the field of the name."""
        own = await self._factors.of_person(attempt, PASSKEY) if attempt.proven else []
        options = request_options(
            self._rp_id, attempt.state["challenge"], _verification(attempt), [factor.document for factor in own]
        )
        return {"passkey": {"options": options, "conditional": not attempt.proven}}

    async def verify(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        """`response`: the browser's credential as JSON (WebAuthn Level 3 §5.1, `toJSON`)."""
        if not await self._policy.admit_address(attempt, PASSKEY):
            return Rejected(error="busy")
        credential = _credential(answer)
        if credential is None:
            return await self._refused(attempt, "malformed")
        if not _fresh(attempt):
            return await self._refused(attempt, "expired")
        factor = await self._factor(attempt, credential)
        if factor is None:
            return await self._refused(attempt, "unknown_credential")
        try:
            person = await self._owner(attempt, factor)
        except StoreUnavailable:
            return Rejected(error="unavailable", state=_new_challenge(attempt))
        if person is None:
            return await self._refused(attempt, "other_person")
        verified = self._judged(attempt, factor, credential)
        if isinstance(verified, str):
            return await self._refused(attempt, verified)
        return self._passed(attempt, person, factor, verified)

    async def begin_enrolment(self, attempt: Attempt) -> Begun:
        own = await self._factors.of_person(attempt, PASSKEY)
        # Never the subject: a stolen key must not tell whose accounts it opens (WebAuthn Level 3 §14.6.1).
        handle = own[0].document["handle"] if own else base64url(secrets.token_bytes(HANDLE_BYTES))
        return Begun(state=_new_challenge(attempt) | {"handle": handle})

    async def enrolment_page(self, attempt: Attempt) -> dict[str, Any]:
        assert attempt.person is not None
        own = await self._factors.of_person(attempt, PASSKEY)
        options = creation_options(
            self._rp_id,
            attempt.tenant.settings,
            attempt.tenant.tenant.handle,
            attempt.state,
            attempt.person,
            [factor.document for factor in own],
        )
        return {"passkey": {"options": options}, "label": _label(attempt), "full": len(own) >= MOST_PASSKEYS}

    async def enrol(self, attempt: Attempt, answer: Mapping[str, str]) -> Verified | Rejected:
        """`response` as above; `label`: how the person calls it."""
        credential = _credential(answer)
        if attempt.person is None or credential is None:
            return await self._refused(attempt, "malformed")
        if not _fresh(attempt) or "handle" not in attempt.state:
            return await self._refused(attempt, "expired")
        if len(await self._factors.of_person(attempt, PASSKEY)) >= MOST_PASSKEYS:
            return await self._refused(attempt, "too_many")
        made = self._made(attempt, credential)
        if isinstance(made, str):
            return await self._refused(attempt, made)
        if await find_factor_by_lookup(self._database, attempt.tenant.id, made.credential_id) is not None:
            return await self._refused(attempt, "known_credential")
        factor = self._factors.new(
            attempt,
            PASSKEY,
            answer.get("label", "").strip()[:LONGEST_LABEL] or _label(attempt),
            lookup=made.credential_id,
            counter=made.sign_count,
            document={
                "id": base64url(made.credential_id),
                "key": base64url(made.credential_public_key),
                "handle": attempt.state["handle"],
                "transports": _transports(credential),
                "device": made.credential_device_type.value,
            },
        )

        async def write(batch: WriteBatch) -> None:
            await self._factors.add(batch, attempt, factor)

        amr = _amr(made.credential_device_type.value, user_verified=made.user_verified)
        return Verified(person=attempt.person, amr=amr, writes=write)

    def _made(self, attempt: Attempt, credential: dict[str, Any]) -> "VerifiedRegistration | str":
        """What a new passkey says of itself, or why it is not taken."""
        from webauthn import verify_registration_response
        from webauthn.helpers.structs import AttestationFormat

        try:
            made = verify_registration_response(
                credential=credential,
                expected_challenge=base64url_bytes(attempt.state["challenge"]),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=_verification(attempt) == "required",
            )
            odd = _foreign_frame(credential) or _has_more_than_cbor(made.attestation_object)
        except Exception as error:  # whatever a hostile document does to the parsers, it is refused
            return f"registration: {type(error).__name__}"
        if odd or not 0 < len(made.credential_id) <= LONGEST_CREDENTIAL_ID:
            return "registration: extra data"
        direct = attempt.tenant.settings.passkey_attestation == "direct"
        return "registration: no attestation" if direct and made.fmt == AttestationFormat.NONE else made

    def _judged(
        self, attempt: Attempt, factor: EnrolledFactor, credential: dict[str, Any]
    ) -> "VerifiedAuthentication | str":
        from webauthn import verify_authentication_response

        handle = credential["response"].get("userHandle")
        if handle and handle != factor.document["handle"]:
            return "other_handle"
        try:
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=base64url_bytes(attempt.state["challenge"]),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=base64url_bytes(factor.document["key"]),
                # It refuses a counter that has not grown, unless both are 0 (WebAuthn Level 3 §6.1.1).
                credential_current_sign_count=factor.counter,
                require_user_verification=_verification(attempt) == "required",
            )
            return "assertion: foreign frame" if _foreign_frame(credential) else verified
        except Exception as error:  # as above
            return f"assertion: {type(error).__name__}"

    def _passed(
        self, attempt: Attempt, person: Person, factor: EnrolledFactor, verified: "VerifiedAuthentication"
    ) -> Verified:
        async def write(batch: WriteBatch) -> None:
            await self._factors.use(batch, attempt, factor, verified.new_sign_count)
            await self._factors.forgive(batch, attempt, person.subject.id, TOTP)

        self._policy.passed(PASSKEY)
        amr = _amr(factor.document["device"], user_verified=verified.user_verified)
        return Verified(person=person, amr=amr, writes=write)

    async def _factor(self, attempt: Attempt, credential: dict[str, Any]) -> EnrolledFactor | None:
        try:
            lookup = base64url_bytes(credential["id"])
        except ValueError:
            return None
        return await find_factor_by_lookup(self._database, attempt.tenant.id, lookup)

    async def _owner(self, attempt: Attempt, factor: EnrolledFactor) -> Person | None:
        """Whose passkey it is; None when they are gone, or the login is about somebody else. Raises
        StoreUnavailable."""
        if attempt.person is not None:
            return attempt.person if attempt.person.subject.id == factor.subject else None
        subject = await self._people.subject(attempt.tenant, factor.subject)
        person = await self._people.current(attempt.tenant, subject) if subject is not None else None
        if person is None or not attempt.username:
            return person
        named = await self._people.find_by_name(attempt.tenant, attempt.username)
        return person if named is not None and named.subject.id == factor.subject else None

    async def _refused(self, attempt: Attempt, reason: str) -> Rejected:
        """With a new challenge: each is good for one answer."""
        state = attempt.state | _new_challenge(attempt)
        error: Refusal = "expired" if reason == "expired" else "refused"
        return await self._policy.turned_down(attempt, PASSKEY, reason, error=error, state=state)


def _new_challenge(attempt: Attempt) -> State:
    return {
        "challenge": base64url(secrets.token_bytes(32)),
        "expires_at": attempt.now + CHALLENGE_SECONDS * SECOND,
    }


def _fresh(attempt: Attempt) -> bool:
    return "challenge" in attempt.state and attempt.now < attempt.state["expires_at"]


def _verification(attempt: Attempt) -> str:
    return attempt.tenant.settings.passkey_user_verification if attempt.proven else "required"


def _amr(device: str, *, user_verified: bool) -> tuple[str, ...]:
    """RFC 8176 §2. A synchronised key is software's; with user verification two kinds of factors were shown."""
    key = "hwk" if device == "single_device" else "swk"
    return (key, "user", "mfa") if user_verified else (key, "user")


def _credential(answer: Mapping[str, str]) -> dict[str, Any] | None:
    """The browser's JSON; None when it is none, or larger than any."""
    text = answer.get("response", "") or answer.get("tokenResponse", "")
    if not text or len(text) > LARGEST_RESPONSE:
        return None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    valid = isinstance(found, dict) and isinstance(found.get("id"), str) and isinstance(found.get("response"), dict)
    return found if valid else None


def _foreign_frame(credential: dict[str, Any]) -> bool:
    """Whether another site's page framed ours (WebAuthn Level 3 §5.8.1): nothing of ours allows that."""
    client_data = msgspec.json.decode(base64url_bytes(credential["response"]["clientDataJSON"]))
    return client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data


def _has_more_than_cbor(document: bytes) -> bool:
    """Whether bytes follow the document's one value."""
    import io

    import cbor2

    stream = io.BytesIO(document)
    cbor2.CBORDecoder(stream).decode()
    return stream.tell() != len(document)


def _transports(credential: dict[str, Any]) -> list[str]:
    told = credential["response"].get("transports")
    known = ("usb", "nfc", "ble", "hybrid", "internal", "cable", "smart-card")
    return [name for name in known if isinstance(told, list) and name in told]


def _label(attempt: Attempt) -> str:
    return device_name(attempt.request.header(b"user-agent") or "") or "Passkey"
