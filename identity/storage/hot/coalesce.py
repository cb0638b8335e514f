"""Callers that wait at the same moment share one statement; a single caller pays one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from identity.errors import IdentityError, Unavailable

Question = TypeVar("Question")
Answer = TypeVar("Answer")

LARGEST_BATCH = 256


class RefusedRow(IdentityError):
    """The database will not take a row as it is (too large a number, text it cannot hold): a fault of ours, 500."""

    def __init__(self, detail: str) -> None:
        super().__init__("server_error", "Something went wrong.", detail=detail, status=500)


@dataclass(slots=True)
class HotCounters:
    """What the token road did since the start, for telemetry to read."""

    statements: int = 0
    rows: int = 0
    """Rows asked for or offered; divided by `statements` it is the mean batch."""
    timeouts: int = 0
    reconnects: int = 0
    retries: int = 0
    """Reads asked once more on the other connection."""


class Coalescer(Generic[Question, Answer]):
    """Answers all waiting callers by one call of `answer_all`, at most 256 a time, in the order of the questions.

    Nobody is answered from a statement begun before it asked: while one runs, new callers gather for the next. So a
    committed change is seen by every later question, on every worker, with no cache to invalidate (decision 31).
    Nobody is left waiting either: whatever ends the runner, its callers hear Unavailable and the rest get a new one.
    """

    def __init__(self, answer_all: Callable[[list[Question]], Awaitable[Sequence[Answer]]]) -> None:
        self._answer_all = answer_all
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._runner: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """Kept, since asking for the running loop costs a system call each time."""
        self._closed = False

    def __call__(self, question: Question) -> asyncio.Future[Answer]:
        """The future of the answer. It raises Unavailable, or RefusedRow when this question alone is at fault."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        if self._closed:
            future.set_exception(Unavailable("the database is closed"))
            return future
        self._waiting.append((question, future))
        if self._runner is None:
            self._start()
        return future

    async def close(self) -> None:
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        _abandon(self._waiting)

    def _start(self) -> None:
        self._runner = asyncio.get_running_loop().create_task(self._run())
        # Not a `finally` in the runner: one cancelled before its first step would never come to it.
        self._runner.add_done_callback(self._ended)

    def _ended(self, runner: asyncio.Task[None]) -> None:
        self._runner = None
        if self._waiting and not self._closed:
            self._start()

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            # A caller that has gone (its request was cancelled) is not asked for.
            callers = [caller for caller in batch if not caller[1].done()]
            if callers:
                await self._serve(callers)

    async def _serve(self, callers: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._answer_all([question for question, _ in callers])
            if len(answers) != len(callers):
                raise Unavailable(f"{len(answers)} answers to {len(callers)} questions")
            for (_, future), answer in zip(callers, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
        except RefusedRow as error:
            if len(callers) == 1:
                _fail(callers, error)
            else:
                # One bad row fails nobody else: each is tried alone (decision 32).
                for caller in callers:
                    await self._serve([caller])
        except Exception as error:
            _fail(callers, error)
        finally:
            _abandon(callers)


def _fail(callers: Iterable[tuple[object, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, future in callers:
        if not future.done():
            # Each caller gets an exception of its own: a shared one would gather everybody's traceback.
            future.set_exception(Unavailable(error.detail) if isinstance(error, Unavailable) else error)


def _abandon(callers: Iterable[tuple[object, asyncio.Future[Answer]]]) -> None:
    for _, future in callers:
        if not future.done():
            future.set_exception(Unavailable("the statement was abandoned"))
