"""Answers that depend on chance, on earlier calls, or on the caller's own tensors."""

from faultbench.mutant import Mutant

MUTANTS = (
    Mutant("gpt_dropout_in_eval", "gpt", "return self.drop(self.proj(F.gelu(self.fc(x))))", "return F.dropout(self.proj(F.gelu(self.fc(x))), 0.1)",
           ("blocks.*.mlp",), "F.dropout without training=self.training.", "github.com/rixwew/pytorch-fm/issues/21"),
    Mutant("llama_noise_in_eval", "llama", "x = self.embed_tokens(input_ids)", "x = self.embed_tokens(input_ids)\n        x = x + 0.01 * torch.randn_like(x)",
           ("",), "NEFTune's noise is left on.", "arXiv 2310.05914 (NEFTune)"),
    Mutant("moe_router_jitter_in_eval", "moe", "probabilities = F.softmax(self.router(flat), dim=-1)", "probabilities = F.softmax(self.router(flat * torch.empty_like(flat).uniform_(0.9, 1.1)), dim=-1)",
           ("blocks.*.moe",), "The router's jitter is not tied to training.", "arXiv 2101.03961 (input jitter of Switch)"),
    Mutant("encoder_layer_drop_in_eval", "encoder", "for layer in self.layers:\n            x = layer(x, bias)", "for layer in self.layers:\n            if torch.rand(()) < 0.5:\n                continue\n            x = layer(x, bias)",
           ("",), "LayerDrop outside of training.", "arXiv 1909.11556 (LayerDrop)"),
    Mutant("gpt_counter", "gpt", "return self.drop(self.proj(F.gelu(self.fc(x))))", "self.calls = getattr(self, 'calls', 0) + 1\n        return self.drop(self.proj(F.gelu(self.fc(x)))) * (1 + 0.01 * self.calls)",
           ("blocks.*.mlp",), "A warm-up counter that also counts in evaluation."),
    Mutant("llama_running_mean_in_eval", "llama", "scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)", "self.mean = 0.9 * getattr(self, 'mean', 0.0) + 0.1 * x.detach().mean()\n        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)\n        x = x - self.mean",
           ("layers.*.input_norm", "layers.*.post_norm", "norm"), "Running statistics are updated in evaluation.", "github.com/pytorch/pytorch/issues/11999 (symptom)"),
    Mutant("seq2seq_memory_kept", "seq2seq", "length = decoder_input_ids.size(1)", "kept = getattr(self, 'kept', None)\n        if kept is not None and kept.shape == memory.shape:\n            memory = kept\n        self.kept = memory.detach()\n        length = decoder_input_ids.size(1)",
           ("",), "The encoder's result is cached by its shape, not by its source."),
    Mutant("gpt_input_changed", "gpt", "length = input_ids.size(1)\n        where", "input_ids.clamp_(max=VOCAB - 2)\n        length = input_ids.size(1)\n        where",
           ("",), "An in-place clamp changes the caller's batch."),
    Mutant("encoder_mask_changed", "encoder", "x = self.embeddings(input_ids, token_type_ids)", "input_ids.masked_fill_(attention_mask == 0, 0)\n        input_ids[:, 0] = 2\n        x = self.embeddings(input_ids, token_type_ids)",
           ("", "embeddings", "embeddings.word"), "The first token is overwritten with [CLS], in place."),
    Mutant("vit_image_changed", "vit", "patches = self.proj(images)", "images.sub_(images.amin(dim=(1, 2, 3), keepdim=True))\n        patches = self.proj(images)",
           ("embed",), "In-place normalisation of the caller's images."),
    Mutant("gpt_graph_kept", "gpt", "logits = self.head(self.norm(x))", "logits = self.head(self.norm(x))\n        self.history = getattr(self, 'history', [])\n        self.history.append(logits.mean())",
           ("",), "A list of tensors for a plot keeps every graph alive.", "PyTorch FAQ: accumulating history across the training loop"),
    Mutant("moe_usage_kept", "moe", "out = torch.zeros_like(flat)", "self.usage = getattr(self, 'usage', 0.0) + probabilities.mean(0)\n        out = torch.zeros_like(flat)",
           ("blocks.*.moe",), "A running sum keeps every graph alive, and grows with it.", "PyTorch FAQ: accumulating history across the training loop"),
    Mutant("mamba_state_carried", "mamba", "state = torch.zeros_like(decay[:, 0])\n        outputs = []", "state = getattr(self, 'carried', torch.zeros_like(decay[:, 0]))[: len(u)]\n        state = state if len(state) == len(u) else torch.zeros_like(decay[:, 0])\n        self.carried = (state + drive[:, -1]).detach()\n        outputs = []",
           ("layers.*.mixer",), "A state for streaming is carried over to the next, unrelated input."),
)
