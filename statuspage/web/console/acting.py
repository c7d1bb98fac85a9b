"""One button, one verb, one transaction: then back to the page it stood on, with what happened or why not."""

from __future__ import annotations

from collections.abc import Callable

from flask import flash, redirect
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from statuspage.domain.errors import NotAllowed, NotFound, RuleError
from statuspage.web import shell
from statuspage.web.errors import status_of
from statuspage.web.forms import remember, repeated
from statuspage.web.wiring import wiring

Page = Callable[[RuleError | None], str]
Outcome = Callable[[object], str]
"""What the verb returned → the key of the words that say so."""


def act(
    scope: str, verb: Callable[[Session], object], *, done: str | Outcome, onward: str, page: Page
) -> ResponseReturnValue:
    """Do `verb` unless this very form did it before, say `done`, go `onward`; when a rule refuses, show `page` again.

    `scope` names the verb for the one-time key. What the actor may not do at all, or what is not there, gets its own
    page; what he may not do because of one field is a mistake in the form, which keeps all that was typed.
    """
    try:
        with wiring().writing() as session:
            first = repeated(session, scope) is None
            if first:
                made = verb(session)
                remember(session, scope, "done")
    except RuleError as error:
        if isinstance(error, NotFound) or (isinstance(error, NotAllowed) and error.field is None):
            raise
        return page(error), status_of(error)
    if first:
        flash(shell.t(done if isinstance(done, str) else done(made)))
    return redirect(onward, code=303)
