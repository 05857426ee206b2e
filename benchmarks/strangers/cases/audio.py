"""Models of speech, music and sound."""

from __future__ import annotations

from typing import Any

from strangers.case import case


@case("encodec", stand_ins=("torchaudio",))
def encodec_encoder() -> Any:
    from encodec.modules import SEANetEncoder

    return SEANetEncoder(dimension=16, n_filters=4, ratios=[4, 2])


@case("encodec", stand_ins=("torchaudio",))
def encodec() -> Any:
    from encodec.model import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

    sizes: dict[str, Any] = {"dimension": 16, "n_filters": 4, "ratios": [4, 2], "causal": True}
    quantizer = ResidualVectorQuantizer(dimension=16, n_q=4, bins=32)
    return EncodecModel(
        SEANetEncoder(**sizes), SEANetDecoder(**sizes), quantizer, [24.0], sample_rate=16000, channels=1
    )


@case("encodec", stand_ins=("torchaudio",))
def encodec_lm() -> Any:
    from encodec.model import LMModel

    return LMModel(n_q=4, card=32, dim=32, num_heads=4, num_layers=2)


@case("snac")
def snac() -> Any:
    from snac import SNAC

    return SNAC(
        sampling_rate=16000, encoder_dim=16, encoder_rates=[2, 4], decoder_dim=128, decoder_rates=[4, 2],
        attn_window_size=8, codebook_size=32, codebook_dim=4, vq_strides=[4, 2, 1],
    )  # fmt: skip


@case("vocos", stand_ins=("torchaudio",))
def vocos_backbone() -> Any:
    from vocos.models import VocosBackbone

    return VocosBackbone(input_channels=20, dim=32, intermediate_dim=64, num_layers=2)


@case("bigvgan", stand_ins=("librosa", "torchaudio", "soundfile"))
def bigvgan() -> Any:
    from bigvgan.bigvgan import BigVGAN
    from bigvgan.env import AttrDict

    return BigVGAN(
        AttrDict(
            num_mels=20, upsample_rates=[4, 2], upsample_kernel_sizes=[8, 4], upsample_initial_channel=32,
            resblock="1", resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3, 5]], activation="snakebeta",
            snake_logscale=True,
        )
    )  # fmt: skip


@case("demucs", stand_ins=("torchaudio", "openunmix", "julius", "diffq", "dora"))
def hdemucs() -> Any:
    from demucs.hdemucs import HDemucs

    return HDemucs(sources=["drums", "other"], channels=4, nfft=256, depth=3, hybrid=False)


@case("conformer")
def conformer() -> Any:
    from conformer import Conformer

    return Conformer(dim=32, depth=2, dim_head=8, heads=4, conv_kernel_size=7)


@case("openai-whisper", stand_ins=("numba", "tiktoken"))
def whisper() -> Any:
    from whisper.model import ModelDimensions, Whisper

    return Whisper(ModelDimensions(20, 32, 32, 4, 2, 64, 16, 32, 4, 2))


@case("openai-whisper", stand_ins=("numba", "tiktoken"))
def whisper_encoder() -> Any:
    from whisper.model import AudioEncoder

    return AudioEncoder(20, 32, 32, 4, 2)


@case("diffwave")
def diffwave() -> Any:
    from diffwave.model import DiffWave
    from diffwave.params import AttrDict

    return DiffWave(
        AttrDict(
            residual_channels=8, residual_layers=4, dilation_cycle_length=2, n_mels=20, noise_schedule=[0.1] * 10,
            unconditional=False,
        )
    )  # fmt: skip


@case("diffwave")
def diffwave_unconditional() -> Any:
    from diffwave.model import DiffWave
    from diffwave.params import AttrDict

    return DiffWave(
        AttrDict(
            residual_channels=8, residual_layers=4, dilation_cycle_length=2, n_mels=20, noise_schedule=[0.1] * 10,
            unconditional=True,
        )
    )  # fmt: skip
