"""`carbon-magic enable` and `disable`: every new kernel loads the extension, by one line of IPython's configuration.

The line stands in the profile's `ipython_config.json`, which IPython reads beside its `.py` files and no one has to
execute in order to change it. The file is edited as text: what stands in it keeps its order, indentation and line
ends, and `disable` takes out exactly what `enable` put in. To know what that was without a note kept elsewhere, what is
put in has another form for each state it may find: `_insert` gives different texts for different files, so the file as
it was is the one from which `_insert` makes the present one. No other file is ever changed. Where one of them sets
`extensions`, a `.py` file or one of the environment or the machine, the JSON's would replace its list [tried, IPython
9]; the name then goes into `extra_extensions`, which IPython loads after it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from carbon_magic.enabled_elsewhere import EXTENSION, KEYS, MAX_BYTES, OWN, SECTIONS, elsewhere, sets_in_json
from carbon_magic.run import UsageError

SECTION = SECTIONS[0]

_STRING = json.dumps(EXTENSION)


def enable(profile: str = "default", ipython_dir: Path | None = None, shared: Sequence[Path] | None = None) -> str:
    """Have every new kernel and terminal of the profile load the extension.

    Args:
        profile: the name of the profile; its folder is made where it does not exist.
        ipython_dir: IPython's folder; the one that IPython itself would use where not said.
        shared: folders with configuration for everybody, likewise.

    Returns:
        What was done, for people.

    Raises:
        UsageError: the configuration is no JSON, has something else in that place, or cannot be written; it is left
            as it was.
    """
    folder = _folder(profile, ipython_dir)
    path = folder / OWN
    content = _read(path)
    others = elsewhere(folder, shared)
    found = [] if content is None else [key for key in KEYS if EXTENSION in _listed(content, key, path)]
    if found or others.loading:
        return f"Already enabled in {path if found else others.loading[0]}."
    rest = {} if content is None else {key: value for key, value in json.loads(content).items() if key != SECTION}
    taken = others.sets | sets_in_json(rest)
    key = next((key for key in KEYS if key not in taken), None)
    if key is None:
        raise UsageError(
            f"{folder}: other files set both {KEYS[0]} and {KEYS[1]}, and one more list would replace theirs: "
            f"add {EXTENSION!r} to one of them"
        )
    _write(path, _new(key) if content is None else _insert(content, key))
    return (
        f"Enabled in {path}. Every new kernel and IPython terminal that uses this profile tracks its cells.\n"
        "An environment without carbon-magic says at each start that it cannot load it. Undo: carbon-magic disable"
    )


def disable(profile: str = "default", ipython_dir: Path | None = None, shared: Sequence[Path] | None = None) -> str:
    """Take out of the profile's configuration what `enable` put in. Arguments and errors as there."""
    folder = _folder(profile, ipython_dir)
    path = folder / OWN
    content = _read(path)
    left = "".join(f"\n{other} loads it too, and is not changed." for other in elsewhere(folder, shared).loading)
    found = [] if content is None else [key for key in KEYS if EXTENSION in _listed(content, key, path)]
    if content is None or not found:
        return f"Nothing to disable in {path}.{left}"
    for key in found:
        if content == _new(key):
            _remove_file(path)
            return f"Disabled: removed {path}, which held nothing else.{left}"
        content = _remove(content, key)
    _write(path, content)
    return f"Disabled in {path}. New kernels no longer load it.{left}"


# The folder and the file


def _folder(profile: str, ipython_dir: Path | None) -> Path:
    from carbon_magic.views.plain import clean

    if not profile or profile in (".", "..") or any(char in profile for char in "/\\\0"):
        raise UsageError(f"--profile {clean(profile)!r} is no name of a profile")
    if ipython_dir is None:
        from IPython.paths import get_ipython_dir

        ipython_dir = Path(get_ipython_dir())
    folder = ipython_dir / f"profile_{profile}"
    if not folder.is_dir():
        from difflib import get_close_matches

        # A new profile is made, a mistyped one is not: nothing would ever load it.
        near = get_close_matches(profile, [found.name[8:] for found in ipython_dir.glob("profile_*")], 1, 0.6)
        if near:
            raise UsageError(f"--profile: there is no profile {clean(profile)!r}: did you mean {clean(near[0])!r}?")
    return folder


def _read(path: Path) -> str | None:
    """The file's text, line ends as they are; None where there is no file."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    try:
        if len(content) > MAX_BYTES:
            raise ValueError("too long")
        text = content.decode("utf-8")
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is not valid JSON and is left as it is; IPython ignores it too") from None
    if not isinstance(data, dict) or not isinstance(data.get(SECTION, {}), dict):
        raise UsageError(f"{path} is left as it is: {SECTION} is not where IPython looks for it")
    return text


def _listed(text: str, key: str, path: Path) -> list[Any]:
    found = json.loads(text).get(SECTION, {}).get(key, [])
    if not isinstance(found, list):
        raise UsageError(f"{path} is left as it is: {SECTION}.{key} is no list")
    return found


def _write(path: Path, text: str) -> None:
    from carbon_magic.run.output import write_atomically

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None


def _remove_file(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise UsageError(f"{path} cannot be removed: {error.strerror or error}") from None


def _new(key: str) -> str:
    """The whole file where there was none."""
    return json.dumps({SECTION: {key: [EXTENSION]}}, indent=2) + "\n"


# The text


class _Member(NamedTuple):
    """Where a member of an object, or an element of a list, stands in the text."""

    name: str
    start: int
    value: int
    """Where the value begins; of a list's element, `start`."""
    end: int


def _insert(text: str, key: str) -> str:
    """The text with the extension in it. Different texts stay different, whatever they say to JSON: what is put into
    an empty object or list stands at its bracket, and what is new in what is new does not."""
    root = _skip(text, 0)
    gap, unit = _style(text, root)
    section = _last(_members(text, root), SECTION)
    if section is None:
        inner, innermost = (gap + unit, gap + 2 * unit) if "\n" in gap else (" ", " ")
        new_list = f'"{key}": [{innermost}{_STRING}{inner}]'
        return _add(text, root, f'"{SECTION}": {{{inner}{new_list}{gap if inner != " " else " "}}}')
    listed = _last(_members(text, section.value), key)
    if listed is None:
        gap, _ = _style(text, section.value)
        inner, end = (gap + unit, gap) if "\n" in gap else (" ", " ")
        return _add(text, section.value, f'"{key}": [{inner}{_STRING}{end}]')
    return _add(text, listed.value, _STRING)


def _remove(text: str, key: str) -> str:
    """The inverse of `_insert`; where the text is none that it makes, the name alone is taken out of the list."""
    root = _skip(text, 0)
    section = _last(_members(text, root), SECTION)
    listed = _last(_members(text, section.value), key) if section is not None else None
    if section is None or listed is None:
        return text
    ours = [
        member for member in _members(text, listed.value) if json.loads(text[member.start : member.end]) == EXTENSION
    ]
    alone = text
    for member in reversed(ours):
        alone = _without(alone, listed.value, member)
    for before in (_without(text, root, section), _without(text, section.value, listed), alone):
        if _insert(before, key) == text:
            return before
    return alone


def _add(text: str, container: int, member: str) -> str:
    """The text with one more member at the end of the object or list that begins at `container`."""
    members = _members(text, container)
    if not members:
        return text[: container + 1] + member + text[container + 1 :]
    gap, _ = _style(text, container)
    return text[: members[-1].end] + "," + gap + member + text[members[-1].end :]


def _without(text: str, container: int, member: _Member) -> str:
    """The text without one member of the object or list that begins at `container`."""
    members = _members(text, container)
    index = [other.start for other in members].index(member.start)
    if index > 0:
        return text[: members[index - 1].end] + text[member.end :]
    end = members[1].start if len(members) > 1 else member.end
    return text[: member.start] + text[end:]


def _style(text: str, container: int) -> tuple[str, str]:
    """What stands before the first member of an object or list, and by how much it is indented."""
    gap = text[container + 1 : _skip(text, container + 1)] if _members(text, container) else ""
    return gap, gap.rpartition("\n")[2] or "  "


def _members(text: str, container: int) -> list[_Member]:
    """The members of the object, or elements of the list, that begins at `container`. The text is valid JSON."""
    decoder = json.JSONDecoder()
    is_object = text[container] == "{"
    found: list[_Member] = []
    at = _skip(text, container + 1)
    while text[at] not in "]}":
        start, name = at, ""
        if is_object:
            name, at = decoder.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        _, end = decoder.raw_decode(text, at)
        found.append(_Member(name, start, at, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _last(members: list[_Member], name: str) -> _Member | None:
    """The member of that name that JSON takes: of several the last."""
    return next((member for member in reversed(members) if member.name == name), None)


def _skip(text: str, at: int) -> int:
    """Where the next character stands that is no white space."""
    while text[at] in " \t\r\n":
        at += 1
    return at
