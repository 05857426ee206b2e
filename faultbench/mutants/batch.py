"""Rows of a batch that influence each other, and sizes that break."""

from faultbench.mutant import Mutant

MUTANTS = (
    Mutant("gpt_batch_mean", "gpt", "return self.drop(self.proj(F.gelu(self.fc(x))))", "h = F.gelu(self.fc(x))\n        return self.drop(self.proj(h - h.mean(0, keepdim=True)))",
           ("blocks.*.mlp",), "Centring over the batch."),
    Mutant("gpt_first_row_positions", "gpt", "x = self.drop(self.tokens(input_ids) + self.positions(where))", "x = self.drop(self.tokens(input_ids) + self.positions(where) + 0.1 * self.tokens(input_ids[:1]))",
           ("",), "A prompt taken from the first row is broadcast."),
    Mutant("gpt_rows_rolled", "gpt", "for block in self.blocks:\n            x = block(x)\n        logits", "for block in self.blocks:\n            x = block(x)\n        x = 0.5 * (x + x.roll(1, dims=0))\n        logits",
           ("",), "mixup's shuffle left on in evaluation.", "arXiv 1710.09412 (mixup)"),
    Mutant("gpt_flattened_wrongly", "gpt", "logits = self.head(self.norm(x))", "logits = self.head(self.norm(x.reshape(length, -1, WIDTH).transpose(0, 1)))",
           ("",), "A reshape where a transpose was meant, twice.", "Karpathy, A Recipe for Training Neural Networks (view for transpose)"),
    Mutant("vit_batch_norm_training", "vit", "self.norm = nn.LayerNorm(WIDTH, eps=1e-6)\n        self.head", "self.norm = nn.BatchNorm1d(WIDTH, track_running_stats=False)\n        self.head",
           ("norm",), "Without running statistics BatchNorm uses the batch in evaluation too."),
    Mutant("vit_images_standardised_together", "vit", "patches = self.proj(images)", "patches = self.proj((images - images.mean()) / images.std())",
           ("embed",), "Standardised by the whole batch."),
    Mutant("vit_max_over_batch", "vit", "return self.head(self.norm(x[:, 0]))", "x = self.norm(x[:, 0])\n        return self.head(x / x.abs().max())",
           ("",), "A maximum without its axis."),
    Mutant("vit_squeezed_batch", "vit", "return self.head(self.norm(x[:, 0]))", "return self.head(self.norm(x[:, 0])).squeeze()",
           ("",), "squeeze() takes the batch away when it is one."),
    Mutant("vit_cls_from_first_row", "vit", "x = torch.cat([cls, patches], dim=1)", "x = torch.cat([cls + patches[:1].mean(1, keepdim=True), patches], dim=1)",
           ("embed",), "The class token is made from the first image."),
    Mutant("encoder_length_hard_coded", "encoder", "bias = (1.0 -", "x = x[:, :16]\n        attention_mask = attention_mask[:, :16]\n        bias = (1.0 -",
           ("",), "A length that is cut to the training data's."),
    Mutant("mamba_state_shared", "mamba", "state = torch.zeros_like(decay[:, 0])", "state = torch.zeros_like(decay[:, 0]) + drive[:1, 0]",
           ("layers.*.mixer",), "All rows start from the first row's state."),
    Mutant("mamba_conv_over_batch", "mamba", "self.conv(u.transpose(1, 2))[..., :length].transpose(1, 2)", "self.conv(u.permute(1, 2, 0))[..., : u.size(0)].permute(2, 0, 1)",
           ("layers.*.mixer",), "The convolution runs along the batch."),
    Mutant("moe_capacity_by_batch", "moe", "probabilities = F.softmax(self.router(flat), dim=-1)", "probabilities = F.softmax(self.router(flat), dim=0)",
           ("blocks.*.moe",), "The router's softmax runs over the tokens: rows and positions compete (expert choice does it on purpose).", "arXiv 2202.09368 (the design it mimics)"),
    Mutant("moe_rows_overwritten", "moe", "out.index_add_(0, rows, expert(flat[rows]) * weights[rows, slots, None])", "out[slots] = expert(flat[rows]) * weights[rows, slots, None]",
           ("blocks.*.moe",), "Results are written to the slots instead of the rows."),
)
