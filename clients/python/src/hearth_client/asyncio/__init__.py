"""The client for asyncio."""

from hearth_client.asyncio.client import AsyncHearth
from hearth_client.asyncio.lane import Lane
from hearth_client.asyncio.socket import Socket

__all__ = ["AsyncHearth", "Lane", "Socket"]
