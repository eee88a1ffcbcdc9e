"""Pictures from words, and from other pictures, by Stable Diffusion XL."""

from __future__ import annotations

import secrets
from pathlib import Path as File
from tempfile import TemporaryDirectory
from typing import Any

import torch
from cog import BasePredictor, Input, Path
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image, ImageOps

WEIGHTS = "stabilityai/stable-diffusion-xl-base-1.0"

SCHEDULERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "DDIM": (DDIMScheduler, {}),
    "DPMSolverMultistep": (DPMSolverMultistepScheduler, {}),
    "HeunDiscrete": (HeunDiscreteScheduler, {}),
    "KarrasDPM": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "K_EULER_ANCESTRAL": (EulerAncestralDiscreteScheduler, {}),
    "K_EULER": (EulerDiscreteScheduler, {}),
    "PNDM": (PNDMScheduler, {"skip_prk_steps": True}),
}
"""Under the names that Replicate gives them, with what makes them so."""


class Predictor(BasePredictor):
    def setup(self, weights: str | None = None) -> None:
        """Load the weights: a folder, or a name on the Hugging Face Hub."""
        device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
        dtype = torch.float32 if device.type == "cpu" else torch.float16
        self.from_words = StableDiffusionXLPipeline.from_pretrained(weights or WEIGHTS, dtype=dtype).to(device)
        self.from_picture = StableDiffusionXLImg2ImgPipeline(**self.from_words.components)
        self.usual_scheduler = self.from_words.scheduler.config
        self.folder = TemporaryDirectory()

    def predict(
        self,
        prompt: str = Input(description="What is to be seen"),
        negative_prompt: str = Input(description="What is not to be seen", default=""),
        image: Path | None = Input(
            description="A picture to begin with; it is cut to width and height", default=None, accept="image/*"
        ),
        prompt_strength: float = Input(
            description="How much of that picture the prompt may change: 1 is all of it", ge=0, le=1, default=0.8
        ),
        width: int = Input(description="In pixels, a multiple of 8", ge=64, le=2048, default=1024),
        height: int = Input(description="In pixels, a multiple of 8", ge=64, le=2048, default=1024),
        num_outputs: int = Input(description="How many pictures", ge=1, le=4, default=1),
        scheduler: str = Input(
            description="How noise becomes a picture", choices=list(SCHEDULERS.keys()), default="K_EULER"
        ),
        num_inference_steps: int = Input(description="In how many steps", ge=1, le=500, default=50),
        guidance_scale: float = Input(description="How closely the prompt is followed", ge=1, le=50, default=7.5),
        seed: int | None = Input(description="The same seed gives the same pictures; none is a new one", default=None),
    ) -> list[Path]:
        """Draw pictures of a prompt. Raises ValueError for what cannot be drawn."""
        for name, side in {"width": width, "height": height}.items():
            if side % 8:
                raise ValueError(f"{name}: {side} is no multiple of 8")
        if seed is None:
            seed = secrets.randbits(32)
        print(f"Using seed: {seed}")
        start: dict[str, Any]
        if image is None:
            draw, start = self.from_words, {"width": width, "height": height}
        else:
            draw, start = self.from_picture, {"image": picture(image, width, height), "strength": prompt_strength}
        kind, settings = SCHEDULERS[scheduler]
        draw.scheduler = kind.from_config(self.usual_scheduler, **settings)
        drawn = draw(
            prompt=prompt,
            negative_prompt=negative_prompt,
            num_images_per_prompt=num_outputs,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            # Of the CPU, and one for each picture: so it has the same noise on every device, and in every batch.
            generator=[torch.Generator().manual_seed(seed + n) for n in range(num_outputs)],
            **start,
        )
        return [self.saved(n, each) for n, each in enumerate(drawn.images)]

    def saved(self, n: int, drawn: Image.Image) -> Path:
        """The n-th picture of a prediction as a file; the next prediction's takes its place."""
        path = File(self.folder.name) / f"out-{n}.png"
        drawn.save(path)
        return Path(path)


def picture(path: Path, width: int, height: int) -> Image.Image:
    """The picture in a file, upright, its middle cut to that size. Raises ValueError if it is none."""
    try:
        with Image.open(path) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"image: it cannot be read as a picture: {error}") from error
    return ImageOps.fit(upright, (width, height))
