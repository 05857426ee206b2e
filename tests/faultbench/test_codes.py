"""Each kind of finding, shown on a mutant that asks for it."""

from __future__ import annotations

import pytest
import torch

import tierproof
from faultbench.mutants import load_mutants

MUTANTS = {mutant.name: mutant for mutant in load_mutants()}
CODES = [
    ("encoder_segment_from_mask", "T1-PAD-006", ""),
    ("llama_padding_mask_inverted", "T1-PAD-005", "layers.0.self_attn"),
    ("llama_rotary_on_values", "T1-PAD-004", "layers.0.self_attn"),
    ("encoder_mask_faint", "T1-PAD-003", "layers.0.attention"),
    ("gpt_labels_not_shifted", "T1-LOSS-001", ""),
    ("gpt_labels_shifted_twice", "T1-LOSS-002", ""),
    ("llama_labels_shifted_backwards", "T1-LOSS-003", ""),
    ("vit_softmax_on_logits", "T1-LOSS-004", ""),
    ("encoder_relu_on_logits", "T1-LOSS-005", "head"),
    ("encoder_log_of_zero", "T1-LOSS-006", "head"),
    ("gpt_norm_unused", "T1-GRAD-014", "blocks.0.norm2"),
    ("vit_positions_not_added", "T1-GRAD-014", "embed"),
    ("gpt_branch_dropped", "T1-GRAD-014", "blocks.0"),
    ("gpt_values_are_keys", "T1-GRAD-015", "blocks.0.attn.qkv"),
    ("moe_weights_unused", "T1-GRAD-016", "blocks.0.moe.router"),
    ("moe_router_softmax_of_one", "T1-GRAD-016", "blocks.0.moe.router"),
    ("moe_one_expert_only", "T1-GRAD-017", "blocks.0.moe.experts.2"),
    ("seq2seq_dead_relu", "T1-GRAD-004", "encoder.0.ff"),
    ("llama_gain_zero", "T1-INIT-008", "layers.0.input_norm"),
    ("mamba_state_detached", "T1-GRAD-008", "layers.1.mixer"),
    ("llama_layer_registered_twice", "T1-REG-011", "layers"),
    ("llama_lazy_adapter", "T1-REG-012", "layers.0.mlp"),
    ("llama_rotary_lost_on_save", "T1-REG-010", "rotary"),
    ("moe_usage_kept", "T1-LIVE-003", "blocks.0.moe"),
    ("gpt_multiplied_by_root", "T1-ATTN-006", "blocks.0.attn"),
    ("gpt_init_wide", "T1-ATTN-007", "blocks.0.attn"),
    ("mamba_a_positive", "T1-STAB-016", "layers.0.mixer"),
    ("encoder_segments_ignored", "T1-INPUT-003", "embeddings.segment"),
    ("encoder_positions_shared", "T1-INPUT-004", "embeddings.position"),
    ("vit_one_channel", "T1-INPUT-002", "embed"),
    ("llama_cache_position_off_by_one", "T1-CACHE-003", ""),
    ("vit_attention_over_batch", "T1-BATCH-002", "blocks.0.attn"),
]


@pytest.mark.parametrize(("name", "code", "where"), CODES, ids=[f"{code}-{name}" for name, code, _ in CODES])
def test_the_finding_names_its_place_its_evidence_and_the_next_step(name, code, where):
    torch.manual_seed(0)
    report = tierproof.check(MUTANTS[name].build(), only=[code.rpartition("-")[0]], progress=False)
    found = [finding for finding in report.findings if finding.code == code]
    assert found, [(f.code, f.where) for f in report.findings]
    assert found[0].where == where
    assert found[0].evidence
    assert found[0].hint
