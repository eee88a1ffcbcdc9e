"""Speech into text, by Whisper."""

from __future__ import annotations

from itertools import chain
from typing import Any

import av
import numpy as np
import torch
from cog import BaseModel, BasePredictor, Input, Path
from tqdm import tqdm
from transformers import WhisperForConditionalGeneration, WhisperProcessor
from transformers.models.whisper.tokenization_whisper import LANGUAGES, TO_LANGUAGE_CODE

WEIGHTS = "openai/whisper-large-v3"

HERTZ = 16_000
"""At which Whisper hears."""

DECODING: dict[str, Any] = {
    "condition_on_prev_tokens": False,
    "temperature": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "compression_ratio_threshold": 1.35,
    "logprob_threshold": -1.0,
    "no_speech_threshold": 0.6,
}
"""As its makers advise: a stretch that comes out as babble is heard again, with more chance each time."""


class Output(BaseModel):
    transcription: str
    segments: list[dict[str, Any]]
    """Each with `id`, `start` and `end` in seconds, and `text`."""
    detected_language: str
    """By its code, as `en`; the one that was asked for, where one was."""


class Predictor(BasePredictor):
    def setup(self, weights: str | None = None) -> None:
        """Load the weights: a folder, or a name on the Hugging Face Hub."""
        device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
        dtype = torch.float32 if device.type == "cpu" else torch.float16
        self.model = WhisperForConditionalGeneration.from_pretrained(weights or WEIGHTS, dtype=dtype).to(device)
        self.processor = WhisperProcessor.from_pretrained(weights or WEIGHTS)

    def predict(
        self,
        audio: Path = Input(description="Sound or film: wav, mp3, flac, m4a, ogg, mp4 and the like"),
        language: str = Input(description="What is spoken, as `en` or `english`; `auto` finds it out", default="auto"),
        translate: bool = Input(description="Whether to write it in English", default=False),
    ) -> Output:
        """Write down what is said. Raises ValueError for what cannot be heard."""
        code = TO_LANGUAGE_CODE.get(language.lower(), language.lower())
        if code != "auto" and code not in LANGUAGES:
            raise ValueError(
                f"language: {language!r} is none of Whisper's; write `en`, `english` or the like, or `auto`"
            )
        heard = self.processor(
            sound(audio), sampling_rate=HERTZ, truncation=False, return_attention_mask=True, return_tensors="pt"
        ).to(self.model.device, self.model.dtype)
        told: dict[str, str] = {}
        if not self.model.generation_config.is_multilingual:
            code = "en"
        else:
            code = self.spoken(heard.input_features) if code == "auto" else code
            told = {"language": code, "task": "translate" if translate else "transcribe"}
        # Hearing again takes chances; the same sound is to give the same text all the same.
        torch.manual_seed(0)
        with tqdm(total=int(heard.attention_mask.sum())) as bar:
            written = self.model.generate(
                **heard,
                **told,
                **DECODING,
                return_timestamps=True,
                return_segments=True,
                monitor_progress=lambda frames: bar.update(min(int(frames[0, 0]), bar.total) - bar.n),
            )
            bar.update(bar.total - bar.n)
        segments = [
            {
                "id": n,
                "start": round(float(segment["start"]), 2),
                "end": round(float(segment["end"]), 2),
                "text": self.processor.decode(segment["tokens"], skip_special_tokens=True),
            }
            for n, segment in enumerate(written["segments"][0])
        ]
        return Output("".join(segment["text"] for segment in segments).strip(), segments, code)

    def spoken(self, features: torch.Tensor) -> str:
        """The code of the language in the first half minute."""
        [token] = self.model.detect_language(features)
        return str(self.processor.decode(token)).strip("<|>")


def sound(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The sound in a file, in mono as Whisper hears it. Raises ValueError where there is none."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=HERTZ)
    heard: list[np.ndarray[Any, np.dtype[np.float32]]] = []
    try:
        # A playlist may name other files and places: nothing is opened but the file itself.
        with path.open("rb") as file, av.open(file, options={"protocol_whitelist": "none"}) as container:
            frames = container.decode(audio=0) if container.streams.audio else ()
            # After the last frame, None: what the resampler has held back.
            for frame in chain(frames, (None,)):
                heard += (piece.to_ndarray()[0] for piece in resampler.resample(frame))
    except av.FFmpegError as error:
        raise ValueError(f"audio: it cannot be read: {error.strerror}") from error
    if not heard:
        raise ValueError("audio: there is no sound in it")
    return np.concatenate(heard)
