"""Which folder and which file records go to, and what counts as a network file system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from carbon_magic.ledger.home import HomelessError, files, filesystem, home, host, is_network, make_home, own_file

MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:27 / /home rw,relatime shared:7 master:1 - nfs4 server:/home rw,vers=4.2
31 30 254:1 / /home/ann/scratch rw - xfs /dev/vdb rw
32 27 0:28 / /mnt/with\040blank rw - cifs //server/share rw
33 27 0:29 / /fuse rw - fuse.sshfs ann@server: rw
34 27 0:30 / /odd rw - madeupfs none rw
35 27 0:31 / /twice rw - nfs server:/a rw
36 27 0:32 / /twice rw - tmpfs none rw
nonsense
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


def test_the_folder_that_is_said_is_taken_and_a_tilde_is_the_users_home(tmp_path: Path) -> None:
    assert home({"CARBON_MAGIC_HOME": str(tmp_path)}) == tmp_path
    assert home({"CARBON_MAGIC_HOME": "~/kept"}) == Path.home() / "kept"


@pytest.mark.skipif(sys.platform != "linux", reason="the platform's folder is asked for on Linux")
def test_else_it_is_the_platforms_folder_for_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home({}) == tmp_path / "carbon-magic"


@pytest.mark.skipif(sys.platform != "linux", reason="users are told by HOME and by the list of users on Linux")
def test_where_no_home_is_known_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(HomelessError, match="set CARBON_MAGIC_HOME"):
        home({})
    with pytest.raises(HomelessError, match="no home directory"):
        home({"CARBON_MAGIC_HOME": "~/kept"})


@pytest.mark.skipif(os.name == "nt", reason="the mounts are those of a POSIX machine")
@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/srv/x", "ext4", False),
        ("/home/ann/x", "nfs4", True),
        ("/homes/ann", "ext4", False),
        ("/home/ann/scratch", "xfs", False),
        ("/home/ann/scratch/deep/er", "xfs", False),
        ("/home/ann/scratchy", "nfs4", True),
        ("/mnt/with blank/x", "cifs", True),
        ("/fuse/x", "fuse.sshfs", True),
        ("/odd/x", "madeupfs", True),
        ("/twice/x", "tmpfs", False),
    ],
)
def test_the_longest_mount_decides_and_what_is_unknown_is_network(
    mounts: Path, path: str, kind: str, network: bool
) -> None:
    assert filesystem(Path(path), mounts) == kind
    assert is_network(Path(path), mounts) is network
    assert is_network(Path(path), environ={"CARBON_MAGIC_MOUNTINFO": str(mounts)}) is network


def test_a_link_is_followed_to_where_it_leads(tmp_path: Path, mounts: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    real = os.path.realpath(folder)
    mounts.write_text(f"1 1 0:1 / / rw - ext4 a rw\n2 1 0:2 / {real} rw - lustre b rw\n")
    assert filesystem(link / "new" / "deeper", mounts) == "lustre"


def test_without_a_list_of_mounts_it_may_be_a_network(tmp_path: Path) -> None:
    assert is_network(tmp_path, tmp_path / "missing")


def test_one_file_per_host_and_one_per_session_on_a_network(tmp_path: Path) -> None:
    assert own_file(tmp_path, "abc", False) == tmp_path / f"ledger-{host()}.db"
    assert own_file(tmp_path, "abc", True) == tmp_path / "session-abc.db"
    hostile = own_file(tmp_path, "../../etc/passwd", True)
    assert hostile.parent == tmp_path
    assert own_file(tmp_path, "../../etc/passwd", True) != own_file(tmp_path, "../../etc/passwe", True)


def test_the_ledgers_files_are_found_and_nothing_else(tmp_path: Path) -> None:
    assert files(tmp_path / "missing") == []
    for name in ("ledger-a.db", "session-b.db", "ledger-a.db-wal", "ledger-c.db.corrupt-20261123T100000Z", "other.db"):
        (tmp_path / name).touch()
    (tmp_path / "ledger-folder.db").mkdir()
    assert [path.name for path in files(tmp_path)] == ["ledger-a.db", "session-b.db"]


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_the_folder_is_the_users_own(tmp_path: Path) -> None:
    make_home(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
