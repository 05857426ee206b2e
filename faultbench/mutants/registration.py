"""What is not registered, not saved, not tied or not moved."""

from faultbench.mutant import Mutant

MUTANTS = (
    Mutant("gpt_blocks_in_list", "gpt", "self.blocks = nn.ModuleList([Block(dropout) for _ in range(LAYERS)])", "self.blocks = [Block(dropout) for _ in range(LAYERS)]",
           ("", "blocks"), "A Python list hides its modules from parameters().", "github.com/maruya24/pytorch_robotics_transformer/issues/3"),
    Mutant("moe_experts_in_dict", "moe", "self.experts = nn.ModuleList([Expert() for _ in range(EXPERTS)])", "self.expert_table = {index: Expert() for index in range(EXPERTS)}\n        self.experts = list(self.expert_table.values())",
           ("blocks.*.moe",), "A dict hides its modules from parameters().", "github.com/pytorch/pytorch/issues/632"),
    Mutant("seq2seq_encoder_in_list", "seq2seq", "self.encoder = nn.ModuleList([EncoderLayer(dropout) for _ in range(LAYERS)])", "self.encoder = [EncoderLayer(dropout) for _ in range(LAYERS)]",
           ("", "encoder"), "A Python list hides its modules.", "github.com/pytorch/pytorch/issues/715"),
    Mutant("gpt_mask_not_buffer", "gpt", 'self.register_buffer("mask", torch.tril(torch.ones(MAX_LENGTH, MAX_LENGTH, dtype=torch.bool)))', "self.mask = torch.tril(torch.ones(MAX_LENGTH, MAX_LENGTH, dtype=torch.bool))",
           ("blocks.*.attn",), "A plain attribute stays on the CPU.", "github.com/pytorch/pytorch/issues/1053 (same cause)"),
    Mutant("gpt_tie_lost", "gpt", "self.head.weight = self.tokens.weight", "self.head.weight = nn.Parameter(self.tokens.weight.clone())",
           ("head", ""), "Equal at the start, two parameters ever after.", "github.com/huggingface/transformers/issues/1730"),
    Mutant("encoder_tie_lost", "encoder", "self.decoder.weight = word.weight", "self.decoder.weight = nn.Parameter(word.weight.detach().clone())",
           ("head.decoder", "head", ""), "A clone instead of the parameter.", "github.com/vllm-project/vllm/issues/5621 (symptom)"),
    Mutant("vit_cls_not_parameter", "vit", "self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))", "self.cls_token = torch.zeros(1, 1, WIDTH, requires_grad=True)",
           ("embed",), "A tensor with requires_grad is no parameter: no optimizer sees it."),
    Mutant("vit_positions_to_device_breaks", "vit", "self.pos_embed = nn.Parameter(torch.zeros(1, (IMAGE // PATCH) ** 2 + 1, WIDTH))", "self.table = [nn.Parameter(torch.zeros(1, (IMAGE // PATCH) ** 2 + 1, WIDTH))]\n        self.pos_embed = self.table[0].data.requires_grad_()",
           ("embed",), "Parameters in a list are not registered.", "github.com/pytorch/pytorch/issues/666"),
    Mutant("mamba_d_not_parameter", "mamba", "self.D = nn.Parameter(torch.ones(INNER))", "self.D = torch.ones(INNER)",
           ("layers.*.mixer",), "A learned gain made a constant that also stays on the CPU."),
    Mutant("llama_rotary_lost_on_save", "llama", 'self.register_buffer("frequencies", frequencies, persistent=False)', 'self.register_buffer("frequencies", frequencies * (1 + 0.01 * torch.rand(())), persistent=False)',
           ("rotary",), "A random buffer that is not saved: a loaded model answers differently."),
    Mutant("llama_layer_registered_twice", "llama", "self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])", "self.layers = nn.ModuleList([Layer()] * LAYERS)",
           ("layers.*", "layers.1", "layers", ""), "`[layer] * n` is one layer n times (ALBERT does it on purpose).", "github.com/habla-liaa/encodecmae/issues/3"),
    Mutant("llama_lazy_adapter", "llama", "return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))", "if not hasattr(self, 'adapter'):\n            self.adapter = nn.Linear(WIDTH, WIDTH, bias=False)\n        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x)) + self.adapter(x)",
           ("layers.*.mlp", "layers.*.mlp.adapter"), "A layer made in the first forward: an optimizer built before never sees it."),
    Mutant("llama_layer_made_in_forward", "llama", "return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))", "return nn.Dropout(0.1)(self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x)))",
           ("layers.*.mlp",), "nn.Dropout(p)(x) is always in training mode.", "github.com/yangze0930/NTS-Net/issues/14"),
    Mutant("encoder_state_dict_renamed", "encoder", "def forward(self, input_ids, attention_mask=None, token_type_ids=None):", "def state_dict(self, *args, **kwargs):\n        state = super().state_dict(*args, **kwargs)\n        return {k: v for k, v in state.items() if not k.endswith('segment.weight')}\n\n    def forward(self, input_ids, attention_mask=None, token_type_ids=None):",
           ("", "embeddings.segment", "embeddings"), "A filter for the checkpoint drops a parameter."),
)
