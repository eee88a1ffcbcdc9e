"""Answers four at once, when all four have come."""

import asyncio

import cog


class Predictor(cog.BaseRunner):
    def setup(self) -> None:
        self.waiting = 0
        self.all_there = asyncio.Event()

    @cog.concurrent(max=4)
    async def run(self, number: int, of: int = 4) -> dict:
        self.waiting += 1
        if self.waiting == of:
            self.all_there.set()
        await self.all_there.wait()
        return {"number": number, "met": self.waiting}
