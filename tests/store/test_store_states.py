"""Terraform states over time: the last reading in full, what came before as its history."""

from dataclasses import replace

from story import HOUR, NOW, key, scan, state

from agent.store import Store


def test_the_last_reading_of_a_state_comes_back_whole(store: Store) -> None:
    scan(store, "r1", states=(state(), replace(state(), stack="billing")))
    assert store.states.last() == {"shop": state(), "billing": replace(state(), stack="billing")}
    assert store.states.last()["shop"].keys == {"aws_sqs_queue.q": (key(),)}


def test_a_state_that_did_not_move_is_one_row_with_a_new_time(store: Store) -> None:
    scan(store, "r1", states=(state(),))
    scan(store, "r2", states=(state(at=NOW + HOUR),))
    assert store.states.last()["shop"].read_at == NOW + HOUR
    (only,) = store.states.history(NOW)
    assert (only.serial, only.read_at) == (4, NOW)


def test_a_state_that_moved_leaves_its_history(store: Store) -> None:
    scan(store, "r1", states=(state(4, commit="aaa"),))
    scan(store, "r2", states=(state(5, NOW + HOUR, commit="bbb"),))
    scan(store, "r3", states=(state(4, NOW + 2 * HOUR, commit="aaa"),))
    assert store.states.last()["shop"].serial == 4
    history = store.states.history(NOW)
    assert [(one.serial, one.commit, one.read_at) for one in history] == [
        (4, "aaa", NOW),
        (5, "bbb", NOW + HOUR),
        (4, "aaa", NOW + 2 * HOUR),
    ]
    assert all(one.addresses == {} and one.keys == {} for one in history)
    assert [one.serial for one in store.states.history(NOW + HOUR)] == [5, 4]


def test_a_stack_that_was_not_read_keeps_its_last_reading(store: Store) -> None:
    scan(store, "r1", states=(state(),))
    scan(store, "r2")
    assert store.states.last() == {"shop": state()}
