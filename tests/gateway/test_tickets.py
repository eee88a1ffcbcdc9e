"""Signed tickets."""

from __future__ import annotations

import pytest

from gateway.tickets import Ticket, check, issue

SEAL, TICKET = b"s" * 32, Ticket("key_a", 100.0, "gen_b")


def test_a_ticket_is_read_back_until_its_time_is_over() -> None:
    text = issue(TICKET, SEAL)
    assert check(text, SEAL, 99.9) == TICKET
    assert check(text, SEAL, 100.0) is None


def test_a_ticket_stands_in_an_address_as_it_is() -> None:
    assert set(issue(TICKET, SEAL)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_another_seal_signs_other_tickets() -> None:
    assert check(issue(TICKET, SEAL), b"t" * 32, 0.0) is None


def test_no_letter_of_a_ticket_can_be_changed() -> None:
    text = issue(TICKET, SEAL)
    body, signature = text.split(".")
    other, _ = issue(Ticket("key_b", 100.0, "gen_b"), SEAL).split(".")
    for forged in (f"{other}.{signature}", f"{body}.{signature[::-1]}", f"A{text}", f"{body}.", f".{signature}"):
        assert check(forged, SEAL, 0.0) is None


@pytest.mark.parametrize("text", ["", ".", "..", "a", "a.b", "ä.ö", "a.b.c", "=" * 9, "." * 99])
def test_what_is_no_ticket_is_none(text: str) -> None:
    assert check(text, SEAL, 0.0) is None
