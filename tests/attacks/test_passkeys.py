"""Attack row 31: what passkeys are made of, changed part by part. Each refusal is the same, and each counts once."""

import json
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from identity.authn.authenticators import PASSKEY, Rejected, State, Verified
from identity.authn.authenticators.passkey import LARGEST_RESPONSE
from identity.storage.enrolled_factors import list_factors_of_subject
from tests.support.builders import Person
from tests.support.factors import FactorBench, Outcome
from tests.support.in_process import TimedSite
from tests.support.soft_key import BACKED_UP, BACKUP_ELIGIBLE, EXTENDED, PRESENT, VERIFIED, SoftKey

pytestmark = [pytest.mark.any_engine, pytest.mark.long]


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane")


def register(bench: FactorBench, person: Person, key: SoftKey, **changes: Any) -> Outcome:
    state = bench.begin_enrolment(PASSKEY, person)
    options = bench.enrolment_page(PASSKEY, person, state)["passkey"]["options"]
    return bench.enrol(PASSKEY, bench.attempt(person, state=state), response=key.create(options, **changes))


@pytest.fixture
def key(bench: FactorBench, jane: Person) -> SoftKey:
    made = SoftKey(counter=1)
    assert bench.commit(register(bench, jane, made))
    return made


def challenge(bench: FactorBench, person: Person | None = None, **more: Any) -> tuple[State, dict[str, Any]]:
    """The state of a login, and what its page asks the browser."""
    state = bench.begin(PASSKEY, bench.attempt(person, **more)).state
    options: dict[str, Any] = bench.page(PASSKEY, bench.attempt(person, state=state, **more))["passkey"]["options"]
    return state, options


def sign_in(bench: FactorBench, key: SoftKey, person: Person | None = None, **changes: Any) -> Outcome:
    state, options = challenge(bench, person)
    return bench.verify(PASSKEY, bench.attempt(person, state=state), response=key.get(options, **changes))


def is_refused(outcome: Outcome, state: State | None = None) -> bool:
    """Refused like any other, and the challenge is used up."""
    if not isinstance(outcome, Rejected) or outcome.error != "refused" or outcome.state is None:
        return False
    return state is None or outcome.state["challenge"] != state["challenge"]


def test_a_passkey_alone_signs_in_with_two_kinds(bench: FactorBench, key: SoftKey) -> None:
    outcome = sign_in(bench, key)
    assert isinstance(outcome, Verified)
    assert outcome.person.subject.username == "jane"
    assert outcome.amr == ("hwk", "user", "mfa")
    assert bench.commit(outcome)


def test_a_synchronised_passkey_keeps_its_counter_at_zero(bench: FactorBench, jane: Person) -> None:
    key = SoftKey(flags=PRESENT | VERIFIED | BACKUP_ELIGIBLE | BACKED_UP)
    assert bench.commit(register(bench, jane, key))
    for _ in range(2):
        outcome = sign_in(bench, key)
        assert isinstance(outcome, Verified)
        assert outcome.amr == ("swk", "user", "mfa")
        assert bench.commit(outcome)


def test_several_passkeys_of_one_person(bench: FactorBench, jane: Person, key: SoftKey) -> None:
    second = SoftKey()
    state = bench.begin_enrolment(PASSKEY, jane)
    options = bench.enrolment_page(PASSKEY, jane, state)["passkey"]["options"]
    assert len(options["excludeCredentials"]) == 1
    outcome = bench.enrol(PASSKEY, bench.attempt(jane, state=state), response=second.create(options))
    assert bench.commit(outcome)
    # One handle for both, which is not the subject.
    assert second.handle == key.handle != bench.known(jane).subject.id
    assert isinstance(sign_in(bench, key), Verified)
    assert isinstance(sign_in(bench, second), Verified)
    _, options = challenge(bench, jane)
    assert len(options["allowCredentials"]) == 2


WRONG: dict[str, dict[str, Any]] = {
    "wrong origin": {"origin": "https://evil.example"},
    "the origin's other port": {"origin": "http://localhost:8001"},
    "a longer origin": {"origin": "http://localhost:8000.evil.example"},
    "wrong rp id": {"rp_id": "evil.example"},
    "wrong type": {"type": "webauthn.create"},
    "foreign frame": {"cross_origin": True},
    "own challenge": {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    "user verification missing": {"flags": PRESENT},
    "user presence missing": {"flags": VERIFIED},
    "backed up but not eligible": {"flags": PRESENT | VERIFIED | BACKED_UP},
    "counter standing": {"counter": 1},
    "counter backwards": {"counter": 0},
    "extra bytes after the data": {"after_data": b"\x00"},
    "extra CBOR": {"after_data": cbor2.dumps({"a": 1})},
    "extensions announced and missing": {"flags": PRESENT | VERIFIED | EXTENDED},
    "another key": {"key": ec.generate_private_key(ec.SECP256R1())},
    "another person's handle": {"handle": "QUFB"},
}


@pytest.mark.parametrize("what", WRONG)
def test_changed_assertions(bench: FactorBench, key: SoftKey, what: str) -> None:
    state, options = challenge(bench)
    outcome = bench.verify(PASSKEY, bench.attempt(state=state), response=key.get(options, **WRONG[what]))
    assert is_refused(outcome, state)
    # Nothing was spoilt for the owner.
    assert isinstance(sign_in(bench, key), Verified)


WRONG_REGISTRATIONS: dict[str, dict[str, Any]] = {
    "wrong origin": {"origin": "https://evil.example"},
    "wrong rp id": {"rp_id": "evil.example"},
    "wrong type": {"type": "webauthn.get"},
    "foreign frame": {"cross_origin": True},
    "own challenge": {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
    "user presence missing": {"flags": VERIFIED},
    "extra bytes after the key": {"after_key": b"\x00"},
    "extra CBOR after the key": {"after_key": cbor2.dumps({"a": 1})},
    "extra CBOR after the document": {"after_document": cbor2.dumps({"a": 1})},
    "a statement where none is": {"statement": {"alg": -7, "sig": b"x"}},
    "huge attestation": {"statement": {"x5c": [b"x" * 200_000]}},
}


@pytest.mark.parametrize("what", WRONG_REGISTRATIONS)
def test_changed_registrations(bench: FactorBench, jane: Person, what: str) -> None:
    assert is_refused(register(bench, jane, SoftKey(), **WRONG_REGISTRATIONS[what]))
    assert not bench.is_usable(PASSKEY, jane)


def test_a_long_credential_id(bench: FactorBench, jane: Person) -> None:
    assert is_refused(register(bench, jane, SoftKey(id=b"x" * 1024)))


def test_a_challenge_is_good_once(bench: FactorBench, key: SoftKey) -> None:
    """Challenge reuse: the answer again, to the login whose challenge has been replaced, and to another one."""
    state, options = challenge(bench)
    answer = key.get(options)
    outcome = bench.verify(PASSKEY, bench.attempt(state=state), response=answer)
    assert bench.commit(outcome)
    fresh, _ = challenge(bench)
    assert is_refused(bench.verify(PASSKEY, bench.attempt(state=fresh), response=answer))
    # Even with the state of then, the counter has moved on.
    assert is_refused(bench.verify(PASSKEY, bench.attempt(state=state), response=answer))


def test_a_challenge_ends_after_five_minutes(bench: FactorBench, timed: TimedSite, key: SoftKey) -> None:
    state, options = challenge(bench)
    timed.clock.advance(300)
    outcome = bench.verify(PASSKEY, bench.attempt(state=state), response=key.get(options))
    assert isinstance(outcome, Rejected)
    assert outcome.error == "expired"


def test_two_logins_with_one_counter_at_once(bench: FactorBench, key: SoftKey) -> None:
    logins = []
    for number in range(3):
        state, options = challenge(bench, flow=f"flow-{number}")
        response = key.get(options, counter=7)
        logins.append((bench.attempt(flow=f"flow-{number}", state=state), {"response": response}))
    outcomes = bench.verify_at_once(PASSKEY, logins)
    assert sorted(bench.commit(outcome) for outcome in outcomes) == [False, False, True]


def test_a_credential_of_somebody_else(bench: FactorBench, timed: TimedSite, key: SoftKey) -> None:
    """Cross-user: the login is about mallory, by their first factor or by the name they typed."""
    mallory = timed.person("mallory")
    assert is_refused(sign_in(bench, key, mallory))
    for name in ("mallory", "nobody"):
        state, options = challenge(bench, username=name)
        attempt = bench.attempt(state=state, username=name)
        assert is_refused(bench.verify(PASSKEY, attempt, response=key.get(options)))


def test_a_credential_is_registered_once(bench: FactorBench, timed: TimedSite, key: SoftKey) -> None:
    assert is_refused(register(bench, timed.person("mallory"), key))


def test_a_credential_of_another_tenant(bench: FactorBench, key: SoftKey, timed: TimedSite) -> None:
    other = TimedSite(timed.in_process)
    try:
        assert is_refused(sign_in(FactorBench(other), key))
    finally:
        other.close()


def test_a_disabled_person(bench: FactorBench, timed: TimedSite, key: SoftKey) -> None:
    """Attack 16."""
    from identity.administration.users import set_user_enabled

    timed.in_tenant(lambda a, t: set_user_enabled(a, t, "jane", False))
    assert is_refused(sign_in(bench, key))


def test_a_deleted_person_leaves_nothing(bench: FactorBench, timed: TimedSite, jane: Person, key: SoftKey) -> None:
    from identity.administration.users import delete_user

    subject = bench.known(jane).subject.id
    timed.in_tenant(lambda a, t: delete_user(a, t, "jane"))
    assert bench.run(lambda: list_factors_of_subject(bench.parts.database, timed.tenant.id, subject)) == []


def test_as_a_second_factor_user_verification_is_a_setting(
    bench: FactorBench, timed: TimedSite, jane: Person, key: SoftKey
) -> None:
    from dataclasses import replace

    outcome = sign_in(bench, key, jane, flags=PRESENT)
    assert isinstance(outcome, Verified)
    assert outcome.amr == ("hwk", "user")
    timed.change_settings(lambda s: replace(s, passkey_user_verification="required"))
    assert is_refused(sign_in(bench, key, jane, flags=PRESENT))


def test_an_attestation_may_be_demanded(bench: FactorBench, timed: TimedSite, jane: Person) -> None:
    from dataclasses import replace

    timed.change_settings(lambda s: replace(s, passkey_attestation="direct"))
    assert is_refused(register(bench, jane, SoftKey()))


def test_who_has_passkeys_does_not_show(bench: FactorBench, key: SoftKey) -> None:
    """Attack 22: before a first factor, the options are the same for every name."""
    seen = []
    for name in ("jane", "nobody"):
        _, options = challenge(bench, username=name)
        seen.append(options | {"challenge": ""})
        assert bench.is_usable(PASSKEY, None, username=name)
    assert seen[0] == seen[1]
    assert seen[0]["allowCredentials"] == []


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{", '{"id": 1, "response": {}}', '{"id": "x", "response": {}}', _nested(5000),
     '{"id": "' + "A" * LARGEST_RESPONSE + '"}', '{"id": "ä", "response": {"clientDataJSON": 1}}'],
)  # fmt: skip
def test_what_is_no_credential(bench: FactorBench, jane: Person, key: SoftKey, text: str) -> None:
    state, _ = challenge(bench)
    assert is_refused(bench.verify(PASSKEY, bench.attempt(state=state), response=text), state)
    enrolling = bench.begin_enrolment(PASSKEY, jane)
    assert is_refused(bench.enrol(PASSKEY, bench.attempt(jane, state=enrolling), response=text))


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
@pytest.mark.parametrize("change", [lambda _: "", lambda _: None, lambda v: v[:-4], lambda v: "AAAA" + v, lambda _: []])
def test_parts_cut_or_missing(bench: FactorBench, key: SoftKey, part: str, change: Callable[[str], object]) -> None:
    state, options = challenge(bench)
    answer = json.loads(key.get(options))
    answer["response"][part] = change(answer["response"][part])
    assert is_refused(bench.verify(PASSKEY, bench.attempt(state=state), response=json.dumps(answer)), state)


def test_reasons_are_for_the_audit_log_alone(bench: FactorBench, timed: TimedSite, key: SoftKey) -> None:
    sign_in(bench, key, origin="https://evil.example")
    (event,) = [event for event in timed.events() if event["type"] == "authn:factor:refused"]
    assert "InvalidAuthenticationResponse" in event["data"]
