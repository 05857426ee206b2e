"""The `tierproof` command."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from tierproof.cli.terminal.interruption import Interrupted, interruptible
from tierproof.errors import EXIT_COULD_NOT_JUDGE, OutputError, TierproofError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code: 0 = passed, 1 = failed, 2 = could not be checked.

    Args:
        arguments: without the program's name; those of the process by default.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with interruptible():
            return _run(arguments)
    except (Interrupted, KeyboardInterrupt):
        print("tierproof: interrupted before the command was finished.", file=sys.stderr)  # noqa: T201
        return EXIT_COULD_NOT_JUDGE


def _run(arguments: Sequence[str]) -> int:
    import click

    from tierproof.cli.commands import tierproof
    from tierproof.cli.terminal.show_error import show_error, show_usage_error
    from tierproof.cli.terminal.streams import drop_output, prepare_streams

    debug = "--debug" in arguments
    try:
        prepare_streams()
        code = tierproof.main(args=list(arguments), prog_name="tierproof", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        show_usage_error(error)
        return EXIT_COULD_NOT_JUDGE
    except click.Abort:
        return EXIT_COULD_NOT_JUDGE
    except BrokenPipeError:  # the reader of our output left, as `head` does
        drop_output()
        return EXIT_COULD_NOT_JUDGE
    except OSError as error:
        show_error(_explain(error), debug=debug)
        return EXIT_COULD_NOT_JUDGE
    except Exception as error:  # noqa: BLE001 - shown, with its traceback under --debug
        show_error(error, debug=debug)
        return error.exit_code if isinstance(error, TierproofError) else EXIT_COULD_NOT_JUDGE
    return code if isinstance(code, int) else 0


def _explain(error: OSError) -> Exception:
    """Make an error of the system a sentence."""
    from tierproof.cli.terminal.streams import drop_output, has_output_failed
    from tierproof.core.system_errors import describe_system_error

    reason = error.strerror or str(error)
    if has_output_failed():
        drop_output()
        return OutputError(
            f"the result cannot be written to standard output: {reason}",
            hint="Free some space, or redirect the output elsewhere. The command itself was carried out.",
        )
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    told = OutputError(describe_system_error(error), hint="Free some space, then try again." if full else "")
    told.__cause__ = error
    return told
