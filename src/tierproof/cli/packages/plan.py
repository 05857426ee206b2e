"""`tierproof plan REQ…`."""

from __future__ import annotations

import click


@click.command(short_help="Show what an install would do.")
@click.argument("requirements", metavar="REQ…", nargs=-1, required=True)
@click.option(
    "--image",
    metavar="IMAGE",
    default="",
    help="Plan for a hosted image, such as colab:2026.07-gpu, or a file with the output of `pip freeze`.",
)
@click.option(
    "--python", metavar="3.X", default="", help="Python version of a file (`pip freeze`) given as IMAGE."
)
@click.option("--exclude-newer", metavar="DATE", default="", help="Ignore releases after that day.")
@click.option("--offline", is_flag=True, help="With --image: use a stored answer of any age, and no network.")
@click.option(
    "--allow-build",
    metavar="PKG",
    multiple=True,
    help="Build the metadata of PKG, which runs its code. Repeatable.",
)
@click.option("--build-metadata", is_flag=True, help="Build the metadata of every package that has no wheel.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def plan(
    requirements: tuple[str, ...],
    *,
    image: str,
    python: str,
    exclude_newer: str,
    offline: bool,
    allow_build: tuple[str, ...],
    build_metadata: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Show what an install would do, here or on a hosted image. Nothing is installed.

    \b
    REQ is written as for pip: captum, 'optuna>=4', 'ray[tune]', 'name @ URL', ./package.whl

    \b
    satisfied   everything is installed already
    additive    packages are added; no installed package changes
    shadow      another version would take precedence over an installed package that no
                running process has loaded
    waiver      fits if you ignore the version bounds that the plan names
    isolated    conflicts with loaded packages: can only run in a separate process
    infeasible  no combination of versions satisfies the request
    unknown     part of the request cannot be resolved without a build, a repository or
                an unreachable index; the rest is judged

    Exit codes: 0 = satisfied or additive, 1 = any other verdict, or a release that is much older than the latest,
    2 = unknown.
    """
    from tierproof.api.packages.plan import plan_here, plan_on_image
    from tierproof.cli.terminal.echo_result import echo_result
    from tierproof.cli.terminal.show_steps import open_steps
    from tierproof.guard.resolve.resolve import EVERY_BUILD

    allowed = (*allow_build, *([EVERY_BUILD] if build_metadata else []))
    if image in ("", "here"):
        result = plan_here(requirements, exclude_newer=exclude_newer, allow_build=allowed)
    else:
        with open_steps(quiet=as_json) as step:
            result = plan_on_image(
                requirements,
                image,
                python=python,
                exclude_newer=exclude_newer,
                offline=offline,
                allow_build=allowed,
                on_step=step,
            )
    echo_result(result, as_json=as_json)
    return result.exit_code
