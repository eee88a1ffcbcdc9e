"""From where a server that starts now may be reached: while nothing asks for a key, from this machine alone."""

from __future__ import annotations

from typing import NamedTuple

from gateway.cli.store import with_keyring
from gateway.cli.terminal import Trouble
from gateway.listening import is_loopback
from gateway.settings import Settings


class Reach(NamedTuple):
    """The settings to serve with, and what there is to say of that."""

    settings: Settings
    told: tuple[str, ...] = ()


def reach(settings: Settings) -> Reach:
    """Looks for a key where the server will listen on a network."""
    if is_loopback(settings.host) or settings.admin_key is not None or settings.open_access:
        return Reach(settings)
    try:
        if with_keyring(settings, lambda keyring: keyring.configured()):
            return Reach(settings)
    except Trouble as trouble:
        # On a network the server wants a key in any case: nobody is let in for that the store is away.
        return Reach(settings, (str(trouble), "Every call wants a key, and none is found until they can."))
    here = "::1" if ":" in settings.host else "127.0.0.1"
    told = (
        f"NO KEY IS CONFIGURED: it listens on {here} alone, and not on {settings.host} as was asked.",
        "To open it to a network do one of these, and start it again:",
        "  hearth keys create          from then on whoever asks needs a key",
        "  HEARTH_ADMIN_KEY=...        the same, with a key of your choice that may do everything",
        "  HEARTH_OPEN_ACCESS=true     everybody is answered: for a server behind something that checks who asks",
    )
    return Reach(settings.model_copy(update={"host": here}), told)
