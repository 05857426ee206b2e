"""Models of time series, of functions and of densities."""

from __future__ import annotations

from typing import Any

from strangers.case import case


@case("nbeats-pytorch")
def nbeats() -> Any:
    from nbeats_pytorch.model import NBeatsNet

    return NBeatsNet(
        stack_types=(NBeatsNet.TREND_BLOCK, NBeatsNet.SEASONALITY_BLOCK), nb_blocks_per_stack=2, forecast_length=4,
        backcast_length=12, thetas_dim=(4, 4), hidden_layer_units=32,
    )  # fmt: skip


@case("nbeats-pytorch")
def nbeats_generic() -> Any:
    from nbeats_pytorch.model import NBeatsNet

    return NBeatsNet(
        stack_types=(NBeatsNet.GENERIC_BLOCK, NBeatsNet.GENERIC_BLOCK), nb_blocks_per_stack=2, forecast_length=1,
        backcast_length=10, thetas_dim=(4, 4), share_weights_in_stack=True, hidden_layer_units=32,
    )  # fmt: skip


@case("tft-torch")
def tft() -> Any:
    import torch
    from omegaconf import OmegaConf
    from tft_torch.tft import TemporalFusionTransformer

    configuration = {
        "model": {
            "dropout": 0.05, "state_size": 16, "output_quantiles": [0.1, 0.5, 0.9], "lstm_layers": 2,
            "attention_heads": 2,
        },
        "task_type": "regression", "target_window_start": None,
        "data_props": {
            "num_historical_numeric": 3, "num_historical_categorical": 2,
            "historical_categorical_cardinalities": [4, 5], "num_static_numeric": 2, "num_static_categorical": 2,
            "static_categorical_cardinalities": [6, 3], "num_future_numeric": 2, "num_future_categorical": 1,
            "future_categorical_cardinalities": [4],
        },
    }  # fmt: skip
    model = TemporalFusionTransformer(OmegaConf.create(configuration))
    # Its keys are made of words in the configuration, and no line of its forward names them.
    batch = {
        "static_feats_numeric": torch.randn(3, 2), "static_feats_categorical": torch.randint(0, 3, (3, 2)),
        "historical_ts_numeric": torch.randn(3, 8, 3), "historical_ts_categorical": torch.randint(0, 4, (3, 8, 2)),
        "future_ts_numeric": torch.randn(3, 4, 2), "future_ts_categorical": torch.randint(0, 4, (3, 4, 1)),
    }  # fmt: skip
    return model, {"inputs": {"batch": batch}}


@case("crossformer", stand_ins=("lightning", "torchmetrics", "pytorch_lightning"))
def crossformer() -> Any:
    from crossformer.model.crossformer import Crossformer

    return Crossformer(
        data_dim=4, in_len=24, out_len=12, seg_len=4, window_size=2, factor=4, model_dim=16, feedforward_dim=32,
        heads_num=2, blocks_num=2,
    )  # fmt: skip


@case("pytorch-tcn")
def tcn() -> Any:
    from pytorch_tcn import TCN

    return TCN(num_inputs=8, num_channels=[16, 16, 16])


@case("pytorch-tcn")
def tcn_last() -> Any:
    from pytorch_tcn import TCN

    return TCN(num_inputs=8, num_channels=[16, 16], causal=False, use_norm="batch_norm", input_shape="NLC")


@case("neuraloperator", stand_ins=("torch_harmonics", "wandb", "zarr", "h5py"))
def fno() -> Any:
    from neuralop.models import FNO

    return FNO(n_modes=(8, 8), in_channels=3, out_channels=1, hidden_channels=16, n_layers=2)


@case("neuraloperator", stand_ins=("torch_harmonics", "wandb", "zarr", "h5py"))
def fno_1d() -> Any:
    from neuralop.models import FNO

    return FNO(n_modes=(8,), in_channels=2, out_channels=1, hidden_channels=16, n_layers=2)


@case("neuraloperator", stand_ins=("torch_harmonics", "wandb", "zarr", "h5py"))
def tfno() -> Any:
    from neuralop.models import TFNO

    return TFNO(n_modes=(8, 8), in_channels=3, out_channels=1, hidden_channels=16, n_layers=2, rank=0.1)


@case("neuraloperator", stand_ins=("torch_harmonics", "wandb", "zarr", "h5py"))
def uno() -> Any:
    from neuralop.models import UNO

    return UNO(
        in_channels=3, out_channels=1, hidden_channels=16, n_layers=4, uno_out_channels=[16, 16, 16,
        16], channel_mlp_skip="linear",
        uno_n_modes=[[6, 6], [4, 4], [4, 4], [6, 6]],
        uno_scalings=[[1.0, 1.0], [0.5, 0.5], [1.0, 1.0], [2.0, 2.0]],
    )  # fmt: skip


@case("normflows")
def real_nvp() -> Any:
    import normflows as nf

    flows = []
    for _ in range(2):
        flows.append(nf.flows.AffineCouplingBlock(nf.nets.MLP([1, 16, 16, 2], init_zeros=True)))
        flows.append(nf.flows.Permute(2, mode="swap"))
    return nf.NormalizingFlow(nf.distributions.base.DiagGaussian(2), flows)


@case("nflows")
def nflows_coupling() -> Any:
    from nflows.transforms import CompositeTransform, MaskedAffineAutoregressiveTransform, RandomPermutation

    return CompositeTransform(
        [MaskedAffineAutoregressiveTransform(features=4, hidden_features=16), RandomPermutation(features=4)]
    )


@case("nflows")
def nflows_residual() -> Any:
    from nflows.nn.nets import ResidualNet

    return ResidualNet(in_features=6, out_features=4, hidden_features=16)


@case("mixture-density-nets")
def mixture_density() -> Any:
    from mixture_density_nets.mdn import MDN

    return MDN(6, 2, 3)
