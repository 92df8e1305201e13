"""Promise 1: a notebook does not notice. The same cells in a kernel with the extension and in one without it bring the
same outputs, the same reply, the same names; only what `%%carbon` itself shows may differ."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from kernel.conftest import Pair, Start
from kernel.kernels import LOAD, Kernel, Message, Outcome, is_ours, records, seen, settled, trouble

NAMES = "sorted(name for name in get_ipython().user_ns if not name.startswith('_'))"
STATE = (
    f"({NAMES}, len(In), sorted(Out), get_ipython().execution_count, sorted(get_ipython().user_ns_hidden),"
    " __import__('sys').gettrace(), __import__('sys').getprofile(), __import__('signal').getsignal(2))"
)

# A cell, or several in a row, which leave the kernel as they found it.
CELLS: dict[str, str | list[str]] = {
    "assignment": "x = 1",
    "comment only": "# nothing",
    "future import first": "from __future__ import annotations\ndef f(a: Nope) -> None: ...\nprint(f.__annotations__)",
    "future import after a docstring": '"""Doc."""\nfrom __future__ import annotations\nx: Nope = 1\nprint(__doc__)',
    "future import too late": "x = 1\nfrom __future__ import annotations",
    "await": "import asyncio\nawait asyncio.sleep(0.001)\nprint('slept')",
    "await as last expression": "import asyncio\nasync def f():\n    return 41\nawait f()",
    "async for and with": textwrap.dedent(
        """\
        import contextlib
        async def numbers():
            for n in range(3):
                yield n
        @contextlib.asynccontextmanager
        async def room():
            print('in')
            yield 5
            print('out')
        async for n in numbers():
            print(n)
        async with room() as r:
            print(r)
        [n async for n in numbers()]"""
    ),
    "await that fails": "import asyncio\nasync def f():\n    raise KeyError('k')\nawait f()",
    "task that goes on": ["import asyncio\nt = asyncio.ensure_future(asyncio.sleep(0.01, 'late'))", "await t"],
    "last expression shown": ["6 * 7", "_ + 1", "Out, _, __"],
    "trailing semicolon": ["6 * 7;", "6 * 7; # said", "[1,\n 2];\n"],
    "last expression None": "None",
    "several expressions": "1\n2\n3",
    "expression after a definition": "def f():\n    return 1\nf()",
    "last_expr set to all": [
        "get_ipython().ast_node_interactivity = 'all'",
        "1\n2",
        "get_ipython().ast_node_interactivity = 'last_expr'",
    ],
    "ends in a comment": "3\n# the end",
    "ends in blank lines": "3\n\n\n",
    "unicode": "größe = '日本語 🌍'\nprint(größe, '\\u2028')\ngröße",
    "line separators in a string": "x = 'a\u2028b\x0cc'\nprint(ascii(x))",
    "form feed": "x = 1\x0c\ny = 2\nprint(x, y)",
    "tabs": "if True:\n\tx = 'a\tb'\n\tprint(x)",
    "CRLF": "x = 1\r\nif x:\r\n    print('''a\r\nb'''.encode())\r\n",
    "backslash at the end": "x = 1 + \\\n  2\nx",
    "surrogates in output": "print('\\ud800'.encode('utf-8', 'replace'))",
    "a megabyte": "x = '" + "a" * 1_000_000 + "'\nlen(x)",
    "many lines": "x = 0\n" + "x += 1\n" * 2000 + "x",
    "long output": "for n in range(3000):\n    print(n, '.' * 50)",
    "stderr": "import sys\nprint('a'); print('b', file=sys.stderr); print('c')",
    "written to the descriptor": "import os\nos.write(1, b'raw\\n')",
    # Errors
    "exception": "x = 1\n\ndef f():\n    return 1 / 0\n\nf()",
    "exception in the first line": "1 / 0",
    "chained exception": "try:\n    {}['k']\nexcept KeyError as error:\n    raise ValueError('v') from error",
    "exception group": "raise ValueError('nothing', [1])",
    "own exception": "class Odd(Exception):\n    def __str__(self): return 'odd'\nraise Odd",
    "exception that cannot be shown": "class Bad(Exception):\n    def __str__(self): raise ValueError\nraise Bad",
    "BaseException": "class Base(BaseException): ...\nraise Base('b')",
    "GeneratorExit": "raise GeneratorExit",
    "KeyboardInterrupt raised": "raise KeyboardInterrupt('typed')",
    "CancelledError raised": "import asyncio\nraise asyncio.CancelledError",
    "cancelled in await": "import asyncio\nt = asyncio.ensure_future(asyncio.sleep(9))\nt.cancel()\nawait t",
    "StopIteration": "next(iter(()))",
    "recursion": (
        "import sys\nold = sys.getrecursionlimit()\nsys.setrecursionlimit(300)\ndef f():\n    return f()\n"
        "try:\n    f()\nfinally:\n    sys.setrecursionlimit(old)"
    ),
    "MemoryError": "raise MemoryError('of a kind')",
    "sys.exit": ["import sys\nsys.exit(3)", "%tb"],
    "SystemExit": "raise SystemExit",
    "assert": "x = 5\nassert x == 6, 'six'",
    "error on display": "class R:\n    def __repr__(self):\n        raise RuntimeError('no')\nR()",
    "syntax error": "x = 1\ny = = 2",
    "syntax error in the first line": "def",
    "unfinished": "for x in range(3):",
    "indentation error": "if True:\nx = 1",
    "indented too far": "x = 1\n    y = 2",
    "tab error": "if True:\n        x = 1\n\ty = 2",
    "null byte": "x = 1\0",
    "return outside": "return 5",
    "await outside async def": "def f():\n    await g()",
    "%xmode": ["%xmode Plain", "def f():\n    1/0\nf()", "%xmode Context"],
    "exception traceback asked for": ["1/0", "%tb", "import sys\nsys.last_value"],
    "custom exception handler": [
        "def h(self, kind, value, tb, tb_offset=None):\n    print('handled', kind.__name__)\n"
        "get_ipython().set_custom_exc((KeyError,), h)",
        "{}['k']",
        "get_ipython().set_custom_exc((), None)",
    ],
    # Magics
    "line magic": "%pwd",
    "line magic assigned": "x = %pwd\nprint(type(x).__name__, bool(x))",
    "line magic in a block": "for n in range(2):\n    %time n + 1",
    "shell": "!echo from the shell",
    "shell assigned": "lines = !printf 'a\\nb\\n'\nlines",
    "shell that fails": ["!exit 3", "_exit_code"],
    "unknown line magic": "%no_such_magic",
    "unknown cell magic": "%%no_such_magic\nx",
    "help": "len?",
    "more help": "import textwrap\ntextwrap.dedent??",
    "help below code": "x = 5\nx?",
    "help on what is not there": "nothing_there?",
    "automagic": "pwd",
    "%who": ["a = 1", "%who", "%whos", "%who_ls"],
    "%time": "%time sum(range(10))",
    "%timeit": "%timeit -n 2 -r 1 1+1",
    "%%time": "%%time\nx = sum(range(10))\nx",
    "%%time with an error": "%%time\nx = 1\n1/0",
    "%%time with await": "%%time\nimport asyncio\nawait asyncio.sleep(0.001)",
    "%%timeit": "%%timeit -n 2 -r 1\n1+1",
    "%%bash": "%%bash\necho one\necho two >&2",
    "%%bash that fails": "%%bash\nexit 3",
    "%%writefile": ["%%writefile written.txt\n  keep this\n\n%%carbon\n", "print(repr(open('written.txt').read()))"],
    "%%capture": ["%%capture got\nprint('kept')\n5", "got.show()", "repr(got.stdout)"],
    "%%capture with an error": "%%capture got\n1/0",
    "%%html": "%%html\n<b>bold</b>",
    "%%javascript": "%%javascript\nconsole.log(1)",
    "%%python": "%%python\nprint('another')",
    "%%script": "%%script cat\nas is\n  %%carbon",
    "%%prun": "%%prun -q\nx = 1",
    "%run": [
        "%%writefile script.py\nimport sys\nprint(__name__, sys.argv[1:])\nmade = 7",
        "%run script.py a b",
        "made",
    ],
    "%run with an error": ["%%writefile bad.py\n\n1/0", "%run bad.py"],
    "%load": ["%%writefile script.py\nx = 1", "%load script.py"],
    "%recall": ["x = 5", "%history -l 2", "%rep 1-0"],
    "%history of the cell": "%history -l 1",
    "%macro": ["n = get_ipython().execution_count", "%macro -q m {n}", "m"],
    "%alias": ["%alias hello echo hello %s", "hello you", "%unalias hello"],
    "%env": ["%env CM_TEST=1", "import os\nos.environ.pop('CM_TEST')"],
    "%cd": ["import os\nhere = os.getcwd()", "%cd -q /", "os.getcwd()", "os.chdir(here)"],
    "folder that is gone": [
        "import os\nhere = os.getcwd()\nos.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
        "x = 1",
        "os.getcwd()",
        "os.chdir(here)",
    ],
    "%set_next_input": "get_ipython().set_next_input('next = 1')",
    "page": "from IPython.core import page\npage.page('a page')",
    "%pdef": "def f(a, b=1): ...\n%pdef f",
    "%%file of the user's own": [
        "from IPython.core.magic import register_cell_magic\n"
        "@register_cell_magic\ndef shout(line, cell):\n    print(line, cell.upper(), sep='|')",
        "%%shout said\nhear\n me",
        "get_ipython().magics_manager.magics['cell'].pop('shout')\nNone",
    ],
    "input transformer of the user's own": [
        "def swap(lines):\n    return [line.replace('plus', '+') for line in lines]\n"
        "get_ipython().input_transformers_cleanup.append(swap)",
        "1 plus 1",
        "get_ipython().input_transformers_cleanup.remove(swap)",
    ],
    "callbacks of the user's own": [
        "def before(info):\n    print('before', info.store_history, info.silent)\n"
        "def after(result):\n    print('after', result.success, result.result)\n"
        "get_ipython().events.register('pre_run_cell', before)\n"
        "get_ipython().events.register('post_run_cell', after)",
        "7",
        "1/0",
        "get_ipython().events.unregister('pre_run_cell', before)\n"
        "get_ipython().events.unregister('post_run_cell', after)",
    ],
    "callback that fails": [
        "def bad(info):\n    raise RuntimeError('mine')\nget_ipython().events.register('pre_run_cell', bad)",
        "x = 1",
        "get_ipython().events.unregister('pre_run_cell', bad)",
    ],
    "ast transformer": [
        "import ast\nclass Twice(ast.NodeTransformer):\n    def visit_Constant(self, node):\n"
        "        return ast.copy_location(ast.Constant(node.value * 2), node) if node.value == 21 else node\n"
        "twice = Twice()\nget_ipython().ast_transformers.append(twice)",
        "21",
        "get_ipython().ast_transformers.remove(twice)",
    ],
    # Runs within runs
    "nested run_cell": "r = get_ipython().run_cell('print(1)\\n2')\nr.success, r.result, r.execution_count",
    "nested run_cell that fails": "r = get_ipython().run_cell('1/0')\nr.success",
    "nested run_cell kept": "r = get_ipython().run_cell('5', store_history=True)\nr.success",
    "nested run_cell silent": "get_ipython().run_cell('5', silent=True)\nNone",
    "nested run_line_magic": "get_ipython().run_line_magic('pwd', '')",
    "nested run_cell_magic": "get_ipython().run_cell_magic('capture', 'got', 'print(3)')\ngot.stdout",
    "exec and eval": "exec('made = 4')\neval('made + 1')",
    "compile of the cell's flags": "exec('def f(a: int): ...')\nf.__annotations__",
    "globals": "sorted(name for name in globals() if not name.startswith('_'))",
    "frames": "import sys\nsys._getframe().f_code.co_name, sys._getframe().f_lineno, __name__",
    "stack depth": "import inspect\nlen(inspect.stack())",
    "source": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))",
    "pickle": "import pickle\nclass C: ...\nprint(type(pickle.loads(pickle.dumps(C()))) is C)",
    "dataclass": "from dataclasses import dataclass\n@dataclass\nclass D:\n    a: int\nD(1)",
    "doctest": "def f():\n    '''\n    >>> f()\n    1\n    '''\n    return 1\nimport doctest\ndoctest.run_docstring_examples(f, {'f': f})",
    # Display
    "display": "from IPython.display import display, HTML\ndisplay(HTML('<i>x</i>'))\ndisplay(1, 2)\nHTML('last')",
    "display updated": [
        "from IPython.display import display\nh = display('first', display_id='cm')\nh.update('second')",
        "from IPython.display import update_display\nupdate_display('third', display_id='cm')",
    ],
    "clear_output": "from IPython.display import clear_output\nprint('a')\nclear_output()\nclear_output(wait=True)\nprint('b')",
    "displayhook replaced": [
        "import sys\nold = sys.displayhook\nsys.displayhook = lambda value: print('shown', value)",
        "5",
        "sys.displayhook = old",
    ],
    "stdout replaced": [
        "import io, sys\nold = sys.stdout\nsys.stdout = io.StringIO()\nprint('hidden')",
        "5",
        "got = sys.stdout.getvalue()\nsys.stdout = old\ngot",
    ],
    "redirected": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as f:\n    print('x')\nf.getvalue()",
    "formatter of the user's own": [
        "f = get_ipython().display_formatter.formatters['text/plain']\nf.for_type(int, lambda n, p, c: p.text('int!'))",
        "5",
        "f.pop(int)\nNone",
    ],
    "matplotlib": [
        "%matplotlib inline\nimport matplotlib.pyplot as plt",
        "fig, ax = plt.subplots(figsize=(1, 1))\nax.plot([1, 2])",
        "plt.plot([1, 2]);",
        "plt.plot([2, 1])\nplt.show()\nplt.plot([1, 1])\n'last'",
        "plt.plot([1])\n1/0",
        "plt.close('all')",
    ],
    "widget": "import ipywidgets\nw = ipywidgets.IntSlider(3)\nprint(w.value)\nw.close()",
    # Processes and threads
    "subprocess": "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(6)'], capture_output=True).stdout",
    "subprocess to the terminal": "import subprocess\nsubprocess.run(['true']).returncode",
    "subprocess with the environment": (
        "import os, subprocess\nsorted(name for name in os.environ if name.startswith('CARBON_MAGIC_S'))"
    ),
    "asyncio subprocess": (
        "import asyncio\np = await asyncio.create_subprocess_exec('echo', 'hi', stdout=asyncio.subprocess.PIPE)\n"
        "(await p.communicate())[0]"
    ),
    "fork": "import os\npid = os.fork()\nif pid == 0:\n    os._exit(7)\nos.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])",
    "fork through a pool": (
        "import multiprocessing as mp\nwith mp.get_context('fork').Pool(2) as pool:\n"
        "    print(pool.map(abs, [-1, -2, -3]))"
    ),
    "fork of a process": (
        "import multiprocessing as mp\nc = mp.get_context('fork')\nq = c.SimpleQueue()\n"
        "p = c.Process(target=lambda: q.put(5))\np.start()\nprint(q.get())\np.join()\np.exitcode"
    ),
    "spawn": [
        "%%writefile work_spawn.py\ndef double(n):\n    return 2 * n",
        "import multiprocessing as mp, work_spawn\nwith mp.get_context('spawn').Pool(1) as pool:\n"
        "    print(pool.map(work_spawn.double, [1, 2]))",
        "import sys\ndel sys.modules['work_spawn']",
    ],
    "thread": "import threading\nt = threading.Thread(target=print, args=('from a thread',))\nt.start()\nt.join()",
    "thread that fails": (
        "import threading\ndef f():\n    1/0\n"
        "t = threading.Thread(target=f, name='mine')\nt.start()\nt.join()\nprint('joined')"
    ),
    "executor": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as e:\n    print(list(e.map(abs, [-1, -2])))",
    "signal handler": (
        "import os, signal\nold = signal.signal(signal.SIGUSR1, lambda *a: print('signal'))\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\nsignal.signal(signal.SIGUSR1, old)\nNone"
    ),
    "alarm": (
        "import signal, time\ndef ring(*a):\n    raise TimeoutError('rung')\nold = signal.signal(signal.SIGALRM, ring)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(5)"
    ),
    "interrupt of oneself": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)",
    "GIL held": "import re\nre.match(r'(a+)+$', 'a' * 22 + 'b')",
    "long sum": "sum(range(3 * 10**7))",
    # The interpreter
    "warning": "import warnings\nwarnings.warn('careful')",
    "warnings as errors": [
        "import warnings\nold = warnings.filters[:]\nwarnings.simplefilter('error')",
        "x = 1",
        "warnings.warn('careful')",
        "warnings.filters[:] = old",
    ],
    "ResourceWarning": "import warnings\nwith warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\nlen(w)",
    "logging": "import logging\nlogging.warning('noted')",
    "logging of everything": [
        "import logging, sys\nroot = logging.getLogger()\nh = logging.StreamHandler(sys.stdout)\n"
        "level, root.level = root.level, 1\nroot.addHandler(h)",
        "x = 1",
        "root.removeHandler(h)\nroot.setLevel(level)",
    ],
    "del": ["a = 1", "del a", "a"],
    "%reset -f": ["a = 1", "%reset -f", "sorted(name for name in dir() if not name.startswith('_'))"],
    "%reset of Out": ["7", "%reset -f out", "Out"],
    "gc": "import gc\ngc.collect()\nlen(gc.garbage), gc.isenabled(), gc.callbacks == gc.callbacks",
    "builtins replaced": ["print = None\nlen = None\nsorted = None", "x = 1", "del print, len, sorted"],
    "builtins broken": [
        "import builtins\nkept = {n: getattr(builtins, n) for n in ('print', 'round', 'open')}\n"
        "for n in kept:\n    setattr(builtins, n, None)",
        "x = 1",
        "for n, f in kept.items():\n    setattr(builtins, n, f)",
    ],
    "time mocked": [
        "import time\nold = time.process_time, time.time\ntime.process_time = time.time = lambda: 0.0",
        "x = 1",
        "time.process_time, time.time = old",
    ],
    "clock_gettime mocked": [
        "import time\nold = time.clock_gettime\ndef broken(n):\n    raise RuntimeError('no clock')\ntime.clock_gettime = broken",
        "x = 1",
        "time.clock_gettime = old",
    ],
    "environ cleared": [
        "import os\nkept = dict(os.environ)\nos.environ.clear()",
        "x = 1",
        "os.environ.update(kept)",
    ],
    "settrace": [
        "import sys\nlines = []\ndef tracer(frame, event, arg):\n    lines.append(event)\n    return tracer",
        "sys.settrace(tracer)\nx = 1\nsys.settrace(None)\nprint(len(lines) > 0)",
    ],
    "setprofile": "import sys\nsys.setprofile(lambda *a: None)\nx = 1\nsys.setprofile(None)",
    "recursion limit": [
        "import sys\nold = sys.getrecursionlimit()\nsys.setrecursionlimit(200)",
        "x = 1",
        "sys.setrecursionlimit(old)",
    ],
    "contextvars": ["import contextvars\nv = contextvars.ContextVar('v', default=0)\nv.set(3)", "v.get()"],
    "decimal context": "import decimal\ndecimal.getcontext().prec = 5\ndecimal.Decimal(1) / 3",
    "random": "import random\nrandom.seed(1)\nrandom.random()",
    "random kept between cells": ["import random\nrandom.seed(1)", "x = 1", "random.random()"],
    "uuid of a seed": ["import random, uuid\nrandom.seed(2)", "x = 1", "uuid.UUID(int=random.getrandbits(128))"],
    "locale": "import locale\nlocale.setlocale(locale.LC_ALL)",
    "threads counted by name": "import threading\n[t.name for t in threading.enumerate() if 'carbon' not in t.name]",
    "children": "import os\nwith open(f'/proc/self/task/{os.getpid()}/children') as f:\n    n = len(f.read().split())\nn",
    "no zombie": "import os\ntry:\n    os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError as error:\n    print(error)",
    "umask": "import os\nold = os.umask(0o22)\nos.umask(old)\noct(old)",
    "input": "input('name? ')",
    "getpass": "import getpass\ngetpass.getpass()",
    "breakpoint": "x = 5\nbreakpoint()\nprint('beyond')",
    "set_trace": "from IPython.core.debugger import set_trace\nset_trace()\nprint('beyond')",
    "%debug": ["1/0", "%debug"],
    "%pdb": ["%pdb on", "x = 1", "%pdb off"],
}
assert all("carbon" not in name for name in CELLS)


def compare(pair: Pair, cells: list[tuple[str, str]]) -> list[Outcome]:
    """Run (in the tracked kernel, in the plain one) and compare all that comes of each; gives the tracked outcomes."""
    outcomes, expected = [], []
    for cell in cells:
        sent = [kernel.send(code) for kernel, code in zip(pair, cell, strict=True)]
        outcomes.append(pair.tracked.collect(sent[0]))
        expected.append(pair.plain.collect(sent[1]))
    state = [settled(kernel.ask(STATE), kernel.folder) for kernel in pair]
    for (ours, _), outcome, other in zip(cells, outcomes, expected, strict=True):
        assert seen(outcome, pair.tracked.folder) == seen(other, pair.plain.folder), ours[:2000]
    assert state[0] == state[1]
    return outcomes


def listed(cells: str | list[str]) -> list[str]:
    return [cells] if isinstance(cells, str) else cells


def without(body: str) -> str:
    """What a cell does that has `%%carbon` above `body`: the same as with an empty comment there, so that lines keep
    their numbers, or as `body` where that begins with a cell magic, which has to stand first."""
    return body if body.lstrip().startswith("%%") else "#\n" + body


@pytest.mark.parametrize("case", CELLS)
def test_a_tracked_cell_is_what_it_was(pair: Pair, case: str) -> None:
    outcomes = compare(pair, [(cell, cell) for cell in listed(CELLS[case])])
    assert not any(outcome.panels() for outcome in outcomes)


SHOW_WHAT_WAS_TYPED = {"%recall", "%history of the cell", "%macro"}
BREAK_THE_CLOCKS_AND_BUILTINS = {"builtins broken", "clock_gettime mocked"}
"""Cells that break the interpreter for everyone in it cost a figure, but nothing else."""


@pytest.mark.parametrize("case", [case for case in CELLS if case not in SHOW_WHAT_WAS_TYPED])
def test_a_cell_under_carbon_is_what_it_was(pair: Pair, case: str) -> None:
    outcomes = compare(pair, [("%%carbon\n" + cell, without(cell)) for cell in listed(CELLS[case])])
    for outcome in outcomes:
        if case in BREAK_THE_CLOCKS_AND_BUILTINS and not outcome.panels():
            continue
        assert len(outcome.panels()) == 1
        if case == "callbacks of the user's own":
            continue  # those were registered later, and print below
        # IPython 7's history, which writes in a thread of its own, speaks when it likes.
        shown = [
            message
            for message in outcome.published
            if message["msg_type"] not in ("status", "execute_input")
            and not str(message["content"].get("text")).startswith("ERROR! Session/line number was not unique")
        ]
        assert is_ours(shown[-1]["content"]), f"the result stands under the cell's own outputs: {shown}"


# A whole cell, and one without `%%carbon` that does the same.
SHAPES: dict[str, tuple[str, str]] = {
    "options": ("%%carbon -n 'a label' -r FR\nx = 1\nx", "#\nx = 1\nx"),
    "blanks after it": ("%%carbon   \t\nx = 1\nx", "#\nx = 1\nx"),
    "a tab before options": ("%%carbon\t-n a\n5", "#\n5"),
    "blank lines above": ("\n\n  \n%%carbon\n1/0", "\n\n  \n#\n1/0"),
    "blank lines below": ("%%carbon\n\n\n1/0", "#\n\n\n1/0"),
    "indented as a whole": (
        "    %%carbon\n    x = 1\n    if x:\n        print(x)\n    1/0",
        "    #\n    x = 1\n    if x:\n        print(x)\n    1/0",
    ),
    "indented body": ("%%carbon\n    x = 1\n    x", "#\n    x = 1\n    x"),
    "pasted python prompts": (
        ">>> %%carbon\n>>> x = 1\n>>> if x:\n...     print(x)\n>>> 1/0",
        ">>> #\n>>> x = 1\n>>> if x:\n...     print(x)\n>>> 1/0",
    ),
    "pasted python prompts below": ("%%carbon\n>>> x = 1\n>>> x", "#\n>>> x = 1\n>>> x"),
    "pasted ipython prompts": ("In [1]: %%carbon\n   ...: x = 1\n   ...: x", "In [1]: #\n   ...: x = 1\n   ...: x"),
    "pasted ipython prompts below": ("%%carbon\nIn [1]: x = 1\nIn [2]: x", "#\nIn [1]: x = 1\nIn [2]: x"),
    "CRLF": ("%%carbon\r\nx = 1\r\n1/0\r\n", "#\r\nx = 1\r\n1/0\r\n"),
    "no newline at the end": ("%%carbon\n5", "#\n5"),
    "future import": (
        "%%carbon\nfrom __future__ import annotations\nx: Nope = 1",
        "#\nfrom __future__ import annotations\nx: Nope = 1",
    ),
    "cell magic after blank lines": ("%%carbon\n\n\n%%bash\necho one", "%%bash\necho one"),
    "cell magic after blank lines above": ("\n\n%%carbon\n\n%%bash\necho one", "%%bash\necho one"),
    "%%time below": ("%%carbon -n t\n%%time\nx = 1\n1/0", "%%time\nx = 1\n1/0"),
    "%%time and await": (
        "%%carbon\n%%time\nimport asyncio\nawait asyncio.sleep(0.001)\n5",
        "%%time\nimport asyncio\nawait asyncio.sleep(0.001)\n5",
    ),
    "%%capture below": ("%%carbon\n%%capture got\nprint(5)", "%%capture got\nprint(5)"),
    "%%writefile below keeps all": ("%%carbon\n%%writefile w.txt\n\n  a\n\n", "%%writefile w.txt\n\n  a\n\n"),
    "%%html below": ("%%carbon\n%%html\n<b>x</b>\n", "%%html\n<b>x</b>\n"),
    "unknown magic below": ("%%carbon\n%%nothing\nx", "%%nothing\nx"),
    "help below": ("%%carbon\nlen?", "#\nlen?"),
    "help on a magic below": ("%%carbon\n%%time?", "%%time?"),
    "line magic first": ("%%carbon\n%pwd", "#\n%pwd"),
    "shell first": ("%%carbon\n!echo hi", "#\n!echo hi"),
    "comment first": ("%%carbon\n# a comment\n5", "#\n# a comment\n5"),
    "its text in a string": ("%%carbon\nx = '''\n%%carbon\n'''\nx", "#\nx = '''\n%%carbon\n'''\nx"),
    "its line twice, the second in code": ("%%carbon\nx = 1\n%%carbon\n", "#\nx = 1\n%%carbon\n"),
    "long label": ("%%carbon -n " + "n" * 5000 + "\n5", "#\n5"),
    "unicode label": ("%%carbon -n 'größe 🌍 <b>&'\n5", "#\n5"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_however_it_is_written(pair: Pair, case: str) -> None:
    (outcome,) = compare(pair, [SHAPES[case]])
    assert len(outcome.panels()) == 1


@pytest.mark.parametrize("line", ["%%carbonfoo", "%%carbonfoo -n x", "%% carbon", "x = 1\n%%carbon", "# %%carbon"])
def test_what_only_looks_like_it_is_left_alone(pair: Pair, line: str) -> None:
    (outcome,) = compare(pair, [(f"{line}\nx = 1\n1/0", f"{line}\nx = 1\n1/0")])
    assert outcome.panels() == []


@pytest.mark.parametrize("answer", ["", "-q"])
def test_quiet_shows_nothing(pair: Pair, answer: str) -> None:
    (outcome,) = compare(pair, [("%%carbon -q\nprint(1)\n2", "#\nprint(1)\n2")])
    assert outcome.panels() == []


def test_twice_in_one_cell(pair: Pair) -> None:
    """The second one stands in the first one's body, where a cell magic may not stand but first: it is dropped, and
    the next is one of its own."""
    (outcome,) = compare(pair, [("%%carbon -n outer\n%%carbon -n inner\nx = 1\nprint(x)", "x = 1\nprint(x)")])
    assert len(outcome.panels()) >= 1


def test_capture_above_it_captures_what_it_shows(pair: Pair) -> None:
    tracked, plain = pair
    body = "print('printed')\n5"
    (outcome,) = compare(pair, [(f"%%capture got\n%%carbon\n{body}", f"%%capture got\n#\n{body}")])
    assert outcome.panels() == []
    assert tracked.ask("got.stdout") == plain.ask("got.stdout") == "'printed\\n'"
    assert int(tracked.ask("len(got.outputs)")) == int(plain.ask("len(got.outputs)")) + 1


def test_within_another_cells_run(pair: Pair) -> None:
    """There the magic itself runs the body, and shows its last expression; the outer call's result has no value."""
    code = "r = get_ipython().run_cell('{}\\nprint(3)\\n4')\nr.success"
    compare(pair, [(code.format("%%carbon"), code.format("#"))])


# The reply as a frontend gets it


@pytest.mark.parametrize(("silent", "store_history"), [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize(
    "cell", ["x = 1\nprint(x)\nx", "1/0", "%%carbon\nprint(1)\n5", "await __import__('asyncio').sleep(0)"]
)
def test_hidden_code_is_no_cell(pair: Pair, cell: str, silent: bool, store_history: bool) -> None:
    tracked, plain = pair
    before = records(tracked)
    outcome = tracked.run(cell, silent=silent, store_history=store_history)
    expected = plain.run(cell.replace("%%carbon", "#"), silent=silent, store_history=store_history)
    assert seen(outcome) == seen(expected)
    assert records(tracked) == before
    assert tracked.ask(STATE) == plain.ask(STATE)


@pytest.mark.parametrize("prefix", ["", "%%carbon\n"])
def test_user_expressions(pair: Pair, prefix: str) -> None:
    tracked, plain = pair
    asked = {"good": "x + 1", "bad": "1/0", "unknown": "carbon"}
    outcome = tracked.run(prefix + "x = 1", expressions=asked)
    expected = plain.run(("#\n" if prefix else "") + "x = 1", expressions=asked)
    assert seen(outcome) == seen(expected)


@pytest.mark.parametrize(
    "code", ["x = 1", "for n in [1]:", "x = (1,", "%%time\nx = 1", "", "  ", "x = 1 \\", "if x:\n    y\n", "!ls", "x?"]
)
def test_is_complete(pair: Pair, code: str) -> None:
    tracked, plain = pair
    for kernel in pair:
        assert kernel.request("is_complete_request", {"code": code}).status in ("complete", "incomplete", "invalid")
    assert (
        tracked.request("is_complete_request", {"code": code}).content
        == plain.request("is_complete_request", {"code": code}).content
    )


def test_carbon_is_complete_when_another_cell_magic_is(pair: Pair) -> None:
    for body in ("x = 1", "x = 1\n", "x = 1\n\n", "for n in [1]:"):
        ours = pair.tracked.request("is_complete_request", {"code": "%%carbon\n" + body}).content
        other = pair.tracked.request("is_complete_request", {"code": "%%capture\n" + body}).content
        assert ours == other


@pytest.mark.parametrize("code", ["impo", "import o", "x = 'abc'.up", "%ti", "no_such_thing."])
def test_completion_and_inspection_of_other_things(pair: Pair, code: str) -> None:
    found = []
    for kernel in pair:
        complete = kernel.request("complete_request", {"code": code, "cursor_pos": len(code)}).content
        inspect = kernel.request("inspect_request", {"code": code, "cursor_pos": len(code), "detail_level": 0}).content
        found.append((complete, inspect))
    assert found[0] == found[1]


def test_history(pair: Pair) -> None:
    cells = [("a = 11", "a = 11"), ("%%carbon\na + 1", "#\na + 1")]
    compare(pair, cells)
    request = {"hist_access_type": "tail", "n": 2, "output": False, "raw": True}
    entries = [entry[-1] for entry in pair.tracked.request("history_request", request).content["history"]]
    assert entries == ["a = 11", "%%carbon\na + 1"], "what was typed is what is remembered"


# Interrupts


def interrupt_when_started(kernel: Kernel, cell: str) -> Outcome:
    """Run a cell and interrupt it once it has printed `started`."""
    done = False

    def on_message(message: Message) -> None:
        nonlocal done
        if not done and message["msg_type"] == "stream" and "started" in message["content"]["text"]:
            done = True
            kernel.manager.interrupt_kernel()

    return kernel.run(cell, on_message=on_message)


START = "import threading\nthreading.Timer(0.3, print, ('started',), {'flush': True}).start()\n"
"""It is said from another thread, so that this one is where it stays when the signal comes."""
INTERRUPTED = {
    "sleep": START + "import time\ntime.sleep(15)",
    "loop": START + "while True:\n    pass",
    # In small steps: an interrupt does not wake ipykernel's event loop.
    "await": START + "import asyncio\nfor _ in range(300):\n    await asyncio.sleep(0.05)",
    "await caught": (
        START + "import asyncio\ntry:\n    for _ in range(300):\n        await asyncio.sleep(0.05)\n"
        "except BaseException as error:\n    print(repr(error))\n5"
    ),
    "caught": START + "import time\ntry:\n    time.sleep(15)\nexcept KeyboardInterrupt:\n    print('caught')\n5",
    "finally": START + "import time\ntry:\n    time.sleep(15)\nfinally:\n    print('tidied')",
    "subprocess": START + "import subprocess\nsubprocess.run(['sleep', '15'])",
    "shell": START + "!sleep 15",
    "nested": START + "get_ipython().run_cell('import time\\ntime.sleep(15)')\nprint('after')",
}


@pytest.mark.parametrize("prefix", ["", "%%carbon\n"])
@pytest.mark.parametrize("case", INTERRUPTED)
def test_interrupted(pair: Pair, case: str, prefix: str) -> None:
    cell = INTERRUPTED[case]
    outcome = interrupt_when_started(pair.tracked, prefix + cell)
    expected = interrupt_when_started(pair.plain, ("#\n" if prefix else "") + cell)
    ours, theirs = seen(outcome, pair.tracked.folder), seen(expected, pair.plain.folder)
    if case in ("loop", "await"):
        # Where a loop, or the event loop, stands when the signal comes is chance.
        for one in (ours, theirs):
            one["reply"].pop("traceback", None)
            one["outputs"] = [{**output, "traceback": None} for output in one["outputs"]]
    assert ours == theirs
    compare(pair, [("6 * 7", "6 * 7")])


@pytest.mark.parametrize("cell", [INTERRUPTED["sleep"], INTERRUPTED["await"]])
def test_an_interrupted_cell_is_recorded_as_interrupted(tracked: Kernel, cell: str) -> None:
    before = records(tracked)
    interrupt_when_started(tracked, cell)
    assert records(tracked) == before + 1
    session = "__import__('carbon_magic.session').session.current()"
    assert tracked.ask(f"{session}.snapshot().records[-1].status") == "'interrupted'"


# What has to be typed


DIALOGUES: dict[str, tuple[list[str], list[str]]] = {
    "input": (["name = input('name? ')\nprint('hello', name)"], ["Ada"]),
    "breakpoint": (["x = 5\nbreakpoint()\nx += 1\nprint(x)"], ["p x", "n", "c"]),
    "breakpoint left": (["x = 5\nbreakpoint()\nx += 1\nprint(x)"], ["q"]),
    "%debug": (["def f(a):\n    return 1 / a\nf(0)", "%debug"], ["p a", "u", "q"]),
    "pm": (["def f(a):\n    return 1 / a\nf(0)", "import pdb\npdb.pm()"], ["p a", "q"]),
    "step into": (["def f(a):\n    return a + 1\nbreakpoint(); f(1)\nprint('end')"], ["s", "s", "c"]),
}


@pytest.mark.parametrize("prefix", ["", "%%carbon\n"])
@pytest.mark.parametrize("case", DIALOGUES)
def test_dialogue(pair: Pair, case: str, prefix: str) -> None:
    cells, typed = DIALOGUES[case]
    answers: dict[Kernel, Iterator[str]] = {kernel: iter([*typed, "c", "c", "q"]) for kernel in pair}
    for written in cells:
        cell = prefix + written
        instead = cell.replace("%%carbon", "#", 1)
        outcome = pair.tracked.run(cell, answers=answers[pair.tracked])
        expected = pair.plain.run(instead, answers=answers[pair.plain])
        assert seen(outcome, pair.tracked.folder) == seen(expected, pair.plain.folder)
    assert list(answers[pair.tracked]) == list(answers[pair.plain]), "as many answers were taken"
    compare(pair, [("6 * 7", "6 * 7")])


# Comms


COMM = """\
from IPython import get_ipython
def opened(comm, message):
    @comm.on_msg
    def got(message):
        comm.send({'echo': message['content']['data']})
        if message['content']['data'] == 'fail':
            raise RuntimeError('in the handler')
    comm.send({'opened': message['content']['data']})
get_ipython().kernel.comm_manager.register_target('echo', opened)
"""


def test_comms_of_the_users_own(pair: Pair) -> None:
    def spoken(kernel: Kernel) -> list[Any]:
        kernel.run(COMM, allow_error=False)
        messages = kernel.send_comm("comm_open", {"comm_id": "c1", "target_name": "echo", "data": {"a": 1}})
        messages += kernel.send_comm("comm_msg", {"comm_id": "c1", "data": "ping"})
        # While a cell runs, the message waits for it.
        messages += kernel.run("print('between')").published
        messages += kernel.send_comm("comm_msg", {"comm_id": "c1", "data": "pong"})
        messages += kernel.send_comm("comm_close", {"comm_id": "c1", "data": {}})
        return [
            (message["msg_type"], message["content"].get("data"))
            for message in messages
            if message["msg_type"] not in ("status", "execute_input")
        ]

    before = records(pair.tracked)
    ours, theirs = spoken(pair.tracked), spoken(pair.plain)
    assert ours == theirs
    assert ("comm_msg", {"echo": "ping"}) in ours
    assert records(pair.tracked) == before + 2, "a comm's handler is no cell"


# What ends or hurts a kernel


FIND_OURS = """\
import os
numbers = [int(n) for n in os.listdir('/proc/self/fd')]
taken = [n for n in numbers if os.path.exists(f'/proc/self/fd/{n}') and os.readlink(f'/proc/self/fd/{n}') == '/proc/stat']
"""
CLOSE_OURS = f"""\
{FIND_OURS}for n in taken:
    os.close(n)
print(len(taken))
"""


def test_our_descriptors_closed_by_a_cell(start: Start) -> None:
    """As `os.closerange` does it, which would end any kernel, but for what is ours."""
    kernel = start()
    kernel.run(LOAD, allow_error=False)
    kernel.run("1", allow_error=False)
    outcome = kernel.run(CLOSE_OURS)
    assert (outcome.status, outcome.text(), outcome.text("stderr")) == ("ok", "1\n", "")
    assert kernel.run("%carbon").status == "ok"
    assert kernel.run("%%carbon\n2 + 2").of("execute_result")[0]["data"]["text/plain"] == "4"
    outcome = kernel.run("%unload_ext carbon_magic")
    assert (outcome.status, outcome.shown()) == ("ok", [])


def test_a_file_of_the_users_that_got_a_number_of_ours_stays_open(start: Start) -> None:
    kernel = start()
    kernel.run(LOAD, allow_error=False)
    kernel.run("1", allow_error=False)
    # At one stroke: any thread might take the number in between.
    kernel.run(FIND_OURS + "new = os.open('mine.txt', os.O_RDWR | os.O_CREAT)\nmine = os.dup2(new, taken[0])")
    kernel.run("os.write(mine, b'kept'), os.lseek(mine, 0, 0)", allow_error=False)
    kernel.run("%carbon", allow_error=False)
    kernel.run("%unload_ext carbon_magic", allow_error=False)
    outcome = kernel.run("os.read(mine, 10)")
    assert outcome.status == "ok", outcome.content
    assert outcome.of("execute_result")[0]["data"]["text/plain"] == "b'kept'"


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("cell", ["exit", "exit()", "quit()", "%%carbon\nexit()"])
def test_exit_ends_the_kernel_as_without(start: Start, cell: str, loaded: bool) -> None:
    if cell.startswith("%%carbon") and not loaded:
        pytest.skip("nothing to compare")
    kernel = start()
    kernel.run(LOAD if loaded else "pass", allow_error=False)
    outcome = kernel.run(cell)
    assert outcome.status == "ok"
    assert outcome.content["payload"] == [{"source": "ask_exit", "keepkernel": False}]
    kernel.manager.provisioner.process.wait(timeout=30)
    assert kernel.manager.provisioner.process.returncode == 0
    assert "Traceback" not in kernel.terminal()


@pytest.mark.parametrize("prefix", ["", "%%carbon\n"])
def test_a_trace_function_left_on(start: Start, prefix: str) -> None:
    pair = Pair(start("tracked"), start("plain"))
    pair.tracked.run(LOAD, allow_error=False)
    pair.plain.run("pass", allow_error=False)
    cells = ["import sys\nsys.settrace(lambda *a: None)", "x = 1", "sys.settrace(None)\nx"]
    compare(pair, [(prefix + cell, prefix.replace("%%carbon", "#") + cell) for cell in cells])


def test_a_killed_kernel_dies_as_without(start: Start) -> None:
    kernel = start()
    kernel.run(LOAD, allow_error=False)
    kernel.client.execute("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)")
    kernel.manager.provisioner.process.wait(timeout=30)
    assert kernel.manager.provisioner.process.returncode == -signal.SIGTERM


def test_nothing_was_kept_from_the_notebook(pair: Pair) -> None:
    """The last test with the shared kernels: in none of the cells above did anything in the extension fail, but where
    the cell itself had broken the interpreter."""
    pair.tracked.run("x = 1")
    assert trouble(pair.tracked) in ("(None, None)", "('RuntimeError: no clock', None)")
    assert pair.tracked.terminal() == pair.plain.terminal(), "and nothing was written to the terminal"
