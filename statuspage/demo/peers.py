"""The other ends of the story, asked over HTTP: the product's public side and the stand-in for Twilio."""

from __future__ import annotations

import json
import urllib.error
import urllib.request


def status(url: str) -> int:
    """The answer's status, 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def text(url: str) -> str:
    """The body of a 200."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body.decode()


class TwilioStandIn:
    """The stand-in at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def taken(self) -> int:
        """Messages it has taken so far."""
        return self._count("taken")

    def waiting(self) -> int:
        """Callbacks it has yet to make."""
        return self._count("waiting")

    def answer(self, sender: str, to: str, words: str, callback: str) -> None:
        """A subscriber texts back."""
        body = json.dumps({"from": sender, "to": to, "body": words, "url": callback}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + "/standin/inbound", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as taken:
            taken.read()

    def _count(self, name: str) -> int:
        return int(json.loads(text(self.url + "/standin/counts"))[name])
