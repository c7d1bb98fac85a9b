"""Providers call us: check the signature, put what they say into the inbox, answer at once."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue

from notifiers.base import BadSignature, CallbackRequest, Inbound, Notifier, Receipt
from statuspage.services import receipts
from statuspage.web.access import access
from statuspage.web.wiring import now, wiring

LARGEST_BYTES = 1_000_000
"""A bounced mail comes with its body; more than this is no report."""

blueprint = Blueprint("callbacks", __name__, url_prefix="/callbacks")
logger = structlog.get_logger(__name__)


@blueprint.post("/<path:rest>")
@access.callback
def receive(rest: str) -> ResponseReturnValue:
    """403 without a word for a bad signature; what was stored twice has one effect."""
    path = f"/callbacks/{rest}"
    notifier = _listening(path)
    if notifier is None:
        abort(404)
    request.max_content_length = LARGEST_BYTES
    query = request.query_string.decode("latin-1")
    call = CallbackRequest(path, query, dict(request.headers), request.get_data(), now())
    try:
        news = notifier.parse_callback(call)
    except BadSignature:
        logger.warning("callback.bad_signature", provider=notifier.name)
        return Response(status=403)
    if news:
        _store(news)
    answer = notifier.callbacks[path]
    return Response(answer.body, status=answer.status, content_type=answer.content_type)


def _store(news: list[Receipt | Inbound]) -> None:
    told = [item for item in news if isinstance(item, Receipt)]
    words = [item for item in news if isinstance(item, Inbound)]
    with wiring().writing() as session:
        if told:
            receipts.store_receipts(session, told, now())
        if words:
            receipts.store_inbound(session, words, wiring().address_key, now())


def _listening(path: str) -> Notifier | None:
    for channel in wiring().notifiers.values():
        for notifier in channel:
            if path in notifier.callbacks:
                return notifier
    return None
