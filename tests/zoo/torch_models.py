"""What torch.nn offers, as it comes."""

from __future__ import annotations

from torch import nn


def transformer() -> nn.Module:
    """(length, batch, width), its default."""
    return nn.Transformer(32, 4, 2, 2, 64)


def transformer_batch_first() -> nn.Module:
    return nn.Transformer(32, 4, 2, 2, 64, dropout=0.0, batch_first=True, norm_first=True)


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)


def encoder_length_first() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64), 2, enable_nested_tensor=False)


def encoder_layer() -> nn.Module:
    return nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True, norm_first=True)


def decoder() -> nn.Module:
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(32, 4, 64, batch_first=True), 2)


def decoder_layer() -> nn.Module:
    return nn.TransformerDecoderLayer(32, 4, 64, dropout=0.0, batch_first=True)


def attention() -> nn.Module:
    return nn.MultiheadAttention(32, 4, batch_first=True)


def lstm() -> nn.Module:
    return nn.LSTM(16, 24, num_layers=2, batch_first=True)


def lstm_both_ways() -> nn.Module:
    return nn.LSTM(16, 24, batch_first=True, bidirectional=True)


def gru() -> nn.Module:
    return nn.GRU(16, 24, batch_first=True)


def rnn_length_first() -> nn.Module:
    return nn.RNN(16, 24)


def conv_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip


def conv_over_time() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(6, 16, 3, padding=1), nn.GELU(), nn.Conv1d(16, 16, 3, padding=1), nn.Tanh()
    )


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))


def embedding_bag() -> nn.Module:
    return nn.Sequential(nn.EmbeddingBag(50, 16), nn.Linear(16, 4))


def embedding_and_linear() -> nn.Module:
    return nn.Sequential(nn.Embedding(50, 16), nn.LayerNorm(16), nn.Linear(16, 50))


def spectral() -> nn.Module:
    return nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(12, 16)), nn.ReLU(), nn.Linear(16, 2)
    )


def weight_norm() -> nn.Module:
    return nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(12, 16)), nn.Tanh(), nn.Linear(16, 2)
    )


TORCH_MODELS = {
    "transformer": transformer,
    "transformer_batch_first": transformer_batch_first,
    "encoder": encoder,
    "encoder_length_first": encoder_length_first,
    "encoder_layer": encoder_layer,
    "decoder": decoder,
    "decoder_layer": decoder_layer,
    "attention": attention,
    "lstm": lstm,
    "lstm_both_ways": lstm_both_ways,
    "gru": gru,
    "rnn_length_first": rnn_length_first,
    "conv_net": conv_net,
    "conv_over_time": conv_over_time,
    "perceptron": perceptron,
    "embedding_bag": embedding_bag,
    "embedding_and_linear": embedding_and_linear,
    "spectral_norm": spectral,
    "weight_norm": weight_norm,
}
