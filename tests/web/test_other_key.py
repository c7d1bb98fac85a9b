"""A web process that holds another key than the installation's."""

from __future__ import annotations

from pydantic import SecretStr

from tests.web.site import Browser, Build


def test_nothing_is_written_with_another_key(build: Build) -> None:
    """Its opt-outs could not be recognised, so every write is refused, naming the setting; reading goes on."""
    browser = Browser(build(secret_key=SecretStr("another key than the one of this database")).test_client())
    assert browser.get("/console/login").status_code == 200
    refused = browser.log_in("engineer@demo.example")
    assert refused.status_code in {409, 422}
    assert "SECRET_KEY" in refused.text
