"""Sealed keys: opened by the secret they were sealed under, and only where they belong."""

import pytest

from budgets.access.sealing import CannotUnseal, seal, unseal


def test_it_opens_under_the_present_or_an_older_secret_key():
    sealed = seal(b"private", "kid", "old")
    assert unseal(sealed, "kid", ["old"]) == b"private"
    assert unseal(sealed, "kid", ["new", "old"]) == b"private"


def test_two_seals_of_one_secret_differ():
    assert seal(b"private", "kid", "key") != seal(b"private", "kid", "key")


@pytest.mark.parametrize("keys", [[], ["new"], [""]])
def test_without_its_secret_key_it_stays_shut(keys):
    with pytest.raises(CannotUnseal):
        unseal(seal(b"private", "kid", "old"), "kid", keys)


def test_it_cannot_be_moved_to_another_row():
    with pytest.raises(CannotUnseal):
        unseal(seal(b"private", "kid", "key"), "other", ["key"])


def test_any_changed_byte_keeps_it_shut():
    sealed = seal(b"private", "kid", "key")
    for at in range(len(sealed)):
        broken = bytearray(sealed)
        broken[at] ^= 1
        with pytest.raises(CannotUnseal):
            unseal(bytes(broken), "kid", ["key"])
    for cut in (0, 1, 10, 28, len(sealed) - 1):
        with pytest.raises(CannotUnseal):
            unseal(sealed[:cut], "kid", ["key"])
