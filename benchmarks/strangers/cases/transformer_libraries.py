"""Models of the libraries that hold many transformers, and of proteins, tags, slots and graphs."""

from __future__ import annotations

from typing import Any

from strangers.case import case


@case("x-transformers")
def x_decoder() -> Any:
    from x_transformers import Decoder, TransformerWrapper

    return TransformerWrapper(num_tokens=64, max_seq_len=32, attn_layers=Decoder(dim=32, depth=2, heads=4))


@case("x-transformers")
def x_encoder() -> Any:
    from x_transformers import Encoder, TransformerWrapper

    layers = Encoder(dim=32, depth=2, heads=4, rotary_pos_emb=True, ff_glu=True)
    return TransformerWrapper(num_tokens=64, max_seq_len=32, attn_layers=layers)


@case("x-transformers")
def x_encoder_decoder() -> Any:
    from x_transformers import XTransformer

    return XTransformer(
        dim=32, enc_num_tokens=64, enc_depth=2, enc_heads=4, enc_max_seq_len=32, dec_num_tokens=64, dec_depth=2,
        dec_heads=4, dec_max_seq_len=32,
    )  # fmt: skip


@case("x-transformers")
def x_continuous() -> Any:
    from x_transformers import ContinuousTransformerWrapper, Encoder

    layers = Encoder(dim=32, depth=2, heads=4)
    return ContinuousTransformerWrapper(dim_in=6, dim_out=5, max_seq_len=32, attn_layers=layers)


@case("x-transformers")
def x_autoregressive() -> Any:
    from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

    layers = Decoder(dim=32, depth=2, heads=4, alibi_pos_bias=True, alibi_num_heads=2)
    return AutoregressiveWrapper(TransformerWrapper(num_tokens=64, max_seq_len=32, attn_layers=layers))


@case("torchscale", stand_ins=("fairscale", "torchvision"))
def torchscale_encoder() -> Any:
    from torch import nn
    from torchscale.architecture.config import EncoderConfig
    from torchscale.architecture.encoder import Encoder

    config = EncoderConfig(
        vocab_size=64,
        encoder_embed_dim=32,
        encoder_attention_heads=4,
        encoder_ffn_embed_dim=64,
        encoder_layers=2,
    )
    return Encoder(config, embed_tokens=nn.Embedding(64, 32))


@case("torchscale", stand_ins=("fairscale", "torchvision"))
def torchscale_decoder() -> Any:
    from torch import nn
    from torchscale.architecture.config import DecoderConfig
    from torchscale.architecture.decoder import Decoder

    config = DecoderConfig(
        vocab_size=64,
        decoder_embed_dim=32,
        decoder_attention_heads=4,
        decoder_ffn_embed_dim=64,
        decoder_layers=2,
    )
    return Decoder(config, embed_tokens=nn.Embedding(64, 32))


@case("torchscale", stand_ins=("fairscale", "torchvision"))
def retnet() -> Any:
    from torch import nn
    from torchscale.architecture.config import RetNetConfig
    from torchscale.architecture.retnet import RetNetDecoder

    config = RetNetConfig(
        vocab_size=64, decoder_embed_dim=32, decoder_value_embed_dim=64, decoder_retention_heads=4,
        decoder_ffn_embed_dim=64, decoder_layers=2,
    )  # fmt: skip
    return RetNetDecoder(config, embed_tokens=nn.Embedding(64, 32))


@case("curated-transformers", stand_ins=("curated_tokenizers",))
def curated_bert() -> Any:
    from curated_transformers.models import BERTConfig, BERTEncoder

    return BERTEncoder(
        BERTConfig(
            embedding_width=32,
            hidden_width=32,
            intermediate_width=64,
            n_attention_heads=4,
            n_hidden_layers=2,
            n_pieces=64,
        )
    )


@case("curated-transformers", stand_ins=("curated_tokenizers",))
def curated_llama() -> Any:
    import torch
    from curated_transformers.models import LlamaCausalLM, LlamaConfig

    return LlamaCausalLM(
        LlamaConfig(
            hidden_width=32, intermediate_width=64, n_query_heads=4, n_key_value_heads=2, n_hidden_layers=2,
            n_pieces=64, dtype=torch.float32,
        )
    )  # fmt: skip


@case("curated-transformers", stand_ins=("curated_tokenizers",))
def curated_gpt_neox() -> Any:
    import torch
    from curated_transformers.models import GPTNeoXCausalLM, GPTNeoXConfig

    return GPTNeoXCausalLM(
        GPTNeoXConfig(
            hidden_width=32, intermediate_width=64, n_attention_heads=4, n_hidden_layers=2,
            n_pieces=64, dtype=torch.float32,
        )
    )  # fmt: skip


@case("pytorch-pretrained-bert", stand_ins=("boto3", "botocore"))
def pretrained_bert() -> Any:
    from pytorch_pretrained_bert import BertConfig, BertModel

    return BertModel(
        BertConfig(64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    )


@case("pytorch-pretrained-bert", stand_ins=("boto3", "botocore"))
def pretrained_bert_mlm() -> Any:
    from pytorch_pretrained_bert import BertConfig, BertForMaskedLM

    return BertForMaskedLM(
        BertConfig(64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    )


@case("pytorch-pretrained-bert", stand_ins=("boto3", "botocore"))
def pretrained_gpt2() -> Any:
    from pytorch_pretrained_bert import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(64, n_positions=32, n_ctx=32, n_embd=32, n_layer=2, n_head=4))


@case(
    "pytorch-pretrained-bert",
    stand_ins=("boto3", "botocore"),
    broken="it fills under masks of uint8, which the present PyTorch refuses (modeling_transfo_xl.py:591)",
)
def pretrained_transfo_xl() -> Any:
    from pytorch_pretrained_bert import TransfoXLConfig, TransfoXLModel

    return TransfoXLModel(
        TransfoXLConfig(
            64, cutoffs=[16, 32], d_model=32, d_embed=32, n_head=4, d_head=8, d_inner=64, div_val=1, n_layer=2,
            tgt_len=16, ext_len=0, mem_len=16, clamp_len=32,
        )
    )  # fmt: skip


@case("fair-esm")
def esm2() -> Any:
    from esm.model.esm2 import ESM2

    return ESM2(num_layers=2, embed_dim=32, attention_heads=4)


@case("enformer-pytorch", stand_ins=("pyfaidx",))
def enformer() -> Any:
    from enformer_pytorch import Enformer

    return Enformer.from_hparams(
        dim=48, depth=1, heads=2, output_heads={"human": 5, "mouse": 3}, target_length=4, num_downsamples=3
    )


@case("pytorch-nlp", stand_ins=("torchtext",))
def torchnlp_cnn() -> Any:
    from torchnlp.nn import CNNEncoder

    return CNNEncoder(embedding_dim=16, num_filters=8, ngram_filter_sizes=(2, 3))


@case("pytorch-nlp", stand_ins=("torchtext",))
def torchnlp_attention() -> Any:
    from torchnlp.nn import Attention

    return Attention(16)


@case("pytorch-crf")
def crf() -> Any:
    from torchcrf import CRF

    return CRF(5, batch_first=True)


@case("soft-moe", stand_ins=("torchvision",))
def soft_moe_layer() -> Any:
    from soft_moe import SoftMoELayerWrapper
    from torch import nn

    return SoftMoELayerWrapper(
        dim=32, num_experts=4, slots_per_expert=2, layer=nn.Linear, in_features=32, out_features=32
    )


@case("slot-attention")
def slot_attention() -> Any:
    from slot_attention import SlotAttention

    return SlotAttention(num_slots=5, dim=32)


@case("graph-transformer-pytorch")
def graph_transformer() -> Any:
    from graph_transformer_pytorch import GraphTransformer

    return GraphTransformer(dim=32, depth=2, edge_dim=16, heads=4, dim_head=8, with_feedforwards=True)
