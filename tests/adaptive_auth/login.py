"""A login as a server drives it: the journal goes through JSON after every answer, and effects happen once."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adaptive_auth.evaluation import Asked, Effect, Evaluation, Facts, JournalEntry, Operation
from adaptive_auth.replay import Engine, evaluate_now
from adaptive_auth.script import Script
from tests.adaptive_auth.honest import ANN, FACTS, PASSED, REQUEST

Answers = Mapping[str, Any] | Callable[[Operation], Any]
"""By kind: a value; for steps and HTTP calls also a list of them in order. Or a function."""


BOB = {**ANN, "id": "u2", "username": "bob", "identifier": "bob"}


def failed(**more: Any) -> dict[str, Any]:
    return {**PASSED, "ok": False, "subject": None, **more}


def with_params(value: Mapping[str, Any], **params: str) -> dict[str, Any]:
    return {**value, "request": {**REQUEST, "params": {name: [text] for name, text in params.items()}}}


@dataclass
class Login:
    engine: Engine
    source: str
    answers: Answers = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    facts: Facts = FACTS
    journal: list[JournalEntry] = field(default_factory=list)
    asked: list[Operation] = field(default_factory=list)
    done: list[Effect] = field(default_factory=list)
    """Effects that were carried out."""

    def run(self) -> Evaluation:
        """To the end, or to the first operation without an answer."""
        while True:
            result = self.evaluate()
            self.done += result.effects[len(self.done) :]
            if not isinstance(result, Asked):
                return result
            for operation in result.operations:
                try:
                    value = self._answer(operation)
                except LookupError:
                    return result
                self.asked.append(operation)
                at = FACTS.started + 1000 * (len(self.journal) + 1)
                self.journal.append({"key": operation.key, "value": value, "at": at})
            self.journal = json.loads(json.dumps(self.journal))

    def evaluate(self, source: str | None = None, *, lenient: bool = False) -> Evaluation:
        script = Script(self.source if source is None else source, self.libraries)
        return evaluate_now(self.engine, script, self.facts, self.journal, lenient=lenient)

    def _answer(self, operation: Operation) -> Any:
        if callable(self.answers):
            return self.answers(operation)
        value = self.answers[operation.kind]
        if isinstance(value, list) and operation.kind in ("step", "http"):
            return value[sum(asked.kind == operation.kind for asked in self.asked)]
        return value


def run(engine: Engine, source: str, answers: Mapping[str, Any] | None = None, **facts: Any) -> Evaluation:
    """A whole login; every step passes unless `answers` say otherwise."""
    return Login(engine, source, {"step": PASSED, **(answers or {})}, facts=replace(FACTS, **facts)).run()


def after_first_step(body: str) -> str:
    """A script that runs `body` with `context` and `user` when step 1 has passed."""
    return (
        "function onLoginRequest(context) { executeStep(1, { onSuccess: function (context) {"
        f" var user = context.steps[1].subject;\n{body}\n}} }}); }}"
    )


__all__ = ["ANN", "BOB", "FACTS", "PASSED", "REQUEST", "Login", "after_first_step", "failed", "run", "with_params"]
