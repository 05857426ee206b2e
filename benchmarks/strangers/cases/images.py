"""Models that look at images and videos."""

from __future__ import annotations

from typing import Any

from strangers.case import case


@case("vision-transformer-pytorch")
def tcz_vit() -> Any:
    from vision_transformer_pytorch import VisionTransformer

    sizes = {"emb_dim": 32, "mlp_dim": 64, "num_heads": 4, "num_layers": 2, "num_classes": 10}
    return VisionTransformer.from_name("ViT-B_16", image_size=32, patch_size=8, **sizes)


@case("distillable-vision-transformer")
def distillable_vit() -> Any:
    from distillable_vision_transformer import DistillableVisionTransformer

    return DistillableVisionTransformer(
        image_size=(32, 32), patch_size=8, emb_dim=32, mlp_dim=64, num_heads=4, num_layers=2, num_classes=10
    )


@case("swin-transformer-pytorch")
def berniwal_swin() -> Any:
    from swin_transformer_pytorch import SwinTransformer

    return SwinTransformer(
        hidden_dim=16, layers=(2, 2, 2, 2), heads=(2, 2, 2, 2), head_dim=8, num_classes=10, window_size=2,
        downscaling_factors=(4, 2, 2, 2),
    )  # fmt: skip


@case("swin-transformer-pytorch")
def berniwal_swin_absolute() -> Any:
    from swin_transformer_pytorch import SwinTransformer

    return SwinTransformer(
        hidden_dim=16, layers=(2, 2, 2, 2), heads=(2, 2, 2, 2), head_dim=8, num_classes=10, window_size=7,
        downscaling_factors=(2, 2, 2, 2), relative_pos_embedding=False,
    )  # fmt: skip


@case("transformer-in-transformer")
def tnt() -> Any:
    from transformer_in_transformer import TNT

    return TNT(
        image_size=32, patch_dim=32, pixel_dim=12, patch_size=8, pixel_size=4, depth=2, heads=2, dim_head=8,
        num_classes=10,
    )  # fmt: skip


@case("uniformer-pytorch")
def uniformer() -> Any:
    from uniformer_pytorch import Uniformer

    return Uniformer(num_classes=10, dims=(16, 16, 32, 32), depths=(1, 1, 1, 1), dim_head=8)


@case("self-attention-cv", stand_ins=("torchvision",))
def adaloglou_vit() -> Any:
    from self_attention_cv import ViT

    return ViT(img_dim=32, patch_dim=8, num_classes=10, dim=32, blocks=2, heads=4, dim_linear_block=64)


@case("self-attention-cv", stand_ins=("torchvision",))
def adaloglou_encoder() -> Any:
    from self_attention_cv import TransformerEncoder

    return TransformerEncoder(dim=32, blocks=2, heads=4, dim_linear_block=64)


@case("self-attention-cv", stand_ins=("torchvision",))
def adaloglou_timesformer() -> Any:
    from self_attention_cv import Timesformer

    return Timesformer(
        img_dim=16, frames=4, patch_dim=8, num_classes=10, dim=32, blocks=2, heads=4, dim_linear_block=64
    )


@case("self-attention-cv", stand_ins=("torchvision",))
def adaloglou_linformer() -> Any:
    from self_attention_cv import LinformerEncoder

    return LinformerEncoder(dim=32, tokens=16, k=8, blocks=2, heads=4, dim_linear_block=64)


@case("self-attention-cv", stand_ins=("torchvision",))
def axial_attention_block() -> Any:
    from self_attention_cv import AxialAttentionBlock

    return AxialAttentionBlock(in_channels=32, dim=16, heads=4)


@case("self-attention-cv", stand_ins=("torchvision",))
def adaloglou_bottleneck() -> Any:
    from self_attention_cv.bottleneck_transformer import BottleneckBlock

    return BottleneckBlock(in_channels=32, fmap_size=(8, 8), heads=4, out_channels=64, pooling=True)


@case("efficientnet-pytorch")
def efficientnet_b0() -> Any:
    from efficientnet_pytorch import EfficientNet

    return EfficientNet.from_name("efficientnet-b0")


@case("vit-pytorch", stand_ins=("torchvision",))
def vit_crossformer() -> Any:
    from vit_pytorch.crossformer import CrossFormer

    return CrossFormer(
        num_classes=10,
        dim=(32, 32, 32, 64),
        depth=(1, 1, 1, 1),
        global_window_size=(4, 2, 2, 1),
        local_window_size=2,
    )


@case("vit-pytorch", stand_ins=("torchvision",))
def vit_region() -> Any:
    from vit_pytorch.regionvit import RegionViT

    return RegionViT(dim=(8, 16, 16, 32), depth=(1, 1, 1, 1), window_size=4, num_classes=10)


@case("vit-pytorch", stand_ins=("torchvision",))
def vit_nest() -> Any:
    from vit_pytorch.nest import NesT

    return NesT(
        image_size=32, patch_size=4, dim=16, heads=2, num_hierarchies=2, block_repeats=(1, 1), num_classes=10
    )


@case("vit-pytorch", stand_ins=("torchvision",))
def vit_parallel() -> Any:
    from vit_pytorch.parallel_vit import ViT

    return ViT(image_size=32, patch_size=8, num_classes=10, dim=32, depth=2, heads=4, mlp_dim=64, dim_head=8)


@case("vit-pytorch", stand_ins=("torchvision",))
def vit_xcit() -> Any:
    from vit_pytorch.xcit import XCiT

    return XCiT(
        image_size=32,
        patch_size=8,
        num_classes=10,
        dim=32,
        depth=2,
        cls_depth=1,
        heads=4,
        mlp_dim=64,
        dim_head=8,
    )


@case("x-clip", stand_ins=("torchvision",))
def x_clip_text() -> Any:
    from x_clip.x_clip import TextTransformer

    return TextTransformer(dim=32, depth=2, num_tokens=64, max_seq_len=32, heads=4, dim_head=8)


@case("x-clip", stand_ins=("torchvision",))
def x_clip_vision() -> Any:
    from x_clip.x_clip import VisionTransformer

    return VisionTransformer(dim=32, depth=2, image_size=32, patch_size=8, channels=3, heads=4, dim_head=8)


@case("denoising-diffusion-pytorch", stand_ins=("torchvision", "pytorch_fid"))
def denoising_unet() -> Any:
    from denoising_diffusion_pytorch import Unet

    return Unet(dim=16, dim_mults=(1, 2), attn_heads=2, attn_dim_head=8)


@case("denoising-diffusion-pytorch", stand_ins=("torchvision", "pytorch_fid"))
def gaussian_diffusion() -> Any:
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    return GaussianDiffusion(
        Unet(dim=16, dim_mults=(1, 2), attn_heads=2, attn_dim_head=8), image_size=16, timesteps=20
    )


@case("soft-moe", stand_ins=("torchvision",))
def soft_moe_vit() -> Any:
    from soft_moe import SoftMoEVisionTransformer

    return SoftMoEVisionTransformer(
        num_experts=4, slots_per_expert=1, moe_layer_index=1, img_size=32, patch_size=8, num_classes=10, embed_dim=32,
        depth=2, num_heads=4,
    )  # fmt: skip


@case("resnest", stand_ins=("torchvision", "mxnet"))
def resnest() -> Any:
    from resnest.torch.resnet import Bottleneck, ResNet

    return ResNet(
        Bottleneck, [1, 1, 1, 1], radix=2, groups=1, bottleneck_width=64, deep_stem=True, stem_width=8, avg_down=True,
        num_classes=10,
    )  # fmt: skip


@case("unet")
def fepegar_unet() -> Any:
    from unet import UNet2D

    return UNet2D(
        in_channels=1,
        out_classes=2,
        num_encoding_blocks=3,
        out_channels_first_layer=4,
        normalization="batch",
        padding=1,
    )


@case("unet")
def fepegar_unet_3d() -> Any:
    from unet import UNet3D

    return UNet3D(out_channels_first_layer=4, num_encoding_blocks=3, padding=1)


@case("convnext-unet", stand_ins=("torchvision",))
def convnext_encoder() -> Any:
    from convnext_unet.encoder import ConvNeXt

    return ConvNeXt(depths=[1, 1, 1, 1], dims=[8, 16, 16, 32])


@case("slot-attention-pytorch", stand_ins=("hydra",))
def slot_attention_encoder() -> Any:
    from slot_attention_pytorch.encoder_decoder import Encoder

    return Encoder(32, 32, channels=(8, 8, 8, 8))


@case("pytorchcv")
def pytorchcv_resnet() -> Any:
    from pytorchcv.models.common.model_store import get_model_file  # noqa: F401
    from pytorchcv.models.resnet import ResNet

    return ResNet(
        channels=[[8], [16], [32]],
        init_block_channels=8,
        bottleneck=False,
        conv1_stride=False,
        num_classes=10,
    )


@case("pytorchcv")
def pytorchcv_mobilenet() -> Any:
    from pytorchcv.models.mobilenetv2 import get_mobilenetv2

    return get_mobilenetv2(width_scale=0.25, num_classes=10)


@case("pytorchcv")
def pytorchcv_shufflenet() -> Any:
    from pytorchcv.models.shufflenetv2 import get_shufflenetv2

    return get_shufflenetv2(width_scale=12.0 / 29.0, num_classes=10)


@case("segment-anything", stand_ins=("torchvision",))
def sam_encoder() -> Any:
    from segment_anything.modeling.image_encoder import ImageEncoderViT

    return ImageEncoderViT(
        img_size=64,
        patch_size=16,
        embed_dim=32,
        depth=2,
        num_heads=4,
        out_chans=16,
        window_size=2,
        use_rel_pos=True,
    )


@case("kornia", stand_ins=("kornia_rs",))
def kornia_hardnet() -> Any:
    from kornia.feature import HardNet

    return HardNet(pretrained=False)


@case("kornia", stand_ins=("kornia_rs",))
def kornia_sosnet() -> Any:
    from kornia.feature import SOSNet

    return SOSNet(pretrained=False)
