"""Models of text: language models, encoders, encoder-decoders."""

from __future__ import annotations

from typing import Any

from strangers.case import case


@case("mambapy")
def mambapy_mamba() -> Any:
    from mambapy.mamba import Mamba, MambaConfig

    return Mamba(MambaConfig(d_model=16, n_layers=2))


@case("mambapy", stand_ins=("mamba_ssm",))
def mambapy_lm() -> Any:
    from mambapy.lm import LM, MambaConfig

    return LM(MambaConfig(d_model=16, n_layers=2), vocab_size=64)


@case("mambapy")
def mambapy_jamba() -> Any:
    from mambapy.jamba import JambaLM, JambaLMConfig

    return JambaLM(
        JambaLMConfig(
            d_model=32, n_layers=4, mlp_size=64, num_attention_heads=4, num_key_value_heads=2, num_experts=4,
            num_experts_per_tok=2, attn_layer_offset=1, attn_layer_period=2, expert_layer_offset=1,
            expert_layer_period=2, vocab_size=64, pad_token_id=0,
        )
    )  # fmt: skip


@case("mambapy")
def mambapy_vim() -> Any:
    from mambapy.vim import MambaConfig, VMamba

    return VMamba(MambaConfig(d_model=16, n_layers=2))


@case("mambabyte")
def mambabyte() -> Any:
    from mambabyte.model import Mamba, MambaConfig

    return Mamba(MambaConfig(dim=16, depth=2, dt_rank=2, d_state=4, expand_factor=2, d_conv=3))


@case("torchxlstm")
def xlstm() -> Any:
    from torchxlstm import xLSTM

    return xLSTM(16, 8, 2, ["s", "m"], batch_first=True)


@case("torchxlstm")
def mlstm() -> Any:
    from torchxlstm import mLSTM

    return mLSTM(16, 8, 2, num_layers=2)


@case("torchxlstm")
def slstm() -> Any:
    from torchxlstm import sLSTM

    return sLSTM(16, 8, 2, num_layers=2, batch_first=True)


@case("nano-gpt", stand_ins=("datasets",))
def nano_gpt() -> Any:
    from nano_gpt.model import GPT, GPTConfig

    return GPT(GPTConfig(block_size=32, vocab_size=64, n_layer=2, n_head=4, n_embd=32), None)


@case("language-modeling-transformers")
def lmt_gpt() -> Any:
    from lmt import GPT, ModelConfig

    return GPT(ModelConfig(context_length=32, vocab_size=64, num_layers=2, num_heads=4, embed_dim=32))


@case("transformers-from-scratch")
def scratch_encoder() -> Any:
    from transformer_variants import EncoderTransformer

    return EncoderTransformer(64, 32, 32, 64, 4, 2)


@case("transformers-from-scratch")
def scratch_decoder() -> Any:
    from transformer_variants import DecoderOnlyTransformer

    return DecoderOnlyTransformer(64, 32, 32, 64, 4, 2)


@case("transformers-from-scratch")
def scratch_encoder_decoder() -> Any:
    from transformer_variants import EncoderDecoderTransformer

    return EncoderDecoderTransformer(64, 32, 32, 64, 4, 2, 2)


@case("simple-transformer")
def simple_transformer() -> Any:
    from simple_transformer import Transformer

    return Transformer(64, 64, 0, 0, embed_size=32, num_layers=2, heads=4, max_length=64)


@case("transformer-encoder")
def guocheng_encoder() -> Any:
    from transformer_encoder import TransformerEncoder

    return TransformerEncoder(d_model=32, d_ff=64, n_heads=4, n_layers=2)


@case("transformerkit", stand_ins=("seaborn",))
def transformerkit() -> Any:
    from transformerkit import TransformerConfig, create_transformer

    return create_transformer(TransformerConfig(d_model=32, n_heads=4, n_layers=2, d_ff=64, vocab_size=64))


@case("transformer-pytorch")
def hyunwoong_transformer() -> Any:
    from transformer.model.transformer import Transformer

    return Transformer(64, 64, 0, 32, 64, 2, 4, 0.1, 64, True, False)


@case("bert-pytorch")
def codertimo_bert() -> Any:
    from bert_pytorch.model import BERT

    return BERT(64, hidden=32, n_layers=2, attn_heads=4)


@case("bert-pytorch")
def codertimo_bert_lm() -> Any:
    from bert_pytorch.model import BERT, BERTLM

    return BERTLM(BERT(64, hidden=32, n_layers=2, attn_heads=4), 64)


@case("babybert")
def babybert() -> Any:
    from babybert.model import BabyBERT, BabyBERTConfig

    return BabyBERT(BabyBERTConfig(64, 32, hidden_size=32, n_blocks=2, n_heads=4))


@case("babybert")
def babybert_mlm() -> Any:
    from babybert.model import BabyBERT, BabyBERTConfig, BabyBERTForMLM

    return BabyBERTForMLM(BabyBERT(BabyBERTConfig(64, 32, hidden_size=32, n_blocks=2, n_heads=4)))


@case("babybert")
def babybert_sentiment() -> Any:
    from babybert.model import BabyBERT, BabyBERTConfig, BabyBERTForSentimentClassification

    return BabyBERTForSentimentClassification(
        BabyBERT(BabyBERTConfig(64, 32, hidden_size=32, n_blocks=2, n_heads=4))
    )


@case("linformer-pytorch")
def tatp_linformer() -> Any:
    from linformer_pytorch import Linformer

    return Linformer(input_size=32, channels=16, dim_k=8, dim_ff=32, nhead=4, depth=2)


@case("linformer-pytorch")
def tatp_linformer_lm() -> Any:
    from linformer_pytorch import LinformerLM

    return LinformerLM(num_tokens=64, input_size=32, channels=16, dim_k=8, dim_ff=32, nhead=4, depth=2)


@case("linformer-pytorch")
def tatp_linformer_enc_dec() -> Any:
    from linformer_pytorch import LinformerEncDec

    return LinformerEncDec(
        enc_num_tokens=64, enc_input_size=32, enc_channels=16, enc_dim_k=8, enc_dim_ff=32,
        dec_num_tokens=64, dec_input_size=32, dec_channels=16, dec_dim_k=8, dec_dim_ff=32,
    )  # fmt: skip


@case("aft-pytorch")
def aft_full() -> Any:
    from aft_pytorch import AFTFull

    return AFTFull(max_seqlen=20, dim=32, hidden_dim=16)


@case("aft-pytorch")
def aft_simple() -> Any:
    from aft_pytorch import AFTSimple

    return AFTSimple(max_seqlen=20, dim=32, hidden_dim=16)


@case("aft-pytorch")
def aft_local() -> Any:
    from aft_pytorch import AFTLocal

    return AFTLocal(max_seqlen=20, dim=32, hidden_dim=16, s=4)


@case("grouped-query-attention-pytorch")
def gqa_transformer() -> Any:
    from grouped_query_attention_pytorch.transformer import GQATransformer

    return GQATransformer(
        d_model=32, nhead=4, kv_heads=2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=64
    )


@case("grouped-query-attention-pytorch")
def gqa_transformer_lm() -> Any:
    from grouped_query_attention_pytorch.transformer import GQATransformerLM

    return GQATransformerLM(
        64, d_model=32, nhead=4, kv_heads=2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=64
    )


@case("grouped-query-attention-pytorch")
def gqa_attention() -> Any:
    from grouped_query_attention_pytorch.attention import MultiheadGQA

    return MultiheadGQA(embed_dim=32, query_heads=4, kv_heads=2)


@case("compressive-transformer-pytorch")
def compressive_transformer() -> Any:
    from compressive_transformer_pytorch import CompressiveTransformer

    return CompressiveTransformer(
        num_tokens=64,
        dim=32,
        depth=2,
        seq_len=32,
        mem_len=32,
        cmem_len=8,
        cmem_ratio=4,
        memory_layers=[2],
        heads=4,
    )


@case("hourglass-transformer-pytorch")
def hourglass_lm() -> Any:
    from hourglass_transformer_pytorch import HourglassTransformerLM

    return HourglassTransformerLM(
        num_tokens=64, dim=32, max_seq_len=64, heads=4, dim_head=8, depth=(1, 2, 1), shorten_factor=2
    )


@case("protein-bert-pytorch")
def protein_bert() -> Any:
    from protein_bert_pytorch import ProteinBERT

    return ProteinBERT(
        num_tokens=21, num_annotation=12, dim=32, dim_global=16, depth=2, attn_heads=2, attn_dim_head=8,
        narrow_conv_kernel=3, wide_conv_kernel=3, wide_conv_dilation=2,
    )  # fmt: skip


@case("feedback-transformer-pytorch")
def feedback_transformer() -> Any:
    from feedback_transformer_pytorch import FeedbackTransformer

    return FeedbackTransformer(num_tokens=64, dim=32, depth=2, seq_len=2, mem_len=16, heads=4, dim_head=8)


@case("h-transformer-1d")
def h_transformer() -> Any:
    from h_transformer_1d import HTransformer1D

    return HTransformer1D(num_tokens=64, dim=32, depth=2, max_seq_len=128, heads=2, dim_head=16, block_size=8)


@case("h-transformer-1d")
def h_transformer_causal() -> Any:
    from h_transformer_1d import HTransformer1D

    return HTransformer1D(
        num_tokens=64, dim=32, depth=2, max_seq_len=64, causal=True, heads=2, dim_head=16, block_size=8
    )


@case(
    "ngpt-pytorch",
    broken="its classes define `__eq__` and no `__hash__`, so PyTorch's parameters() and eval() raise (nGPT.py:82)",
)
def ngpt_tied() -> Any:
    from nGPT_pytorch import nGPT

    return nGPT(num_tokens=48, dim=24, depth=2, heads=2, dim_head=12, attn_norm_qk=True)
