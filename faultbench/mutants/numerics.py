"""Values that are not finite, or wrong in reduced precision."""

from faultbench.mutant import Mutant

MUTANTS = (
    Mutant("gpt_division_by_zero", "gpt", "x = x + self.mlp(self.norm2(x))", "x = x + self.mlp(self.norm2(x)) / (x.std(-1, keepdim=True) - x.std(-1, keepdim=True))",
           ("blocks.*",), "A denominator that cancels."),
    Mutant("gpt_exp_overflow", "gpt", "F.gelu(self.fc(x))", "torch.log1p(torch.exp(500 * self.fc(x)))",
           ("blocks.*.mlp", "blocks.*.mlp.proj"), "A hand-written softplus overflows."),
    Mutant("encoder_log_of_zero", "encoder", "return self.decoder(self.norm(F.gelu(self.dense(x))))", "return torch.log(F.relu(self.decoder(self.norm(F.gelu(self.dense(x))))))",
           ("head", ""), "log of a rectified value."),
    Mutant("encoder_masked_row_nan", "encoder", "torch.finfo(x.dtype).min", "float('inf') * -1",
           ("", "layers.*.attention"), "0 · −inf is NaN wherever the mask keeps."),
    Mutant("seq2seq_masked_row_nan", "seq2seq", "y = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)",
           "scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))\n        y = scores.masked_fill(~allowed, float('-inf')).softmax(-1) @ v",
           ("encoder.*.self_attn", "decoder.*.cross_attn", "decoder.*.self_attn", ""), "A row that is masked throughout gives NaN (softmax over minus infinity).", "github.com/pytorch/pytorch/issues/41508"),
    Mutant("llama_softmax_by_hand", "llama", "weights = scores.float().softmax(dim=-1).to(v.dtype)", "weights = (40 * scores.clamp(min=-10)).exp()\n        weights = weights / weights.sum(-1, keepdim=True)",
           ("layers.*.self_attn",), "A softmax without its maximum taken off, and a clamp that lets the mask leak."),
    Mutant("llama_norm_sums_squares", "llama", "scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)", "x = x * 1e4\n        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)",
           ("layers.*.input_norm", "layers.*.post_norm", "norm"), "Squares beyond float16's range: a norm that must run in float32.", "github.com/huggingface/transformers/pull/29402 (norms in float32)"),
    Mutant("moe_length_one_std", "moe", "x = self.embed(input_ids) + self.positions[: input_ids.size(1)]", "x = self.embed(input_ids) + self.positions[: input_ids.size(1)]\n        x = x / x.std(1, keepdim=True).mean() if x.size(1) > 0 else x",
           ("",), "A standard deviation over the length: NaN at length one, and a leak."),
    Mutant("vit_log_of_zero", "vit", "patches = self.proj(images)", "patches = (self.proj(images) + 0 * torch.log(0 * images.amin()))",
           ("embed",), "Zero times the logarithm of zero."),
    Mutant("mamba_delta_unbounded", "mamba", "delta = F.softplus(self.dt_proj(low))", "delta = torch.exp(200 * self.dt_proj(low).abs())",
           ("layers.*.mixer",), "exp for softplus: the step overflows."),
)
