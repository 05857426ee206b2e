"""Models of rows in tables: numeric columns, categories with their own ranges, clicks."""

from __future__ import annotations

from typing import Any

from strangers.case import case

CARDINALITIES = (10, 5, 6, 3)


@case("tabular-transformers")
def tabular_ft() -> Any:
    from fttransformer.model import FTTransformer

    return FTTransformer(CARDINALITIES, 5, dim=16, depth=2, heads=2)


@case("tabular-transformers")
def tabular_tab() -> Any:
    from tabtransformer.model import TabTransformer

    return TabTransformer(CARDINALITIES, 5, dim=16, depth=2, heads=2)


@case("tab-transformer-pytorch")
def lucid_ft() -> Any:
    from tab_transformer_pytorch import FTTransformer

    return FTTransformer(categories=(4, 9, 7), num_continuous=6, dim=16, depth=2, heads=2, dim_head=8)


@case("tab-transformer-pytorch")
def lucid_tab() -> Any:
    from tab_transformer_pytorch import TabTransformer
    from torch import nn

    return TabTransformer(
        categories=(4, 9, 7), num_continuous=6, dim=16, depth=2, heads=2, dim_head=8, mlp_act=nn.ReLU()
    )


@case("pytorch-tabnet")
def tabnet() -> Any:
    # As its classifier builds it: every column in a group of its own.
    import torch
    from pytorch_tabnet.tab_network import TabNet

    groups = torch.eye(8)
    return TabNet(8, 3, cat_idxs=[0, 2], cat_dims=[4, 9], cat_emb_dim=[2, 3], group_attention_matrix=groups)


@case("pytorch-tabnet")
def tabnet_plain() -> Any:
    import torch
    from pytorch_tabnet.tab_network import TabNetNoEmbeddings

    return TabNetNoEmbeddings(8, 3, group_attention_matrix=torch.eye(8))


@case("rtdl")
def rtdl_mlp() -> Any:
    from rtdl import MLP

    return MLP.make_baseline(d_in=8, d_layers=[32, 32], dropout=0.1, d_out=3)


@case("rtdl")
def rtdl_resnet() -> Any:
    from rtdl import ResNet

    return ResNet.make_baseline(
        d_in=8, d_main=16, d_hidden=32, dropout_first=0.2, dropout_second=0.0, n_blocks=2, d_out=3
    )


@case("rtdl")
def rtdl_ft() -> Any:
    from rtdl import FTTransformer

    return FTTransformer.make_baseline(
        n_num_features=5, cat_cardinalities=[4, 9], d_token=16, n_blocks=2, attention_dropout=0.1, ffn_d_hidden=24,
        ffn_dropout=0.1, residual_dropout=0.0, d_out=3,
    )  # fmt: skip


@case("rtdl-revisiting-models")
def revisited_mlp() -> Any:
    from rtdl_revisiting_models import MLP

    return MLP(d_in=8, d_out=3, n_blocks=2, d_block=32, dropout=0.1)


@case("rtdl-revisiting-models")
def revisited_resnet() -> Any:
    from rtdl_revisiting_models import ResNet

    return ResNet(
        d_in=8, d_out=3, n_blocks=2, d_block=16, d_hidden_multiplier=2.0, dropout1=0.3, dropout2=0.0
    )


@case("rtdl-revisiting-models")
def revisited_ft() -> Any:
    from rtdl_revisiting_models import FTTransformer

    return FTTransformer(
        n_cont_features=5, cat_cardinalities=[4, 9], d_out=3, n_blocks=2, d_block=16, attention_n_heads=2,
        attention_dropout=0.2, ffn_d_hidden=24, ffn_d_hidden_multiplier=None, ffn_dropout=0.1, residual_dropout=0.0,
    )  # fmt: skip


@case("tabm", stand_ins=("rtdl_num_embeddings",))
def tabm() -> Any:
    from tabm import TabM

    return TabM(
        n_num_features=6,
        d_out=3,
        n_blocks=2,
        d_block=32,
        dropout=0.1,
        arch_type="tabm",
        k=4,
        start_scaling_init="normal",
    )


@case("tabm", stand_ins=("rtdl_num_embeddings",))
def tabm_categories() -> Any:
    from tabm import TabM

    return TabM(
        n_num_features=6, cat_cardinalities=[4, 9], d_out=3, n_blocks=2, d_block=32, dropout=0.1,
        arch_type="tabm-mini", k=4, start_scaling_init="random-signs",
    )  # fmt: skip


def _columns() -> list[Any]:
    from deepctr_torch.inputs import DenseFeat, SparseFeat

    sparse = [
        SparseFeat(f"C{i}", vocabulary_size=size, embedding_dim=4) for i, size in enumerate(CARDINALITIES)
    ]
    return [*sparse, *(DenseFeat(f"I{i}", 1) for i in range(3))]


@case("deepctr-torch", stand_ins=("tensorflow",))
def deepfm() -> Any:
    from deepctr_torch.models import DeepFM

    return DeepFM(_columns(), _columns(), dnn_hidden_units=(32, 16))


@case("deepctr-torch", stand_ins=("tensorflow",))
def xdeepfm() -> Any:
    from deepctr_torch.models import xDeepFM

    return xDeepFM(_columns(), _columns(), dnn_hidden_units=(32, 16), cin_layer_size=(16, 8))


@case("deepctr-torch", stand_ins=("tensorflow",))
def autoint() -> Any:
    from deepctr_torch.models import AutoInt

    return AutoInt(_columns(), _columns(), dnn_hidden_units=(32, 16), att_layer_num=2)


@case("deepctr-torch", stand_ins=("tensorflow",))
def dcn_mix() -> Any:
    from deepctr_torch.models import DCNMix

    return DCNMix(_columns(), _columns(), dnn_hidden_units=(32, 16), low_rank=8)


@case("deepctr-torch", stand_ins=("tensorflow",))
def fibinet() -> Any:
    from deepctr_torch.models import FiBiNET

    return FiBiNET(_columns(), _columns(), dnn_hidden_units=(32, 16))


@case("deepctr-torch", stand_ins=("tensorflow",))
def mmoe() -> Any:
    from deepctr_torch.models import MMOE

    return MMOE(
        _columns(),
        expert_dnn_hidden_units=(32, 16),
        gate_dnn_hidden_units=(16,),
        tower_dnn_hidden_units=(16,),
    )


@case("deepctr-torch", stand_ins=("tensorflow",))
def wide_and_deep() -> Any:
    from deepctr_torch.models import WDL

    return WDL(_columns(), _columns(), dnn_hidden_units=(32, 16))


@case("pytorch-widedeep", stand_ins=("torchvision", "torchmetrics", "gensim", "spacy", "fastparquet"))
def widedeep_tab_mlp() -> Any:
    from pytorch_widedeep.models import TabMlp

    return TabMlp(
        column_idx={"a": 0, "b": 1, "c": 2, "d": 3}, cat_embed_input=[("a", 4, 4), ("b", 9, 4)],
        continuous_cols=["c", "d"], mlp_hidden_dims=[16, 8],
    )  # fmt: skip


@case("pytorch-widedeep", stand_ins=("torchvision", "torchmetrics", "gensim", "spacy", "fastparquet"))
def widedeep_saint() -> Any:
    from pytorch_widedeep.models import SAINT

    return SAINT(
        column_idx={"a": 0, "b": 1, "c": 2, "d": 3}, cat_embed_input=[("a", 4), ("b", 9)],
        continuous_cols=["c", "d"], input_dim=16, n_heads=2, n_blocks=1,
    )  # fmt: skip


@case("pytorch-widedeep", stand_ins=("torchvision", "torchmetrics", "gensim", "spacy", "fastparquet"))
def widedeep_tab_transformer() -> Any:
    from pytorch_widedeep.models import TabTransformer

    return TabTransformer(
        column_idx={"a": 0, "b": 1, "c": 2, "d": 3}, cat_embed_input=[("a", 4), ("b", 9)],
        continuous_cols=["c", "d"], input_dim=16, n_heads=2, n_blocks=2,
    )  # fmt: skip
