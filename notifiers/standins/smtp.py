"""A stand-in for the operator's mail relay: takes mail into a ledger, refuses, defers, drops the line, bounces.

    python -m notifiers.standins.smtp --port 0 --ledger smtp.jsonl --faults defer=0.02,drop_after=0.01 --seed 7

Prints "listening on smtp://127.0.0.1:PORT" once it is ready. With --bounce-url it posts bounces, as a relay does.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from aiosmtpd.smtp import SMTP

from notifiers.standins.chance import Chance, faults
from notifiers.standins.ledger import Ledger
from notifiers.standins.smtp_bounces import BouncePost
from notifiers.standins.smtp_mailbox import FAULTS, Mailbox

LARGEST = 10_000_000


async def serve(options: argparse.Namespace) -> None:
    """Runs until SIGTERM or SIGINT."""
    ledger = Ledger(options.ledger)
    bounces = BouncePost(options.bounce_url) if options.bounce_url else None
    if bounces is not None:
        bounces.open()
    mailbox = Mailbox(
        ledger,
        Chance(options.seed, options.faults),
        slow_seconds=options.slow_seconds,
        pipelining=not options.no_pipelining,
        bounces=bounces,
    )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _relay(mailbox), options.host, options.port)
    sys.stdout.write(f"listening on smtp://{options.host}:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
    server.close()
    if bounces is not None:
        await bounces.close()
    ledger.close()


def _relay(mailbox: Mailbox) -> SMTP:
    return SMTP(mailbox, hostname="relay.invalid", ident="stand-in", data_size_limit=LARGEST)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m notifiers.standins.smtp", description="A stand-in for a relay.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    parser.add_argument("--ledger", type=Path, required=True, help="JSON lines of what was taken")
    parser.add_argument("--seed", type=int, default=1, help="the same seed strikes the same mails")
    known = "rates 0 to 1: " + ", ".join(sorted(FAULTS))
    parser.add_argument("--faults", type=lambda text: faults(text, FAULTS), default={}, help=known)
    parser.add_argument("--slow-seconds", type=float, default=30.0, help="before a slow answer")
    parser.add_argument("--no-pipelining", action="store_true", help="do not offer PIPELINING")
    parser.add_argument("--bounce-url", default="", help="where bounces are posted")
    asyncio.run(serve(parser.parse_args(arguments)))


if __name__ == "__main__":
    main()
