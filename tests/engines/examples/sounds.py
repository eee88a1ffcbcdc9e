"""Sounds for tests."""

from __future__ import annotations

import math
import wave
from array import array
from pathlib import Path


def tone(path: Path, seconds: float, rate: int = 16_000, channels: int = 1) -> Path:
    """A sound of 440 Hz."""
    samples = (round(9000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(seconds * rate)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array("h", (sample for sample in samples for _ in range(channels))).tobytes())
    return path


def encoded(path: Path, of: Path) -> Path:
    """The same sound in the format of that file's name."""
    import av

    with av.open(str(of)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream("libmp3lame" if path.suffix == ".mp3" else path.suffix[1:], rate=44_100, layout="mono")
        for frame in given.decode(audio=0):
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return path
