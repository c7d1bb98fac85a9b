"""Mail by SMTP to the operator's own relay or a provider's: kept connections, prebuilt letters, signed return paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from notifiers.base import (
    Accepted,
    CallbackAnswer,
    CallbackRequest,
    Channel,
    Clock,
    Failure,
    Inbound,
    Message,
    NotifierError,
    Query,
    Receipt,
    Settle,
    utc_now,
)
from notifiers.bounce import BOUNCE_PATH, Bounces
from notifiers.envelope import Envelopes, Letter
from notifiers.smtp_dialogue import SmtpDialogue
from notifiers.smtp_pool import CONNECTIONS, LETTERS_PER_CONNECTION, SmtpPool, SmtpServer, tired
from notifiers.verp import Verp
from notifiers.window import Window, no_answer

NAME = "smtp"
IN_FLIGHT = 64
ANSWER_SECONDS = 60.0


class Ready(NamedTuple):
    message: Message
    letter: Letter


class SmtpEmail:
    """The relay's 250 means `sent`: nothing more is heard of a mail that arrives, only of one that does not.

    The Message-ID is one per delivery, so that a mail whose fate was unknown and that is sent again is one mail to the
    reader's side.
    """

    name = NAME
    channel = Channel.EMAIL
    callbacks: Mapping[str, CallbackAnswer] = {BOUNCE_PATH: CallbackAnswer()}

    def __init__(
        self,
        server: SmtpServer,
        envelopes: Envelopes,
        verp: Verp,
        *,
        window: int = IN_FLIGHT,
        connections: int = CONNECTIONS,
        answer_seconds: float = ANSWER_SECONDS,
        now: Clock = utc_now,
    ) -> None:
        self.window = window
        self._server = server
        self._envelopes = envelopes
        self._bounces = Bounces(NAME, verp)
        self._connections = connections
        self._answer_seconds = answer_seconds
        self._now = now
        self._pool: SmtpPool | None = None

    async def open(self) -> None:
        self._pool = SmtpPool(self._server, self._envelopes.domain, self._connections, self._answer_seconds)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def send(self, messages: Sequence[Message], settle: Settle) -> None:
        if self._pool is None:
            raise RuntimeError("SmtpEmail.open() comes before sending")
        pool = self._pool
        workers = min(self._connections, len(messages))
        await Window(messages, settle).run(lambda window: self._work(pool, window), workers)

    async def reconcile(self, queries: Sequence[Query]) -> list[Receipt]:
        """A relay cannot be asked: silent on every one of `queries`."""
        del queries
        return []

    def parse_callback(self, request: CallbackRequest) -> list[Receipt | Inbound]:
        return list(self._bounces.parse(request.body, request.received_at))

    async def _work(self, pool: SmtpPool, window: Window) -> None:
        ready = self._next(window)
        while ready is not None:
            try:
                dialogue = await pool.borrow()
            except NotifierError as error:
                window.settle(ready.message, error)
                ready = self._next(window)
                continue
            except BaseException:
                window.settle(ready.message, _not_started())
                raise
            try:
                ready = await self._converse(dialogue, window, ready)
            finally:
                pool.give_back(dialogue)

    async def _converse(self, dialogue: SmtpDialogue, window: Window, ready: Ready) -> Ready | None:
        """Sends until nothing is left or the dialogue is; returns what was taken up and not begun."""
        upcoming: Ready | None = ready
        kept = dialogue.letters > 0
        dialogue.propose(ready.letter)
        while upcoming is not None:
            message = upcoming.message
            refused = await self._agreed(dialogue, window, upcoming)
            if refused is not None and kept and not dialogue.usable:
                # The server had left a kept connection meanwhile: another one, the mail is untouched.
                return upcoming
            kept = False
            if refused is not None:
                window.settle(message, refused)
                upcoming = self._next(window)
                if upcoming is not None and dialogue.usable:
                    dialogue.propose(upcoming.letter)
            else:
                upcoming = await self._hand_over(dialogue, window, upcoming)
            if tired(dialogue):
                return upcoming
        return None

    async def _agreed(self, dialogue: SmtpDialogue, window: Window, ready: Ready) -> NotifierError | None:
        try:
            return await dialogue.agreed(ready.letter)
        except BaseException:
            dialogue.abort()
            window.settle(ready.message, _not_started())
            raise

    async def _hand_over(self, dialogue: SmtpDialogue, window: Window, ready: Ready) -> Ready | None:
        """Sends one agreed mail and settles it; returns the next one, whose envelope has gone with it."""
        following = self._next(window)
        last = dialogue.letters + 1 >= LETTERS_PER_CONNECTION
        dialogue.hand_over(ready.letter, None if following is None or last else following.letter)
        try:
            lost = await dialogue.taken()
        except BaseException:
            dialogue.abort()
            window.settle(ready.message, no_answer())
            if following is not None:
                window.settle(following.message, _not_started())
            raise
        window.settle(ready.message, lost or Accepted(ready.letter.message_id, NAME, None, "sent"))
        return following

    def _next(self, window: Window) -> Ready | None:
        """The next message that makes a letter; one that does not is settled at once."""
        while (message := window.take()) is not None:
            try:
                return Ready(message, self._envelopes.letter(message, self._now()))
            except NotifierError as error:
                window.settle(message, error)
        return None


def _not_started() -> NotifierError:
    return NotifierError(Failure.NOT_STARTED, sent="no")
