"""Model types of transformers 5.24 that are not in the zoo, and why."""

from __future__ import annotations

_REASONS = {
    "it needs a package that is not installed": (
        "conditional_detr dab-detr deformable_detr detr dinat edgetam edgetam_vision_model eomt eomt_dinov3 fast_vlm "
        "gemma3n_vision higgs_audio_v2_tokenizer inkling_mm_model layoutlmv2 omdet-turbo table-transformer timm_wrapper pe_audio_video pe_video timm_backbone"
    ),
    "it cannot be called with less than several inputs that must fit each other (boxes, sessions, features, masks)": (
        "align audioflamingo3_encoder fun_asr_nano_encoder lilt pe_audio tvp xcodec2 autoformer bark blip-2 blip_2_qformer bros clap clvp dia edgetam_video "
        "gemma4_unified_assistant grounding-dino idefics informer instructblip instructblipvideo "
        "kyutai_speech_to_text layoutlmv3 mm-grounding-dino pix2struct qwen3_asr_encoder sam2_video sam3_tracker_video "
        "sam3_video siglip2 time_series_transformer vibevoice_acoustic_tokenizer_encoder videoprism cohere_compass_vision"
    ),
    "its default config builds no model, or names none": (
        "chameleon lfm2_moe qwen3_omni_moe sapiens2 pp_ocrv5_server_det cohere_compass cohere_compass_text dbrx deepseek_ocr2 diffusion_gemma emu3 ernie4_5_vl_moe "
        "gemma4_assistant granite4_vision hunyuan_vl llama4 pp_ocrv6_medium_det qwen2_5_omni_thinker qwen4_exp "
        "voxtral_realtime_text musicgen nougat gemma3n gemma3n_text step3p7"
    ),
    "its sizes hang together in a way of their own, which the table of names does not follow": (
        "apertus1p5 nemotron3_5_asr nemotron3_diarization sam speech-encoder-decoder mistral4 paligemma pp_doclayout_v2 sam2_vision_model videoprism_vision_model bridgetower chmv2 cosmos3_edge cosmos3_edge_text cvt d_fine decision_transformer deimv2 "
        "depth_anything depth_pro donut-swin dots3_note dpt efficientloftr fun_asr_nano gradium_phonon_tts "
        "granite_speech5_ctc granite_speech5_encoder hgnet_v2 hy_v4_vl hy_v4_vl_text maskformer maskformer-swin mimi "
        "mimi_decoder molmo2 nemo_speechlm nemotron_h_omni neomme pp_doclayout_v4 pp_ocrv5_server_rec rt_detr sam2 "
        "sam2_hiera_det_model sam3_tracker tipsv2_dpt upernet uvdoc vjepa2 wavtokenizer_encoder zoedepth "
        "pp_ocrv6_small_det"
    ),
    "it stays too large or too slow to be called tiny": (
        "blt pp_ocrv5_mobile_rec vibevoice_acoustic_tokenizer_decoder csm dac efficientnet encodec fastspeech2_conformer_with_hifigan janus kimi_linear neucodec "
        "pocket_tts_audio_tokenizer_decoder"
    ),
}
NOT_TINY = {model_type: reason for reason, types in _REASONS.items() for model_type in types.split()}
