"""The commands over the ledger and IPython's configuration, one module each; `cli.py` imports one when it is asked for.

Each is a function of plain values that returns the exit code, or raises a `UsageError` where what was asked for cannot
be done. What a command answers goes to standard output, what it tells about its work to standard error where the answer
is data.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def guarded(name: str, command: Callable[[], int]) -> int:
    """Run a command: its exit code, or 2 after one line on standard error that says why it cannot be done."""
    import sqlite3

    from carbon_magic.ledger.store import LedgerError
    from carbon_magic.run import UsageError
    from carbon_magic.troubles import in_words
    from carbon_magic.views.plain import clean

    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe that cannot write a character gets a question mark, not a traceback.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        code = command()
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(f"standard output cannot be written: {in_words(error)}") from None
        return code
    except UsageError as error:
        said = str(error)
    except BrokenPipeError:
        # Whoever read has read enough. What is left in the buffer has nowhere to go at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (LedgerError, sqlite3.Error, OSError) as error:
        named = ""
        if isinstance(error, OSError) and error.errno is not None:
            named = f"{error.filename}: " if error.filename else "standard output cannot be written: "
        said = clean(named + in_words(error), 500)
    except KeyboardInterrupt:
        return 130
    sys.stderr.write(f"carbon-magic {name}: {said}\n")
    return 2
