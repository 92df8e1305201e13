"""Who looks, on a made-up clock."""

from __future__ import annotations

from carbon_magic.comm.lease import MOST, QUIET_S, Leases


def test_nobody_is_told_anything_who_has_no_lease() -> None:
    leases = Leases()
    leases.note(True, 0.0)
    assert not leases.watched(1.0)


def test_a_lease_holds_for_a_minute_and_to_the_end_of_the_cell_that_runs_then() -> None:
    leases = Leases()
    leases.note(True, 0.0)
    leases.take("view", 0.0)
    assert leases.watched(3600.0)
    leases.note(False, 3600.0)
    assert not leases.watched(3600.0)


def test_ticks_go_on_for_a_while_after_the_last_cell() -> None:
    leases = Leases()
    leases.take("view", 0.0)
    assert not leases.watched(1.0)
    leases.note(True, 10.0)
    leases.note(False, 20.0)
    assert leases.watched(20.0 + QUIET_S - 0.1)
    assert not leases.watched(20.0 + QUIET_S)


def test_ticks_come_for_a_while_after_tracking_began_though_no_cell_has_run() -> None:
    leases = Leases()
    leases.began(100.0)
    assert not leases.watched(100.0)
    leases.take("lab", 100.5)
    leases.note(False, 101.0)
    assert leases.watched(100.0 + QUIET_S - 0.1)
    assert not leases.watched(100.0 + QUIET_S)


def test_a_cell_too_short_to_be_seen_running_counts_as_one() -> None:
    leases = Leases()
    leases.take("view", 0.0)
    leases.note(False, 5.0, ended=True)
    assert leases.watched(6.0)
    assert not leases.watched(5.0 + QUIET_S)


def test_what_nobody_can_renew_in_an_idle_kernel_does_not_lapse_there() -> None:
    leases = Leases()
    leases.take("view", 0.0)
    leases.note(True, 1.0)
    leases.note(False, 2.0)
    assert not leases.watched(600.0)
    leases.note(True, 601.0)
    assert leases.watched(601.0)
    leases.note(False, 602.0)
    assert not leases.watched(602.0), "not renewed while the cell ran: nobody looks any more"


def test_who_goes_is_not_waited_for() -> None:
    leases = Leases()
    leases.note(True, 0.0)
    leases.take("one", 0.0)
    leases.take("other", 0.0)
    leases.release("one")
    assert leases.watched(1.0)
    leases.release("other")
    assert not leases.watched(1.0)


def test_kept_live_they_go_on_while_nothing_runs() -> None:
    leases = Leases()
    leases.keep_live = True
    leases.take("view", 0.0)
    assert leases.watched(59.0)
    assert not leases.watched(61.0)


def test_no_front_end_can_fill_the_memory_with_leases() -> None:
    leases = Leases()
    for number in range(10_000):
        leases.take(f"view {number}", 0.0)
    assert len(leases._until) == MOST
