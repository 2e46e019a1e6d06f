"""The program: its commands, and what its errors look like."""

import errno
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any, NoReturn

import typer

from ddeal_cli import (  # noqa: F401 - each adds its command
    demo,
    evaluate,
    evaluate_first_mask,
    export,
    make_synthetic,
    mask,
    pack_data,
    render,
    segment,
    train,
    verify,
    weights,
)
from ddeal_cli.annotate import command as annotate  # noqa: F401
from ddeal_cli.app import app
from ddeal_cli.bench import command as bench  # noqa: F401
from ddeal_cli.console import complain, show_warnings, told
from ddeal_cli.doctor import command as doctor  # noqa: F401
from ddeal_core.errors import DdealError, InputError, StoppedError

# Typer's base of all usage errors, which it does not export under a name of its own.
_UsageError: type[Exception] = typer.BadParameter.__mro__[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and say how it went.

    Args:
        arguments: Words after the program's name; None for those of the process.

    Returns:
        0; 2 where the input is at fault, 1 where something else is, 130 when interrupted.
    """
    with show_warnings():
        try:
            code = _program()(args=arguments, prog_name="ddeal", standalone_mode=False)
            sys.stdout.flush()
        except InputError as error:
            complain(told(error))
            return 2
        except StoppedError:
            return _interrupted()
        except DdealError as error:
            complain(told(error))
            return 1
        except (KeyboardInterrupt, typer.Abort):
            return _interrupted()
        except OSError as error:
            return _failed(error)
        except (MemoryError, RuntimeError) as error:
            from ddeal_core.tracking.batches import is_out_of_memory

            if not is_out_of_memory(error):
                raise
            complain("out of memory: try a lower --resolution, smaller --clips-per-pass, or --size")
            return 1
        except _UsageError as error:
            # `str` of a missing option is empty; its own formatting names it.
            tell = getattr(error, "format_message", error.__str__)
            text = tell().replace("Value error, ", "")  # Pydantic's words
            complain(f"{text} (--help tells more)")
            return 2
    if code == 130:  # Typer's way to hand on Ctrl-C
        return _interrupted()
    return code if isinstance(code, int) else 0


@cache
def _program() -> Any:
    """All commands with their options, which take Typer a while to put together."""
    return typer.main.get_command(app)


def run() -> NoReturn:
    """Entry point of the process."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # whoever started this closed it
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of other libraries; ours go through logging
    # Ended by the system or with its terminal, it tidies up as after Ctrl-C.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _leave)
    code = main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to interrupt
    sys.exit(code)


def _leave(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _interrupted() -> int:
    complain("interrupted")
    return 130


def _failed(error: OSError) -> int:
    if error.errno == errno.EPIPE:
        # Nobody reads any more; keep the interpreter from complaining of it when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    name = f"{error.filename}: " if error.filename else ""
    complain(f"{name}{error.strerror or error}")
    return 1
