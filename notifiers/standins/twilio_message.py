"""One message as the stand-in for Twilio holds it; its status follows from the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from notifiers.text import count


@dataclass(slots=True)
class Event:
    """From `at` on (aware UTC) the message is in `status`."""

    at: datetime
    status: str
    error_code: int | None = None


@dataclass(slots=True)
class TwilioMessage:
    account_sid: str
    sid: str
    to: str
    body: str
    sender: str | None
    messaging_service_sid: str | None
    created_at: datetime
    events: list[Event] = field(default_factory=list)

    def now(self, moment: datetime) -> Event:
        return [event for event in self.events if event.at <= moment][-1]

    def sent_at(self, moment: datetime) -> datetime | None:
        """None while queued: that is why a queued message escapes a filter by DateSent."""
        passed = [event.at for event in self.events if event.at <= moment and event.status == "sent"]
        return passed[0] if passed else None

    def fields(self, moment: datetime) -> dict[str, Any]:
        """The Message resource, as JSON has it."""
        event, sent = self.now(moment), self.sent_at(moment)
        return {
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": format_datetime(self.created_at),
            "date_sent": format_datetime(sent) if sent else None,
            "date_updated": format_datetime(event.at),
            "direction": "outbound-api",
            "error_code": event.error_code,
            "error_message": None,
            "from": self.sender,
            "messaging_service_sid": self.messaging_service_sid,
            "num_media": "0",
            "num_segments": str(count(self.body).segments),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": event.status,
            "subresource_uris": {},
            "to": self.to,
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/{self.sid}.json",
        }

    def callback(self, event: Event) -> dict[str, str]:
        """The form of a status callback."""
        fields = {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "From": self.sender or "",
            "MessageSid": self.sid,
            "MessageStatus": event.status,
            "SmsSid": self.sid,
            "SmsStatus": event.status,
            "To": self.to,
        }
        if self.messaging_service_sid:
            fields["MessagingServiceSid"] = self.messaging_service_sid
        if event.error_code is not None:
            fields["ErrorCode"] = str(event.error_code)
        return fields
