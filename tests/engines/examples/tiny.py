"""Models of the real architectures, made in a moment: too small to know anything, the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tokenizers.pre_tokenizers import ByteLevel

_LETTERS: Final = sorted(ByteLevel.alphabet())
"""Every byte, as tokenizers write it."""


def sdxl(folder: Path) -> Path:
    """Stable Diffusion XL, at 64 pixels."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    torch.manual_seed(0)
    vocabulary = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(
        vocab={token: n for n, token in enumerate(vocabulary)},
        merges=[],
        pad_token="<|endoftext|>",
        model_max_length=77,
    )
    text = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=len(vocabulary) - 2,
        eos_token_id=len(vocabulary) - 1,
        pad_token_id=len(vocabulary) - 1,
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=6 * 8 + text.projection_dim,
        cross_attention_dim=2 * text.hidden_size,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        sample_size=64,
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"
    )
    StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        text_encoder_2=CLIPTextModelWithProjection(text),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=scheduler,
    ).save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """Whisper, with two languages."""
    import torch
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )

    torch.manual_seed(0)
    specials = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe"]
    specials += ["startofprev", "nospeech", "notimestamps"]
    tokenizer = WhisperTokenizer(vocab={letter: n for n, letter in enumerate(_LETTERS)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|{name}|>" for name in specials]})
    tokenizer.add_tokens([f"<|{n / 50:.2f}|>" for n in range(1501)])
    id = tokenizer.convert_tokens_to_ids
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=32,
        decoder_start_token_id=id("<|startoftranscript|>"),
        bos_token_id=id("<|endoftext|>"),
        eos_token_id=id("<|endoftext|>"),
        pad_token_id=id("<|endoftext|>"),
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=config.decoder_start_token_id,
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
        max_length=config.max_target_positions,
        is_multilingual=True,
        lang_to_id={token: id(token) for token in ("<|en|>", "<|de|>")},
        task_to_id={task: id(f"<|{task}|>") for task in ("translate", "transcribe")},
        no_timestamps_token_id=id("<|notimestamps|>"),
        prev_sot_token_id=id("<|startofprev|>"),
        max_initial_timestamp_index=50,
    )
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


def blip2(folder: Path) -> Path:
    """BLIP-2 on OPT."""
    import torch
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        Blip2QFormerConfig,
        Blip2VisionConfig,
        BlipImageProcessor,
        OPTConfig,
    )

    torch.manual_seed(0)
    tokenizer = _speller()
    processor = Blip2Processor(BlipImageProcessor(size={"height": 28, "width": 28}), tokenizer, num_query_tokens=4)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Blip2Config(
        vision_config=Blip2VisionConfig(image_size=28, patch_size=14, **sizes),
        qformer_config=Blip2QFormerConfig(encoder_hidden_size=16, vocab_size=len(tokenizer), **sizes),
        text_config=OPTConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            ffn_dim=32,
            word_embed_proj_dim=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.eos_token_id,
        ),
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    Blip2ForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _speller() -> Any:
    """A tokenizer of single bytes."""
    from transformers import GPT2Tokenizer

    vocabulary = ["</s>", *_LETTERS]
    return GPT2Tokenizer(
        vocab={token: n for n, token in enumerate(vocabulary)},
        merges=[],
        bos_token="</s>",
        eos_token="</s>",
        unk_token="</s>",
    )
