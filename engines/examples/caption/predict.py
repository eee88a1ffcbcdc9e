"""What a picture shows, in words, by BLIP-2."""

from __future__ import annotations

import torch
from cog import BasePredictor, Input, Path
from PIL import Image, ImageOps
from transformers import Blip2ForConditionalGeneration, Blip2Processor

WEIGHTS = "Salesforce/blip2-opt-2.7b"


class Predictor(BasePredictor):
    def setup(self, weights: str | None = None) -> None:
        """Load the weights: a folder, or a name on the Hugging Face Hub."""
        device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
        dtype = torch.float32 if device.type == "cpu" else torch.float16
        self.model = Blip2ForConditionalGeneration.from_pretrained(weights or WEIGHTS, dtype=dtype).to(device)
        self.processor = Blip2Processor.from_pretrained(weights or WEIGHTS)

    def predict(
        self,
        image: Path = Input(description="The picture"),
        question: str = Input(description="What is asked of it; without one, it is described", default=""),
        max_new_tokens: int = Input(description="How long the answer may be", ge=1, le=256, default=50),
    ) -> str:
        """Describe a picture, or answer a question about it. Raises ValueError for what is no picture."""
        prompt = f"Question: {question.strip()} Answer:" if question.strip() else None
        shown = self.processor(images=picture(image), text=prompt, return_tensors="pt")
        written = self.model.generate(
            **shown.to(self.model.device, self.model.dtype), max_new_tokens=max_new_tokens, do_sample=False
        )[0]
        # A model of the GPT kind says the question again before its answer.
        asked = 0 if prompt is None or self.model.config.text_config.is_encoder_decoder else shown.input_ids.shape[1]
        return str(self.processor.decode(written[asked:], skip_special_tokens=True)).strip()


def picture(path: Path) -> Image.Image:
    """The picture in a file, upright. Raises ValueError if it is none."""
    try:
        with Image.open(path) as opened:
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"image: it cannot be read as a picture: {error}") from error
