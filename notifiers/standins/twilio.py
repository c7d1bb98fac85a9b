"""A stand-in for Twilio's Messages resource: takes, lists, fetches, refuses, fails and calls back.

    python -m notifiers.standins.twilio --port 0 --ledger twilio.jsonl --faults busy=0.02,reset=0.01 --seed 7

Prints "listening on http://127.0.0.1:PORT" once it is ready. Magic numbers are Twilio's own (+15005550001 and on).
Source of shapes: https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from aiohttp import web

from notifiers.standins.chance import Chance, faults
from notifiers.standins.ledger import Ledger
from notifiers.standins.twilio_messages import FAULTS, Pace, TwilioMessages
from notifiers.standins.twilio_webhooks import Webhooks

ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "stand-in-token"  # noqa: S105 - it opens nothing but this stand-in


def application(messages: TwilioMessages, webhooks: Webhooks) -> web.Application:
    app = web.Application()
    account = f"/2010-04-01/Accounts/{messages.account_sid}"
    app.router.add_post(f"{account}/Messages.json", messages.create)
    app.router.add_get(f"{account}/Messages.json", messages.listing)
    app.router.add_get(f"{account}/Messages/{{sid}}.json", messages.fetch)
    app.router.add_post("/standin/inbound", messages.inbound)
    app.router.add_get("/standin/counts", messages.counts)

    async def running(_app: web.Application) -> AsyncIterator[None]:
        await webhooks.open()
        yield
        await webhooks.close()

    app.cleanup_ctx.append(running)
    return app


async def serve(options: argparse.Namespace) -> None:
    """Runs until SIGTERM or SIGINT."""
    webhooks = Webhooks(options.auth_token)
    ledger = Ledger(options.ledger)
    chance = Chance(options.seed, options.faults)
    pace = Pace(options.step_seconds, options.slow_seconds)
    messages = TwilioMessages(options.account_sid, options.auth_token, ledger, chance, webhooks, pace)
    runner = web.AppRunner(application(messages, webhooks), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port)
    await site.start()
    sys.stdout.write(f"listening on http://{options.host}:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await runner.cleanup()
    ledger.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m notifiers.standins.twilio", description="A stand-in for Twilio.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    parser.add_argument("--ledger", type=Path, required=True, help="JSON lines of what was taken")
    parser.add_argument("--account-sid", default=ACCOUNT_SID)
    parser.add_argument("--auth-token", default=AUTH_TOKEN)
    parser.add_argument("--seed", type=int, default=1, help="the same seed strikes the same messages")
    known = "rates 0 to 1: " + ", ".join(sorted(FAULTS))
    parser.add_argument("--faults", type=lambda text: faults(text, FAULTS), default={}, help=known)
    parser.add_argument("--step-seconds", type=float, default=0.05, help="between taken, sent and delivered")
    parser.add_argument("--slow-seconds", type=float, default=30.0, help="before a slow answer")
    asyncio.run(serve(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
