"""Findings on healthy models that are true of their architecture: (model, code) -> why."""

from __future__ import annotations

_HIDDEN_ROW = "torch's own attention gives NaN for a row whose every key is hidden (pytorch#41508)"
_ROUNDED_AWAY = (
    "SAM's vision stem starts its weights at a standard deviation of 1e-10: the image is lost to rounding until trained "
    "weights are loaded"
)

EXPLAINED: dict[tuple[str, str], str] = {
    # Errors.
    ("hf-prophetnet", "T1-SHAPE-002"): (
        "its predicting stream embeds the position after the last, so the last row of the table is out of reach"
    ),
    ("hf-prophetnet", "T1-CACHE-001"): (
        "transformers 5.24 gives the decoder's first position another answer with every length of the target"
    ),
    ("hf-aimv2", "T1-SDPA-001"): (
        "transformers 5.24 leaves its text encoder's causal mask to SDPA and tells SDPA is_causal=False: eager attention "
        "is causal, SDPA is not"
    ),
    ("hf-nemotron_asr_streaming", "T1-SDPA-001"): (
        "its eager attention fills whole rows with −inf where a chunk sees nothing, and gives NaN (transformers 5.24)"
    ),
    ("hf-pp_formulanet", "T1-GRAD-004"): _ROUNDED_AWAY,
    ("hf-pp_formulanet", "T1-CROSS-001"): _ROUNDED_AWAY,
    ("hf-pp_formulanet", "T1-STAB-017"): _ROUNDED_AWAY,
    # Warnings.
    ("hf-cpmant", "T1-LOSS-001"): "transformers 5.24 compares its logits with labels that are not shifted",
    ("hf-cpmant", "T1-ATTN-007"): "its weights start with a standard deviation of 1",
    ("hf-deepseek_v4", "T1-PAD-003"): "its compressed keys gather neighbouring positions, hidden ones too",
    ("hf-deepseek_v4", "T1-ROPE-003"): "its keys are its values, and its outputs are rotated back",
    ("hf-deepseek_v4", "T1-POS-001"): "a head as narrow as here is rotated by one frequency",
    ("hf-blip", "T1-STAB-017"): "its vision config starts the weights at a standard deviation of 1e-10",
    ("hf-groupvit", "T1-SKIP-001"): "its stages hand on groups of tokens, here as many as there are tokens",
    ("hf-flaubert", "T1-LOSS-001"): "a masked language model: its labels belong to the same position",
    ("hf-rf_detr", "T1-GRAD-006"): "of its groups of queries all but the first are for training",
    ("hf-mra", "T1-GRAD-014"): "without its CUDA kernels its attention gives zeros",
    ("hf-xcodec", "T1-INPUT-001"): "at random parameters its quantiser gives every input the same codes",
    ("audio_conv_stem", "T1-INPUT-002"): "samples behind the last full stride are read by no window",
    ("dataclass_encoder", "T1-STAB-010"): _HIDDEN_ROW,
    (
        "length_first",
        "T1-INPUT-004",
    ): "it has no positions: nothing but its neighbours' contents reach a token",
    ("nn-embedding_bag", "T1-INPUT-004"): "a bag has no order",
    (
        "hf-funnel",
        "T1-INIT-004",
    ): "its embeddings start with a standard deviation of 1, and its head is tied to them",
    ("hf-levit", "T1-GRAD-014"): "in evaluation mode it reads its attention biases from a cache",
    ("hf-luke", "T1-GRAD-014"): "its queries between entities wait for entities",
    ("nn-attention", "T1-STAB-010"): _HIDDEN_ROW,
    ("nn-encoder_layer", "T1-STAB-010"): _HIDDEN_ROW,
    ("hf-fsmt", "T1-CACHE-002"): "it leaves out the causal mask while the cache is filled",
    ("hf-imagegpt", "T1-PAD-003"): "it averages over all positions, hidden ones too",
    ("hf-lasr_ctc", "T1-INPUT-002"): "frames behind the last full stride are read by no window",
    (
        "hf-mt5",
        "T1-INIT-004",
    ): "T5 starts its embeddings with a standard deviation of 1, and here the head is tied",
    ("hf-trocr", "T1-LOSS-001"): "its labels stand unshifted: whoever calls it moves the inputs to the right",
    ("hf-videomae", "T1-REG-003"): "its sinusoids are a plain tensor, which its forward moves itself",
    ("hf-xlnet", "T1-LOSS-001"): "it predicts permuted tokens: its labels belong to the same position",
    ("hf-visual_bert", "T1-GRAD-014"): "its positions of regions wait for an alignment of regions with words",
    (
        "hf-vits",
        "T1-GRAD-006",
    ): "its duration predictor's second flow is removed when it generates, as in the publication's code",
    ("hf-xlm", "T1-LOSS-001"): "a masked language model: its labels belong to the same position",
    ("hf-xcodec", "T1-GRAD-014"): "no gradient goes through the quantiser's choice of codes",
    ("hf-owlv2", "T1-PAD-003"): "it reads the answer at the largest id, hidden or not",
    ("hf-owlvit", "T1-PAD-003"): "it reads the answer at the largest id, hidden or not",
    ("hf-tipsv2", "T1-STAB-010"): "it divides by the number of visible tokens",
    (
        "hf-yoso",
        "T1-GRAD-008",
    ): "its backward is an estimate of its own (Zeng et al. 2021), not the derivative",
    ("mup_gpt", "T1-ATTN-004"): "muP scales by 1/width (Yang et al. 2022)",
    ("t5_like", "T1-ATTN-003"): "T5 starts with small queries in place of the factor 1/√width",
}

# Where arguments are given, or have other names, no `use_cache=False` is passed.
_CACHED = "with transformers' default use_cache=True "
EXPLAINED_BY_ITS_CACHE: dict[tuple[str, str], str] = {
    ("hf-dory", "T1-SHAPE-001"): _CACHED + "an input longer than its window raises",
    ("hf-dory", "T1-SHAPE-002"): _CACHED + "an input longer than its window raises",
    ("hf-dory", "T1-CAUSAL-003"): _CACHED + "its later loops read the cache of the last one",
    ("hf-rwkv", "T1-SHAPE-003"): _CACHED + "one token of two rows is answered by two positions",
}
# These raise as they are called by a person who passes ids alone.
RAISING_BY_THEIR_CACHE = ("hf-bamba", "hf-jamba", "hf-recurrent_gemma", "hf-xlstm")
# These raise in bfloat16 on the CPU: no Fourier transform in it, and products of bfloat16 with parts kept in float32.
RAISING_IN_BFLOAT16 = (
    "fnet_like",
    "hf-fnet",
    "hf-inkling2_loop",
    "hf-inkling2_loop_text",
    "hf-inkling2_text",
    "hf-mra",
)
