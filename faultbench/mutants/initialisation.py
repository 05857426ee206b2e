"""Starts from which training is slow or impossible."""

from faultbench.mutant import Mutant

MUTANTS = (
    Mutant("gpt_init_wide", "gpt", "nn.init.normal_(module.weight, std=0.02)\n            if module.bias", "nn.init.normal_(module.weight, std=2.0)\n            if module.bias",
           ("", "blocks.*.attn.qkv", "blocks.*.mlp.fc", "blocks.*.attn.proj", "blocks.*.mlp.proj", "head", "tokens"), "0.02 written as 2.0."),
    Mutant("gpt_embedding_std_one", "gpt", "elif isinstance(module, nn.Embedding):\n            nn.init.normal_(module.weight, std=0.02)", "elif isinstance(module, nn.Embedding):\n            nn.init.normal_(module.weight, std=1.0)",
           ("tokens", "head", ""), "nn.Embedding's default on a tied head: the first loss is far above ln V.", "arXiv 1608.05859 (weight tying)"),
    Mutant("gpt_init_zero", "gpt", "nn.init.normal_(module.weight, std=0.02)\n            if module.bias", "nn.init.zeros_(module.weight)\n            if module.bias",
           ("blocks.*.attn.qkv", "blocks.*.attn.proj", "blocks.*.mlp.fc", "blocks.*.mlp.proj", "blocks.*.attn", "blocks.*.mlp", "blocks.*"), "All matrices zero: symmetry is never broken.", "arXiv 1910.11015 (taxonomy of faults): wrong initialisation"),
    Mutant("encoder_init_constant", "encoder", "nn.init.normal_(module.weight, std=0.02)", "nn.init.constant_(module.weight, 0.02)",
           ("", "embeddings.word", "embeddings.position", "embeddings.segment", "layers.*.attention.query", "head.dense", "head.decoder"), "constant_ for normal_.", "arXiv 1910.11015 (taxonomy of faults): wrong initialisation"),
    Mutant("vit_layers_cloned", "vit", "self.blocks = nn.ModuleList([Block(dropout) for _ in range(LAYERS)])", "import copy\n\n        block = Block(dropout)\n        self.blocks = nn.ModuleList([copy.deepcopy(block) for _ in range(LAYERS)])",
           ("", "blocks", "blocks.*", "blocks.1", "blocks.1.attn", "blocks.1.mlp.0"), "deepcopy gives every layer the same start.", "github.com/pytorch/pytorch/issues/72253"),
    Mutant("moe_experts_cloned", "moe", "self.experts = nn.ModuleList([Expert() for _ in range(EXPERTS)])", "import copy\n\n        expert = Expert()\n        self.experts = nn.ModuleList([copy.deepcopy(expert) for _ in range(EXPERTS)])",
           ("blocks.*.moe", "blocks.*.moe.experts", "blocks.*.moe.experts.0", "blocks.*.moe.experts.1", "blocks.*.moe.experts.1.gate"), "Experts that start alike.", "github.com/harvardnlp/annotated-transformer/issues/9"),
    Mutant("seq2seq_decoder_cloned", "seq2seq", "self.decoder = nn.ModuleList([DecoderLayer(dropout) for _ in range(LAYERS)])\n        self.head = nn.Linear(WIDTH, VOCAB)\n        for parameter in self.parameters():\n            if parameter.dim() > 1:\n                nn.init.xavier_uniform_(parameter)",
           "self.head = nn.Linear(WIDTH, VOCAB)\n        import copy\n\n        layer = DecoderLayer(dropout)\n        self.decoder = nn.ModuleList([copy.deepcopy(layer) for _ in range(LAYERS)])",
           ("", "decoder", "decoder.*", "decoder.1", "decoder.1.self_attn.q"), "The clones of the annotated transformer, without its re-initialisation.", "github.com/pytorch/pytorch/issues/86274"),
    Mutant("llama_init_nan", "llama", "nn.init.normal_(parameter, std=0.02)", "nn.init.normal_(parameter, std=0.02)\n                parameter.data[0, 0] = float('nan')",
           ("embed_tokens", ""), "A NaN from a broken checkpoint or an empty() that was never filled."),
    Mutant("llama_gain_zero", "llama", "self.weight = nn.Parameter(torch.ones(width))", "self.weight = nn.Parameter(torch.zeros(width))",
           ("layers.*.input_norm", "norm", "lm_head", "", "layers.*.self_attn", "layers.*.mlp"), "Gains that start at zero (Gemma adds one in forward).", "github.com/huggingface/transformers/pull/29402 (Gemma's norm)"),
    Mutant("mamba_a_positive", "mamba", "a = -torch.exp(self.A_log)", "a = torch.exp(self.A_log)",
           ("layers.*.mixer",), "A sign: the state grows instead of decaying (visible on long inputs)."),
    Mutant("mamba_head_wide", "mamba", "nn.init.normal_(self.embed.weight, std=0.02)", "nn.init.normal_(self.embed.weight, std=3.0)",
           ("embed", "lm_head", ""), "A wide tied embedding: the first loss is far above ln V."),
)
