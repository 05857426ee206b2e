"""Padding that leaks into what it should not."""

from faultbench.mutant import Mutant

ENC_BIAS = "bias = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min"
S2S_ALLOWED = "allowed = attention_mask[:, None, None, :].bool()"

MUTANTS = (
    Mutant("encoder_mask_ignored", "encoder", "scores = scores + bias", "pass",
           ("layers.*.attention", ""), "The mask reaches the layer and is not added.", "github.com/AI4Bharat/IndicBERT/issues/20"),
    Mutant("encoder_mask_inverted", "encoder", ENC_BIAS, "bias = attention_mask[:, None, None, :].to(x.dtype) * torch.finfo(x.dtype).min",
           ("", "layers.*.attention"), "Kept and hidden are confused."),
    Mutant("encoder_mask_not_additive", "encoder", ENC_BIAS, "bias = attention_mask[:, None, None, :].to(x.dtype)",
           ("", "layers.*.attention"), "A 0/1 mask is added to the scores.", "arXiv 2508.04925"),
    Mutant("encoder_mask_faint", "encoder", ENC_BIAS, "bias = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -5.0",
           ("", "layers.*.attention"), "An additive mask too small to hide.", "github.com/huggingface/transformers/pull/17306"),
    Mutant("encoder_mask_on_queries", "encoder", ENC_BIAS, "bias = (1.0 - attention_mask[:, None, :, None].to(x.dtype)) * torch.finfo(x.dtype).min",
           ("", "layers.*.attention"), "The mask is broadcast over the keys instead of the queries.", "github.com/hyunwoongko/transformer/pull/40"),
    Mutant("encoder_mask_first_layer_only", "encoder", "for layer in self.layers:\n            x = layer(x, bias)", "for layer in self.layers:\n            x = layer(x, bias)\n            bias = torch.zeros_like(bias)",
           ("layers.1.attention", "layers.1", ""), "The mask is overwritten on the way."),
    Mutant("encoder_mean_added", "encoder", "return self.head(x)", "return self.head(x + x.mean(dim=1, keepdim=True))",
           ("",), "Mean pooling counts the padding."),
    Mutant("encoder_segment_from_mask", "encoder", "x = self.embeddings(input_ids, token_type_ids)", "x = self.embeddings(input_ids, token_type_ids) + attention_mask.float().mean(1)[:, None, None]",
           ("",), "A fraction of padding enters the features."),
    Mutant("llama_padding_mask_ignored", "llama", "hidden = hidden | (attention_mask[:, None, None, :] == 0)", "pass",
           ("layers.*.self_attn", ""), "The padding mask is dropped.", "github.com/zai-org/GLM-4-Voice/issues/182"),
    Mutant("llama_padding_mask_inverted", "llama", "(attention_mask[:, None, None, :] == 0)", "(attention_mask[:, None, None, :] == 1)",
           ("layers.*.self_attn", ""), "Kept and hidden are confused."),
    Mutant("seq2seq_cross_without_mask", "seq2seq", "self.cross_attn(x, memory, allowed)", "self.cross_attn(x, memory, None)",
           ("decoder.*.cross_attn",), "The source's mask is not passed to the cross-attention.", "github.com/Kamichanw/SeekDeeper/issues/3"),
    Mutant("seq2seq_encoder_without_mask", "seq2seq", "x = self.norm1(x + self.drop(self.self_attn(x, x, allowed)))", "x = self.norm1(x + self.drop(self.self_attn(x, x, None)))",
           ("encoder.*.self_attn",), "The source's mask is not passed to the encoder."),
    Mutant("seq2seq_mask_inverted", "seq2seq", S2S_ALLOWED, "allowed = attention_mask[:, None, None, :] == 0",
           ("", "encoder.*.self_attn"), "nn.MultiheadAttention hides where True, the fused attention keeps."),
    Mutant("seq2seq_mask_of_first_row", "seq2seq", S2S_ALLOWED, "allowed = attention_mask[:1, None, None, :].bool()",
           ("", "encoder.*.self_attn"), "All rows use the first row's mask."),
)
