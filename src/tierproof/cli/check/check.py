"""`tierproof check TARGET`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tierproof.checks.tiers import TIERS, describe_tiers
from tierproof.cli.check.check_request import DEFAULT_TIMEOUT_S
from tierproof.cli.check.tierproof_toml import FILE_NAME, CheckConfig, read_check_config
from tierproof.cli.terminal.deliver_report import deliver_report
from tierproof.cli.terminal.echo_text import echo_text

if TYPE_CHECKING:
    from tierproof.cli.check.check_request import CheckRequest

_DEVICE = re.compile(r"(cpu|cuda(:\d+)?)\Z")
_CONFIG_KEY = "tierproof.check-config"
_FOUND_KEY = "tierproof.check-config-found"


def _apply_config(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    """Make the config file's values the defaults of the options that follow."""
    found = value is None and Path(FILE_NAME).exists()
    config = read_check_config(Path(value or FILE_NAME)) if value or found else CheckConfig()
    context.meta[_CONFIG_KEY] = config
    context.meta[_FOUND_KEY] = found
    context.default_map = {name.replace("-", "_"): item for name, item in config.options.items()}


def _require_seconds(
    _context: click.Context, _parameter: click.Parameter, value: float | None
) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise click.BadParameter("pass a positive number of seconds")
    return value


def _require_seed(_context: click.Context, _parameter: click.Parameter, value: int) -> int:
    if not 0 <= value < 2**63:
        raise click.BadParameter("pass a number from 0 up to 2^63 - 1")
    return value


def _require_device(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _DEVICE.match(value):
        raise click.BadParameter(f"{value!r} is neither cpu nor cuda")
    return value


def _require_tier(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value != "all" and value not in map(str, TIERS):
        raise click.BadParameter(
            f"this version of tierproof has no checks of tier {value}. This version has {describe_tiers()}; `all` "
            "selects every check"
        )
    return value


@click.command(short_help="Validate a model.")
@click.argument("target")
@click.option(
    "--config",
    metavar="FILE",
    callback=_apply_config,
    is_eager=True,
    expose_value=False,
    help=f"Read defaults from this TOML file; ./{FILE_NAME} is read if it exists.",
)
@click.option(
    "--tier",
    metavar="|".join([*map(str, TIERS), "all"]),
    callback=_require_tier,
    default="1",
    show_default=True,
    help=f"Run the checks of one tier ({describe_tiers()} in this version), or of all.",
)
@click.option(
    "--only", metavar="CODE,…", default="", help="Run only these checks; prefixes such as T1-S are fine."
)
@click.option("--skip", metavar="CODE,…", default="", help="Leave these checks out.")
@click.option(
    "--inputs",
    metavar="FILE.py:NAME",
    default="",
    help="Call the model with this tensor, tuple or dict, or with what this function returns.",
)
@click.option(
    "--spec",
    metavar="KEY=VALUE",
    multiple=True,
    help="Declare a fact about the model, for instance vocab_size=256 or image_size=224x224. Repeatable.",
)
@click.option(
    "--device",
    metavar="cpu|cuda",
    default=None,
    callback=_require_device,
    help="Device to run on; the CPU by default.",
)
@click.option(
    "--seed",
    type=int,
    callback=_require_seed,
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of every random draw.",
)
@click.option(
    "--budget",
    type=float,
    default=None,
    callback=_require_seconds,
    metavar="S",
    help="Run the most valuable checks that fit into S seconds.",
)
@click.option(
    "--timeout",
    type=float,
    default=DEFAULT_TIMEOUT_S,
    show_default=True,
    callback=_require_seconds,
    metavar="S",
    help="Stop the check after S seconds without any progress.",
)
@click.option("--weights", is_flag=True, help="Load the checkpoint of an hf: or DIR/ target.")
@click.option("--trust", is_flag=True, help="Run code that comes with an hf: or gist: target.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Write the report here too: .html .json .md .xml .txt. Repeatable.",
)
@click.option(
    "--hub-url",
    metavar="URL",
    default="",
    envvar="TIERPROOF_HUB_URL",
    help="URL from which hf: ids are fetched.  [default: https://huggingface.co]",
)
@click.option(
    "--gist-url",
    metavar="URL",
    default="",
    envvar="TIERPROOF_GIST_URL",
    help="URL from which gists are fetched.  [default: https://api.github.com]",
)
@click.option("--quiet", is_flag=True, help="Show no progress and no notes.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def check(context: click.Context, /, **options: Any) -> int:
    """Validate a model.

    \b
    TARGET is one of
      PATH.py[:NAME]        a function that returns a module, a class, or a module;
                            without NAME: build_model, Model, or the outermost
                            class: the one that no other class in the file uses
      DIR/                  with model.py and perhaps config.json
      DIR/FILE.ckpt         a checkpoint (.pt .pth .bin .safetensors) beside model.py
      package.module:NAME   anything that can be imported
      hf:DIR_OR_ID          a transformers config
      gist:ID[@REVISION]    a gist with a model.py

    Exit codes: 0 = passed, 1 = failed, 2 = could not be checked.
    """
    from tierproof._optional import is_installed, require
    from tierproof.cli.check.output_paths import require_writable
    from tierproof.cli.check.run_check_child import run_in_child
    from tierproof.cli.terminal.show_progress import open_display
    from tierproof.reporters.register import register_all

    if context.meta[_FOUND_KEY] and not options["quiet"]:
        echo_text(f"defaults from {FILE_NAME}", err=True)
    register_all()
    request = make_request(context.meta[_CONFIG_KEY], options)
    outputs = list(dict.fromkeys(options["output"]))
    require_writable(outputs)
    if not is_installed("torch"):
        require("torch", feature="to check a model")
    _refuse_unreadable(request.target)
    with open_display(quiet=options["quiet"]) as display:
        report = run_in_child(request, display)
    deliver_report(report, outputs, as_json=options["as_json"], quiet=options["quiet"])
    return report.verdict.exit_code


def make_request(config: CheckConfig, options: dict[str, Any]) -> CheckRequest:
    """Turn the options into a request, refusing what can be refused without torch.

    Raises:
        TierproofError: for a target, tier, spec or inputs option that cannot be meant.
    """
    from tierproof.cli.check.check_request import CheckRequest
    from tierproof.cli.check.spec_option import parse_spec
    from tierproof.model.load.target import parse_inputs, parse_target

    parse_target(options["target"])
    if options["inputs"]:
        parse_inputs(options["inputs"])
    return CheckRequest(
        target=options["target"],
        tier=options["tier"] if options["tier"] == "all" else int(options["tier"]),
        only=_split(options["only"]),
        skip=_split(options["skip"]),
        inputs=options["inputs"],
        device=options["device"],
        seed=options["seed"],
        budget_s=options["budget"],
        weights=options["weights"],
        trust=options["trust"],
        spec=parse_spec(options["spec"], config.spec),
        hub_url=options["hub_url"],
        gist_url=options["gist_url"],
        debug=options["debug"],
        timeout_s=options["timeout"],
    )


def _refuse_unreadable(text: str) -> None:
    """Find a file that is absent or no Python at once, instead of after torch is imported."""
    from tierproof.model.load.load_source import compile_file
    from tierproof.model.load.target import FolderTarget, PathTarget, parse_target

    match parse_target(text):
        case PathTarget(path):
            compile_file(Path(path).expanduser())
        case FolderTarget(path):
            model = Path(path).expanduser() / "model.py"
            if model.is_file():
                compile_file(model)


def _split(codes: str) -> tuple[str, ...]:
    return tuple(code.strip() for code in codes.split(",") if code.strip())
