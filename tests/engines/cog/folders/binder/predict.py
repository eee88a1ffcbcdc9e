"""Binds pages: an object with several files in it, of which one was given."""

import tempfile

from cog import BaseModel, BaseRunner, Path


class Book(BaseModel):
    title: str
    pages: list[Path]


class Predictor(BaseRunner):
    def run(self, pages: list[Path], title: str = "data:text/plain;base64,bm8=") -> Book:
        folder = Path(tempfile.mkdtemp())
        bound = []
        for number, page in enumerate(pages):
            bound.append(folder / f"{number}.txt")
            bound[-1].write_bytes(page.read_bytes() + b" bound")
        return Book(title=title, pages=bound)
