"""Controls: patches that change nothing. An alarm on one of them is a false alarm."""

from faultbench.mutant import Mutant

MUTANTS = (
    Mutant("gpt_fill_lowest", "gpt", 'float("-inf"))\n        weights', "torch.finfo(scores.dtype).min)\n        weights", (), "The lowest number for minus infinity: every row keeps its own token.", equivalent=True),
    Mutant("gpt_scale_from_width", "gpt", "math.sqrt(q.size(-1))", "math.sqrt(WIDTH // HEADS)", (), "The same number by another name.", equivalent=True),
    Mutant("llama_mask_where", "llama", "scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)", "scores = torch.where(hidden, torch.finfo(scores.dtype).min, scores)", (), "where for masked_fill.", equivalent=True),
    Mutant("encoder_mask_bool", "encoder", "(1.0 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min", "torch.zeros_like(attention_mask[:, None, None, :], dtype=x.dtype).masked_fill(attention_mask[:, None, None, :] == 0, torch.finfo(x.dtype).min)", (), "The same mask, made by masked_fill.", equivalent=True),
    Mutant("vit_flatten_reshape", "vit", ".flatten(2).transpose(1, 2)", ".reshape(images.size(0), WIDTH, -1).permute(0, 2, 1)", (), "The same layout.", equivalent=True),
    Mutant("mamba_sum_einsum", "mamba", "state = torch.zeros_like(decay[:, 0])", "state = decay[:, 0] * 0", (), "Zeros by another way.", equivalent=True),
    Mutant("moe_positions_narrow", "moe", "self.positions[: input_ids.size(1)]", "self.positions.narrow(0, 0, input_ids.size(1))", (), "narrow for a slice.", equivalent=True),
    Mutant("seq2seq_mask_not_zero", "seq2seq", "attention_mask[:, None, None, :].bool()", "attention_mask[:, None, None, :] != 0", (), "The same mask.", equivalent=True),
)
