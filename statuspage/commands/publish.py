"""The whole public side as static files."""

from __future__ import annotations

from pathlib import Path

import click

from statuspage.commands.desk import warn_of_other_settings
from statuspage.composition import Composition
from statuspage.publish.publisher import current_site
from statuspage.publish.static import write_files


@click.command()
@click.option("--to", "target", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def publish(parts: Composition, target: Path) -> None:
    """Write every public page, feed and JSON as files, for any static host."""
    warn_of_other_settings(parts, "Written with the settings of this command.")
    count = write_files(current_site(parts.sessions, parts.settings, parts.clock), target)
    click.echo(f"{count} files written to {target}.")
