"""The client for threads."""

from hearth_client.sync.client import Hearth

__all__ = ["Hearth"]
