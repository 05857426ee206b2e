"""`tierproof explain CODE`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="Explain a finding or a check.")
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def explain(code: str, *, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Say what CODE means, why it matters, and which models the check leaves out.

    CODE is that of a finding, such as T1-CAUSAL-001, or of a check, such as T1-CAUSAL.
    """
    from tierproof.api.explain import explain as explain_code

    echo_result(explain_code(code), as_json=as_json)
    return 0
