"""`tierproof run --with REQ… -- CMD…`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tierproof.cli.terminal.echo_text import echo_text


class _WithMany(click.Command):
    """Reads `--with A B -- CMD` as `--with A --with B -- CMD`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _spread(args))


def _spread(words: Sequence[str]) -> list[str]:
    """Repeat `--with` before each requirement; only where `--` says where they end."""
    if "--" not in words:
        return list(words)
    end = list(words).index("--")
    spread: list[str] = []
    is_with = False
    for at, word in enumerate(words[:end]):
        if word == "--with" and at + 1 < end and not words[at + 1].startswith("-"):
            is_with = True
        elif is_with and not word.startswith("-"):
            spread += ["--with", word]
        else:
            is_with = False
            spread.append(word)
    return [*spread, *words[end:]]


@click.command(
    cls=_WithMany,
    short_help="Run a command with additional or other package versions.",
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--with",
    "requirements",
    metavar="REQ…",
    multiple=True,
    required=True,
    help="Packages, or other versions of installed ones, for CMD alone; repeatable.",
)
@click.option(
    "--allow-build", metavar="PKG", multiple=True, help="Allow PKG to be built from source; repeatable."
)
@click.option("--quiet", is_flag=True, help="Show only errors.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.argument("command", metavar="-- CMD…", nargs=-1, required=True)
def run(
    requirements: tuple[str, ...],
    allow_build: tuple[str, ...],
    command: tuple[str, ...],
    *,
    quiet: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Run CMD with REQ, which may be another version of an installed package. No installed file changes.

    \b
    REQ is written as for pip: 'datasets>=4.4', 'numpy==2.3.4', 'name @ URL', ./package.whl
    tierproof run --with 'numpy==2.3.4' -- python train.py --epochs 3

    Every Python that CMD starts sees these packages, through PYTHONPATH. The exit code is that of CMD, or 2 if it could
    not be started.
    """
    import os

    from tierproof.api.packages.isolated import describe_layer
    from tierproof.api.show.progress import open_progress
    from tierproof.cli.packages.replace_process import find_program, replace_process
    from tierproof.errors import EXIT_COULD_NOT_JUDGE
    from tierproof.guard.capture.base import capture_base
    from tierproof.guard.capture.loaded_distributions import Loaded
    from tierproof.guard.isolate.isolated_layer import prepare_layer
    from tierproof.guard.isolate.isolated_plan import plan_isolated
    from tierproof.guard.isolate.worker_environment import extend_environment
    from tierproof.guard.judge.plan_refused import PlanRefused

    with open_progress(not quiet) as show:
        show(0, 2, "planning")
        # What this command has imported says nothing of what CMD will.
        try:
            planned = plan_isolated(requirements, capture_base(lambda _: Loaded()), allow_build=allow_build)
        except PlanRefused as error:
            error.exit_code = EXIT_COULD_NOT_JUDGE  # 1 is CMD's to say
            raise
        layer = prepare_layer(planned, allow_build=allow_build, tell=lambda words: show(1, 2, words))
    if not quiet and (told := describe_layer(planned, layer)):
        echo_text(told.rstrip("\n"), err=True)
    environment = extend_environment(layer.modules, layer.programs, os.environ)
    return replace_process(find_program(command[0], environment), command, environment)
