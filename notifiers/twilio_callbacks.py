"""What Twilio calls us with: delivery statuses and people's replies, both signed.

Imports the SDK's validator only, which is pure: a web process never loads the client (20 MB of it).
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from twilio.request_validator import (  # type: ignore[import-untyped]
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from notifiers.base import (
    BadSignature,
    CallbackAnswer,
    CallbackRequest,
    Channel,
    Failure,
    Inbound,
    Keyword,
    Receipt,
)
from notifiers.keywords import keyword
from notifiers.twilio_account import TwilioAccount
from notifiers.twilio_codes import STATES, verdict

STATUS_PATH = "/callbacks/twilio/status"
INBOUND_PATH = "/callbacks/twilio/inbound"
ANSWERS = {
    STATUS_PATH: CallbackAnswer(),
    # An empty answer in TwiML: Twilio itself has already replied to STOP, START and HELP.
    INBOUND_PATH: CallbackAnswer(200, "text/xml; charset=utf-8", b"<Response/>"),
}
_OPT_OUT_TYPES = {"STOP": Keyword.STOP, "START": Keyword.START, "HELP": Keyword.HELP}


class Form:
    """A posted form with its repeated keys, in the shape the validator asks for (`getlist`)."""

    def __init__(self, body: bytes) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
            self._fields.setdefault(name, []).append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def getlist(self, name: str) -> list[str]:
        return self._fields[name]

    def get(self, name: str) -> str:
        """The first value, "" when there is none."""
        return self._fields.get(name, [""])[0]


class TwilioCallbacks:
    """Checks and reads Twilio's webhooks. `base_url` is the public address: the signature covers the URL as Twilio
    called it, which a process behind a proxy cannot see."""

    def __init__(self, provider: str, account: TwilioAccount, base_url: str) -> None:
        self._provider = provider
        self._validator = RequestValidator(account.auth_token)
        self._account_sid = account.account_sid
        self._base_url = base_url.rstrip("/")

    def status_url(self, delivery_id: int, attempt: int) -> str:
        """Carries our own names, so that a receipt heals a POST whose answer was lost."""
        return f"{self._base_url}{STATUS_PATH}?d={delivery_id}&a={attempt}"

    def parse(self, request: CallbackRequest) -> list[Receipt | Inbound]:
        """Raises `BadSignature`, also for a missing header, on which the SDK's validator would fail with TypeError, and
        for news of another account, which a token shared by mistake would let in."""
        form = Form(request.body)
        signature = request.header(SIGNATURE_HEADER)
        algorithm = get_signature_algorithm(request.header(SIGNATURE_SETTINGS_HEADER))
        if not signature or not self._validator.validate(self._url(request), form, signature, algorithm):
            raise BadSignature(self._provider)
        if form.get("AccountSid") not in {"", self._account_sid}:
            raise BadSignature(self._provider)
        if request.path == INBOUND_PATH:
            return [self._inbound(form, request)]
        receipt = self._receipt(form, request)
        return [] if receipt is None else [receipt]

    def _url(self, request: CallbackRequest) -> str:
        return f"{self._base_url}{request.path}" + (f"?{request.query}" if request.query else "")

    def _receipt(self, form: Form, request: CallbackRequest) -> Receipt | None:
        status = form.get("MessageStatus") or form.get("SmsStatus")
        state = STATES.get(status)
        sid = form.get("MessageSid") or form.get("SmsSid")
        if state is None or not sid:
            return None
        query = dict(parse_qsl(request.query))
        code = _number(form.get("ErrorCode"))
        row = verdict(code) if code else None
        return Receipt(
            provider=self._provider,
            provider_id=sid,
            delivery_id=_number(query.get("d", "")),
            attempt=_number(query.get("a", "")),
            status=status,
            state="expired" if row and row.reason is Failure.EXPIRED else state,
            at=request.received_at,
            error_code=str(code) if code else None,
            reason=row.reason if row else None,
            permanent=row.permanent if row else False,
        )

    def _inbound(self, form: Form, request: CallbackRequest) -> Inbound:
        body = form.get("Body")
        return Inbound(
            provider=self._provider,
            provider_id=form.get("MessageSid"),
            channel=Channel.SMS,
            sender=form.get("From"),
            recipient=form.get("To"),
            # Advanced Opt-Out knows the words its owner has set up, in any language; ours come second.
            keyword=_OPT_OUT_TYPES.get(form.get("OptOutType").upper()) or keyword(body),
            at=request.received_at,
            body=body,
        )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None
