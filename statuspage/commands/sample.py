"""`statuspage sample`: load the sample operator."""

from __future__ import annotations

import click

from statuspage.commands.desk import writing
from statuspage.commands.parts import prepare
from statuspage.commands.printing import print_table
from statuspage.composition import Composition
from statuspage.services import sample as demo_telecom


@click.command()
@click.pass_obj
def sample(parts: Composition) -> None:
    """Load the sample operator "Demo Telecom"; safe to repeat.

    Passwords of log-ins made now are printed once; they work on this machine only, until changed.
    """
    prepare(parts)
    with writing(parts) as session:
        made = demo_telecom.load(session, time_zone=parts.settings.time_zone, now=parts.clock.now())
    click.echo("The sample operator is loaded.")
    if made:
        print_table(("e-mail", "role", "first password"), [(one.email, one.role, one.password) for one in made])
