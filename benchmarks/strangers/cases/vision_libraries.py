"""Models of the large libraries of vision and diffusion."""

from __future__ import annotations

from typing import Any

from strangers.case import case


def _timm(name: str, **sizes: Any) -> Any:
    import timm

    return timm.create_model(name, num_classes=10, **sizes)


@case("timm", stand_ins=("torchvision",))
def timm_vit() -> Any:
    return _timm("vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=4)


@case("timm", stand_ins=("torchvision",))
def timm_swin() -> Any:
    return _timm("swin_tiny_patch4_window7_224", img_size=56, embed_dim=16, depths=(2, 2), num_heads=(2, 4))


@case("timm", stand_ins=("torchvision",))
def timm_convnext() -> Any:
    return _timm("convnext_atto", depths=(1, 1, 1, 1), dims=(8, 16, 16, 32))


@case("timm", stand_ins=("torchvision",))
def timm_resnet() -> Any:
    return _timm("resnet10t", channels=(8, 16, 16, 32))


@case("timm", stand_ins=("torchvision",))
def timm_mixer() -> Any:
    from timm.models.mlp_mixer import MlpMixer

    return MlpMixer(num_classes=10, img_size=32, patch_size=8, embed_dim=32, num_blocks=2)


@case("timm", stand_ins=("torchvision",))
def timm_gmixer() -> Any:
    from timm.models.mlp_mixer import GatedMlp, MlpMixer, SpatialGatingBlock

    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "num_blocks": 2, "mlp_ratio": 4}
    return MlpMixer(num_classes=10, block_layer=SpatialGatingBlock, mlp_layer=GatedMlp, **sizes)


@case("timm", stand_ins=("torchvision",))
def timm_beit() -> Any:
    return _timm("beit_base_patch16_224", img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=4)


@case("timm", stand_ins=("torchvision",))
def timm_deit_distilled() -> Any:
    return _timm(
        "deit_tiny_distilled_patch16_224", img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=4
    )


@case("timm", stand_ins=("torchvision",))
def timm_cait() -> Any:
    return _timm("cait_xxs24_224", img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=4)


@case("timm", stand_ins=("torchvision",))
def timm_xcit() -> Any:
    return _timm("xcit_nano_12_p16_224", img_size=32, embed_dim=32, depth=2, num_heads=4)


@case("timm", stand_ins=("torchvision",))
def timm_pvt() -> Any:
    return _timm("pvt_v2_b0", depths=(1, 1, 1, 1), embed_dims=(8, 16, 16, 32), num_heads=(1, 2, 2, 4))


@case("timm", stand_ins=("torchvision",))
def timm_poolformer() -> Any:
    from timm.models.metaformer import MetaFormer, Pooling

    return MetaFormer(num_classes=10, depths=(1, 1, 1, 1), dims=(8, 16, 16, 32), token_mixers=Pooling)


@case("timm", stand_ins=("torchvision",))
def timm_eva() -> Any:
    return _timm("eva02_tiny_patch14_224", img_size=28, patch_size=7, embed_dim=32, depth=2, num_heads=4)


@case("timm", stand_ins=("torchvision",))
def timm_mobilenet() -> Any:
    return _timm("mobilenetv3_small_050")


@case("timm", stand_ins=("torchvision",))
def timm_edgenext() -> Any:
    return _timm("edgenext_xx_small", depths=(1, 1, 1, 1), dims=(8, 16, 24, 32))


@case("timm", stand_ins=("torchvision",))
def timm_mambaout() -> Any:
    return _timm("mambaout_femto", depths=(1, 1, 1, 1), dims=(8, 16, 16, 32))


@case("timm", stand_ins=("torchvision",))
def timm_hiera() -> Any:
    return _timm("hiera_tiny_224", img_size=(64, 64), embed_dim=16, stages=(1, 1, 2, 1), num_heads=1)


@case("open-clip-torch", stand_ins=("torchvision",))
def open_clip() -> Any:
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    return CLIP(
        embed_dim=32,
        vision_cfg=CLIPVisionCfg(layers=2, width=32, head_width=8, patch_size=8, image_size=32),
        text_cfg=CLIPTextCfg(context_length=16, vocab_size=64, width=32, heads=4, layers=2),
    )


@case("open-clip-torch", stand_ins=("torchvision",))
def coca() -> Any:
    from open_clip.coca_model import CoCa, MultimodalCfg
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    return CoCa(
        embed_dim=32,
        multimodal_cfg=MultimodalCfg(context_length=16, vocab_size=64, width=32, heads=4, layers=2),
        text_cfg=CLIPTextCfg(context_length=16, vocab_size=64, width=32, heads=4, layers=2,
        embed_cls=True, output_tokens=True),
        vision_cfg=CLIPVisionCfg(
            layers=2, width=32, head_width=8, patch_size=8, image_size=32, attentional_pool=True, attn_pooler_heads=4,
            output_tokens=True,
        ),
    )  # fmt: skip


@case("segmentation-models-pytorch", stand_ins=("torchvision",))
def smp_unet() -> Any:
    import segmentation_models_pytorch as smp

    return smp.Unet(
        "timm-mobilenetv3_small_minimal_100",
        encoder_weights=None,
        classes=3,
        decoder_channels=(16, 16, 8, 8, 8),
    )


@case("segmentation-models-pytorch", stand_ins=("torchvision",))
def smp_fpn() -> Any:
    import segmentation_models_pytorch as smp

    return smp.FPN(
        "timm-mobilenetv3_small_minimal_100", encoder_weights=None, classes=3, decoder_pyramid_channels=32,
        decoder_segmentation_channels=32,
    )  # fmt: skip


@case("segmentation-models-pytorch", stand_ins=("torchvision",))
def smp_segformer() -> Any:
    import segmentation_models_pytorch as smp

    return smp.Segformer(
        "timm-mobilenetv3_small_minimal_100",
        encoder_weights=None,
        classes=3,
        decoder_segmentation_channels=16,
    )


@case("diffusers")
def diffusers_unet() -> Any:
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=16, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4, attention_head_dim=4,
    )  # fmt: skip


@case("diffusers")
def diffusers_unet_condition() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16, norm_num_groups=4, attention_head_dim=4,
    )  # fmt: skip


@case("diffusers")
def diffusers_vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 16), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4, norm_num_groups=4, sample_size=16,
    )  # fmt: skip


@case("diffusers")
def diffusers_dit() -> Any:
    from diffusers import DiTTransformer2DModel

    return DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, num_layers=2, sample_size=8, patch_size=2,
        norm_num_groups=4,
    )  # fmt: skip


@case("diffusers")
def diffusers_sd3() -> Any:
    from diffusers import SD3Transformer2DModel

    return SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=16, caption_projection_dim=16, pooled_projection_dim=24, out_channels=4,
        pos_embed_max_size=8,
    )  # fmt: skip


@case("diffusers")
def diffusers_flux() -> Any:
    from diffusers import FluxTransformer2DModel

    return FluxTransformer2DModel(
        in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip


@case("monai")
def monai_unet() -> Any:
    from monai.networks.nets import UNet

    return UNet(
        spatial_dims=2, in_channels=1, out_channels=2, channels=(4, 8, 16), strides=(2, 2), num_res_units=1
    )


@case("monai")
def monai_unet_3d() -> Any:
    from monai.networks.nets import UNet

    return UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=(4, 8, 16), strides=(2, 2))


@case("monai")
def monai_vit() -> Any:
    from monai.networks.nets import ViT

    return ViT(
        in_channels=1, img_size=(16, 16, 16), patch_size=(8, 8, 8), hidden_size=32, mlp_dim=64,
        num_layers=2, num_heads=4,
        classification=True, num_classes=3,
    )  # fmt: skip


@case("monai")
def monai_unetr() -> Any:
    from monai.networks.nets import UNETR

    return UNETR(
        in_channels=1,
        out_channels=2,
        img_size=32,
        feature_size=8,
        hidden_size=48,
        mlp_dim=64,
        num_heads=4,
        spatial_dims=2,
    )


@case("monai")
def monai_swin_unetr() -> Any:
    from monai.networks.nets import SwinUNETR

    return SwinUNETR(
        in_channels=1,
        out_channels=2,
        feature_size=12,
        depths=(1, 1, 1, 1),
        num_heads=(1, 2, 2, 4),
        window_size=4,
        spatial_dims=2,
    )


@case("monai")
def monai_segresnet() -> Any:
    from monai.networks.nets import SegResNet

    return SegResNet(
        spatial_dims=2, init_filters=8, in_channels=1, out_channels=2, blocks_down=(1, 1), blocks_up=(1,)
    )


@case("monai")
def monai_attention_unet() -> Any:
    from monai.networks.nets import AttentionUnet

    return AttentionUnet(spatial_dims=2, in_channels=1, out_channels=2, channels=(4, 8, 16), strides=(2, 2))


@case("monai")
def monai_dynunet() -> Any:
    from monai.networks.nets import DynUNet

    return DynUNet(
        spatial_dims=2, in_channels=1, out_channels=2, kernel_size=[3, 3, 3], strides=[1, 2, 2],
        upsample_kernel_size=[2, 2], filters=[4, 8, 16],
    )  # fmt: skip


@case("monai")
def monai_densenet() -> Any:
    from monai.networks.nets import DenseNet

    return DenseNet(
        spatial_dims=2, in_channels=1, out_channels=3, init_features=8, growth_rate=4, block_config=(2, 2)
    )


@case("monai")
def monai_regressor() -> Any:
    from monai.networks.nets import Regressor

    return Regressor(in_shape=(1, 16, 16), out_shape=(3,), channels=(4, 8), strides=(2, 2))


@case("monai")
def monai_vae() -> Any:
    from monai.networks.nets import VarAutoEncoder

    return VarAutoEncoder(
        spatial_dims=2, in_shape=(1, 16, 16), out_channels=1, latent_size=4, channels=(4, 8), strides=(2, 2)
    )


@case("monai")
def monai_restormer() -> Any:
    from monai.networks.nets.restormer import Restormer

    return Restormer(dim=16, num_blocks=(1, 1, 1), heads=(1, 2, 2), num_refinement_blocks=1)


@case("monai")
def monai_diffusion_unet() -> Any:
    from monai.networks.nets import DiffusionModelUNet

    return DiffusionModelUNet(
        spatial_dims=2, in_channels=1, out_channels=1, num_res_blocks=1, channels=(8, 16),
        attention_levels=(False, True),
        norm_num_groups=4, num_head_channels=8,
    )  # fmt: skip


@case("monai")
def monai_decoder() -> Any:
    from monai.networks.nets import DecoderOnlyTransformer

    return DecoderOnlyTransformer(
        num_tokens=64, max_seq_len=32, attn_layers_dim=32, attn_layers_depth=2, attn_layers_heads=4
    )


@case("monai")
def monai_vqvae() -> Any:
    from monai.networks.nets import VQVAE

    return VQVAE(
        spatial_dims=2, in_channels=1, out_channels=1, channels=(8, 16), num_res_layers=1, num_res_channels=(8, 16),
        downsample_parameters=((2, 4, 1, 1), (2, 4, 1, 1)), upsample_parameters=((2, 4, 1, 1, 0), (2, 4, 1, 1, 0)),
        num_embeddings=16, embedding_dim=8,
    )  # fmt: skip


@case("monai")
def monai_mednext() -> Any:
    from monai.networks.nets import MedNeXt

    return MedNeXt(
        spatial_dims=2, init_filters=4, in_channels=1, out_channels=2, kernel_size=3, blocks_down=(1, 1),
        blocks_bottleneck=1, blocks_up=(1, 1),
    )  # fmt: skip
