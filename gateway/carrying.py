"""Files, and the way out of the server: begun and ended with it."""

from __future__ import annotations

from ipaddress import ip_network

from engines.porter import Porter
from gateway.clock import Clock
from gateway.core import Gateway
from gateway.files.porter import Bounds, FilePorter
from gateway.files.store import Files
from gateway.files.sweeping import Sweeper
from gateway.outgoing import Outgoing
from gateway.settings import Settings
from gateway.surfaces.replicate import predictions


class Carrying:
    """Files, and the way out of the server: what engines are given before there is a gateway."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        # What a model gives early in a long prediction is kept for an hour after its end too.
        self.files = Files(settings.files, clock.wall, output_s=predictions.KEPT_S + settings.prediction_s)
        self.outgoing = Outgoing([ip_network(written) for written in settings.private_networks])
        self.gateway: Gateway | None = None
        """Knows whose a generation is; there once it is built."""
        self.porter: Porter = FilePorter(self.files, self.outgoing, self._owner_of, Bounds(settings.file_bytes))
        self._sweeper = Sweeper(self.files)

    async def begin(self) -> None:
        """Be ready to carry."""
        await self.outgoing.begin()
        self._sweeper.begin()

    async def close(self) -> None:
        """Carry no more."""
        await self._sweeper.close()
        await self.outgoing.close()

    async def _owner_of(self, generation: str) -> str:
        assert self.gateway is not None
        return await self.gateway.owner_of(generation)
