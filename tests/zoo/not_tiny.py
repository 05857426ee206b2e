"""Model types of transformers 5.24 that are not in the zoo, and why."""

from __future__ import annotations

_REASONS = {
    "it needs a package that is not installed": (
        "videomt perception_lm conditional_detr dab-detr deformable_detr detr dinat edgetam edgetam_vision_model eomt "
        "eomt_dinov3 fast_vlm gemma3n_vision higgs_audio_v2_tokenizer inkling_mm_model layoutlmv2 omdet-turbo oneformer pe_audio_video pe_video table-transformer timm_backbone timm_wrapper"
    ),
    "it cannot be called with less than several inputs that must fit each other (boxes, sessions, features, masks)": (
        "vilt voxtral_realtime xclip sam3 sam3_lite_text seggpt udop pi0 align audioflamingo3_encoder autoformer bark blip-2 blip_2_qformer bros clap clvp "
        "cohere_compass_vision dia edgetam_video fun_asr_nano_encoder gemma4_unified_assistant grounding-dino idefics informer instructblip instructblipvideo kosmos-2 kyutai_speech_to_text layoutlmv3 "
        "lightglue lilt lxmert mm-grounding-dino muse_glimmer_assistant pe_audio pix2struct qwen2_5_omni "
        "qwen3_asr_encoder sam2_video sam3_tracker_video sam3_video siglip2 time_series_transformer tvp "
        "vibevoice_acoustic_tokenizer_encoder videoprism xcodec2"
    ),
    "its default config builds no model, or names none": (
        "qwen4_exp_text chameleon cohere_compass cohere_compass_text dbrx deepseek_ocr2 diffusion_gemma emu3 "
        "ernie4_5_vl_moe gemma3n gemma3n_text gemma4_assistant granite4_vision hunyuan_vl lfm2_moe llama4 "
        "moonshine_streaming musicgen musicgen_melody nougat pp_ocrv5_server_det pp_ocrv6_medium_det "
        "qwen2_5_omni_thinker qwen3_omni_moe qwen4_exp sapiens2 step3p7 voxtral_realtime_text"
    ),
    "its sizes hang together in a way of their own, which the table of names does not follow": (
        "pocket_tts pp_ocrv5_mobile_det apertus1p5 bridgetower chmv2 cosmos3_edge cosmos3_edge_text cvt d_fine decision_transformer "
        "deimv2 depth_anything depth_pro donut-swin dots3_note dpt efficientloftr fun_asr_nano "
        "zamba lw_detr pp_doclayout_v3 prompt_depth_anything rt_detr_v2 sam_hq gradium_phonon_tts granite_speech5_ctc granite_speech5_encoder hgnet_v2 hy_v4_vl hy_v4_vl_text "
        "mask2former maskformer maskformer-swin mimi mimi_decoder mistral4 molmo2 moonshine nemo_speechlm "
        "nemotron3_5_asr nemotron3_diarization nemotron_h_omni neomme paddleocr_vl paligemma "
        "pp_doclayout_v2 pp_doclayout_v4 pp_ocrv5_server_rec pp_ocrv6_small_det rt_detr sam sam2 "
        "sam2_hiera_det_model sam2_vision_model sam3_tracker speech-encoder-decoder tipsv2_dpt upernet "
        "uvdoc videoprism_vision_model vjepa2 wavtokenizer_encoder zoedepth"
    ),
    "it stays too large or too slow to be called tiny": (
        "wavtokenizer focalnet nemotron_h blt csm dac efficientnet encodec fastspeech2_conformer_with_hifigan glm5_next inkling2 janus "
        "kimi_linear neucodec pocket_tts_audio_tokenizer_decoder pp_ocrv5_mobile_rec "
        "vibevoice_acoustic_tokenizer_decoder"
    ),
}
NOT_TINY = {model_type: reason for reason, types in _REASONS.items() for model_type in types.split()}
