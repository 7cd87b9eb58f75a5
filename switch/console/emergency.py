"""`vigie emergency`: what became of emergency calls."""

import typer

from switch.console import emergency_audit, emergency_places, emergency_routes, emergency_trial

app = typer.Typer(help="Emergency calls.", no_args_is_help=True)
app.command("report")(emergency_places.report)
app.command("feed")(emergency_places.feed)
app.command("feed-ack")(emergency_places.feed_ack)
app.add_typer(emergency_routes.app, name="routes")
app.command("test")(emergency_trial.rehearse)
app.command("log")(emergency_audit.log)
app.command("show")(emergency_audit.show)
app.command("verify")(emergency_audit.verify)
app.command("export")(emergency_audit.export)


@app.callback()
def _noun() -> None:
    """Emergency calls."""
