"""`carbon-magic doctor`: what would be measured here, and what opens more. Nothing is run or changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from carbon_magic.commands import guarded
from carbon_magic.commands.files import plain_output

_EXAMPLES = """\
examples:
  carbon-magic doctor
  carbon-magic doctor --json | jq '.sensors[] | select(.used) | {name, provenance, tdp_w}'
  carbon-magic doctor --report

In a notebook %carbon doctor tells the same of the running session, with the idle power that was measured in it. What an
administrator can do to open a better sensor is printed, with what it exposes, and never run.

exit codes: 0; 1 where a kernel would refuse the extension, for a CARBON_MAGIC_REGION that does not exist and the like:
it stands among the problems.
"""


def add_doctor(add: Callable[..., Any]) -> dict[str, Any]:
    """Add the command's parser with `add`, which makes one; give it by name."""
    parser = add(
        "doctor", "list the sensors of this machine, which are used, and what would open better ones", _EXAMPLES
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON: sensors, idle power, region, versions, problems")
    form.add_argument(
        "--report", action="store_true", help="print a block for a bug report, without names, paths or tokens"
    )

    def run(parsed: Any) -> int:
        return guarded("doctor", lambda: doctor(as_json=parsed.json, as_report=parsed.report))

    parser.set_defaults(function=run)
    return {"doctor": parser}


def doctor(*, as_json: bool = False, as_report: bool = False, environ: Mapping[str, str] | None = None) -> int:
    """Look and print. Returns the exit code: 1 where a kernel would refuse the extension for what the environment
    says."""
    from carbon_magic.diagnosis import look
    from carbon_magic.views.plain import for_stream

    environ = os.environ if environ is None else environ
    found = look(environ)
    if as_json or as_report:
        from carbon_magic.views.doctor_data import in_form

        (plain_output() if as_json else sys.stdout).write(in_form(found, "json" if as_json else "report", environ))
    else:
        from carbon_magic.views.doctor import doctor_text

        sys.stdout.write(for_stream(doctor_text(found), sys.stdout))
    return 0 if found.loads else 1
