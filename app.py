"""The composition root: the only place that knows every floor of the house.

`main` is the console script, `app` the WSGI application, `front` the ASGI application of a web process. The last two
are made when first asked for, so that the command line and the sender never load them.
"""

from __future__ import annotations

import os
from typing import Any

import structlog

from notifiers import registry
from statuspage import cli, create_app, logs
from statuspage.clock import SystemClock
from statuspage.composition import Composition
from statuspage.db import make_engine, make_sessions
from statuspage.environment import load


def compose() -> Composition:
    """Read the settings and build what every process needs; opens no connection. Raises ConfigError."""
    os.umask(0o077)  # what is kept here is about people, whatever the mode of the directory it is kept in
    settings = load(os.environ)
    logs.configure(settings.log_format)
    sessions = make_sessions(make_engine(settings.database_url.get_secret_value()))
    clock = SystemClock()
    return Composition(settings, sessions, registry.build(settings, now=clock.now), clock)


def main() -> None:
    cli.run(compose)


def _make_app() -> Any:
    from statuspage.publish.publisher import publish

    parts = compose()

    def bring_up_to_date() -> object:
        return publish(parts.sessions, parts.settings, parts.clock)

    return create_app(parts.settings, parts.sessions, parts.notifiers, parts.clock, bring_up_to_date)


def _make_front() -> Any:
    from statuspage.publish.publisher import PUBLIC_FOLDER
    from statuspage.web.front import make_front

    try:
        application = _make_app()
    except Exception:  # noqa: BLE001 -- any fault at all
        # Whatever is wrong with the console, the published page is served.
        structlog.get_logger(__name__).exception("front.no_application")
        application = None
    return make_front(load(os.environ).data_dir / PUBLIC_FOLDER, application)


_MAKERS = {"app": _make_app, "front": _make_front}


def __getattr__(name: str) -> Any:
    if name not in _MAKERS:
        raise AttributeError(name)
    globals()[name] = _MAKERS[name]()
    return globals()[name]
