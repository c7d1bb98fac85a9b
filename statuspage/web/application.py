"""Put the console together: configuration, guard, blueprints."""

from __future__ import annotations

from flask import Flask, redirect, url_for
from flask.typing import ResponseReturnValue

from statuspage.web import access as door
from statuspage.web import assets, auth, callbacks, errors, health, security, shell, subscribe
from statuspage.web.access import access
from statuspage.web.console import BLUEPRINTS
from statuspage.web.proxies import TrustedProxies
from statuspage.web.wiring import EXTENSION, Wiring

LARGEST_FORM_BYTES = 2_000_000
"""Of any request but an upload of people, which is streamed and sets its own limit."""


def build(wiring: Wiring) -> Flask:
    """The whole dynamic side. Opens no connection, so that it can be built while the database is dead."""
    app = Flask("statuspage", static_folder=None, template_folder=str(shell.TEMPLATES))
    # The router's own redirects name the host that the request named, which is anybody's: it makes none.
    app.url_map.strict_slashes = app.url_map.merge_slashes = app.url_map.redirect_defaults = False
    app.extensions[EXTENSION] = wiring
    app.config.update(MAX_CONTENT_LENGTH=LARGEST_FORM_BYTES, MAX_FORM_MEMORY_SIZE=LARGEST_FORM_BYTES)
    security.secure(app, wiring.settings)
    assets.load(app, wiring.settings)
    shell.furnish(app)
    door.guard(app)
    errors.register(app)
    for blueprint in (
        assets.blueprint,
        health.blueprint,
        callbacks.blueprint,
        subscribe.blueprint,
        auth.blueprint,
        *BLUEPRINTS,
    ):
        app.register_blueprint(blueprint)
    app.add_url_rule("/console/", "home", home)
    app.wsgi_app = TrustedProxies(app.wsgi_app, wiring.settings.trusted_proxies)  # type: ignore[method-assign]  # Flask's own way
    return app


@access.user
def home() -> ResponseReturnValue:
    return redirect(url_for(auth.HOME))
