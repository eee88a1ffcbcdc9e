"""What `hearth doctor` says of keys."""

from __future__ import annotations

import time
from typing import Final

from gateway.cli.checks import Finding
from gateway.cli.store import with_keyring
from gateway.cli.terminal import Trouble
from gateway.listening import is_loopback
from gateway.settings import Settings

_MAKE: Final = "`hearth keys create` makes one; then whoever asks needs one."


def keys(settings: Settings) -> Finding:
    """Whether calls need a key, and who has one."""
    try:
        kept = with_keyring(settings, lambda keyring: keyring.all())
    except Trouble as trouble:
        return Finding("warn", "keys", str(trouble), "Until they can, new keys are answered with 503.")
    good = sum(key.stands(time.time()) for key in kept)
    told = f"{good} good of {len(kept)}" if kept else "none created"
    told += ", and the admin key of the settings" if settings.admin_key is not None else ""
    if settings.open_access:
        return Finding("warn", "keys", f"{told}; open_access answers everybody", "Mind who can reach this server.")
    if kept or settings.admin_key is not None:
        return Finding("ok", "keys", told)
    if is_loopback(settings.host):
        return Finding("ok", "keys", f"{told}: everybody on this machine may ask, and nobody else can")
    return Finding("warn", "keys", f"{told}: it will listen on this machine alone, not on {settings.host}", _MAKE)
