"""Sharing a statement: who is answered by which, and that nobody is left waiting (decision 31)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from identity.errors import Unavailable
from identity.storage.hot.coalesce import LARGEST_BATCH, Coalescer, RefusedRow


class Statement:
    """Answers each question with its number of the run; each run waits to be let through."""

    def __init__(self) -> None:
        self.runs: list[list[str]] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def __call__(self, questions: list[str]) -> list[str]:
        self.runs.append(questions)
        self.begun.set()
        await self.gate.acquire()
        self.begun.clear()
        if self.error is not None:
            raise self.error
        return [f"{question} by run {len(self.runs)}" for question in questions]


def _run(scenario: Callable[[Statement, Coalescer[str, str]], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            statement = Statement()
            coalescer = Coalescer(statement)
            await scenario(statement, coalescer)
            await coalescer.close()

    asyncio.run(main())


def test_nobody_is_answered_by_a_statement_begun_before_it_asked() -> None:
    async def scenario(statement: Statement, ask: Coalescer[str, str]) -> None:
        first = [ask("a"), ask("b")]
        await statement.begun.wait()
        later = [ask("a"), ask("c")]
        statement.gate.release()
        assert await asyncio.gather(*first) == ["a by run 1", "b by run 1"]
        assert not any(future.done() for future in later)
        statement.gate.release()
        assert await asyncio.gather(*later) == ["a by run 2", "c by run 2"]
        assert statement.runs == [["a", "b"], ["a", "c"]]

    _run(scenario)


def test_a_batch_has_its_bound() -> None:
    async def scenario(statement: Statement, ask: Coalescer[str, str]) -> None:
        futures = [ask(str(number)) for number in range(LARGEST_BATCH + 1)]
        statement.gate.release()
        statement.gate.release()
        await asyncio.gather(*futures)
        assert [len(run) for run in statement.runs] == [LARGEST_BATCH, 1]

    _run(scenario)


def test_cancelled_caller_disturbs_nobody() -> None:
    async def scenario(statement: Statement, ask: Coalescer[str, str]) -> None:
        leaving, staying = ask("a"), ask("b")
        await statement.begun.wait()
        waiting = ask("c"), ask("d")
        leaving.cancel()
        waiting[0].cancel()
        statement.gate.release()
        assert await staying == "b by run 1"
        statement.gate.release()
        assert await waiting[1] == "d by run 2"
        # One that left before its statement began is not asked for.
        assert statement.runs == [["a", "b"], ["d"]]

    _run(scenario)


def test_cancelled_runner_leaves_nobody_waiting() -> None:
    async def scenario(statement: Statement, ask: Coalescer[str, str]) -> None:
        asked = ask("a"), ask("b")
        await statement.begun.wait()
        waiting = ask("c")
        runner = ask._runner
        assert runner is not None
        runner.cancel()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
        statement.gate.release()
        assert await waiting == "c by run 2"

    _run(scenario)


def test_runner_cancelled_before_it_began_leaves_nobody_waiting() -> None:
    async def scenario(statement: Statement, ask: Coalescer[str, str]) -> None:
        future = ask("a")
        assert ask._runner is not None
        ask._runner.cancel()
        statement.gate.release()
        assert await future == "a by run 1"

    _run(scenario)


@pytest.mark.parametrize("error", [Unavailable("gone"), ZeroDivisionError("a fault of ours")])
def test_failed_statement_fails_its_callers_only(error: Exception) -> None:
    async def scenario(statement: Statement, ask: Coalescer[str, str]) -> None:
        futures = ask("a"), ask("b")
        statement.error = error
        statement.gate.release()
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(error)] * 2
        statement.error = None
        statement.gate.release()
        assert await ask("c") == "c by run 2"

    _run(scenario)


def test_refused_row_is_found_by_trying_each_alone() -> None:
    async def refuse(questions: list[str]) -> list[str]:
        if "poison" in questions:
            raise RefusedRow("poison")
        return questions

    async def main() -> None:
        ask = Coalescer(refuse)
        futures = [ask(question) for question in ("a", "poison", "b")]
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        assert outcomes[::2] == ["a", "b"]
        assert isinstance(outcomes[1], RefusedRow)

    asyncio.run(main())


def test_wrong_number_of_answers_is_no_answer() -> None:
    async def forgetful(questions: list[str]) -> list[str]:
        return questions[1:]

    async def main() -> None:
        ask = Coalescer(forgetful)
        outcomes = await asyncio.gather(ask("a"), ask("b"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]

    asyncio.run(main())


def test_closing_answers_everybody() -> None:
    async def scenario(statement: Statement, ask: Coalescer[str, str]) -> None:
        asked = ask("a")
        await statement.begun.wait()
        waiting = ask("b")
        await ask.close()
        outcomes = await asyncio.gather(asked, waiting, ask("c"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3

    _run(scenario)
