"""Small networks of the families that `layouts.yaml` knows, by width, in two shapes each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import transformers
from torch import Tensor, nn

transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]

VOCABULARY = 24


class Shape(NamedTuple):
    """What two networks of a family and a width may differ in.

    Attributes:
        layers: Number of blocks; of ResNets, per stage.
        heads: Of the queries; keys and values have half as many where the family groups them.
        feed_forward: Size of a block's inner layer over the width.
        experts: Where there are any; two are active.
        swapped: Whether embedding and readout are tied where by default they are not, or are not
            where they are.
    """

    layers: int = 1
    heads: int = 4
    feed_forward: int = 2
    experts: int = 4
    swapped: bool = False


OTHER = Shape(layers=2, heads=2, feed_forward=3, experts=3, swapped=True)


class Family(NamedTuple):
    """How a family is built and called.

    Attributes:
        build: Width and shape -> an untrained network.
        inputs: What it is called with, by keyword.
        tied: Whether its readout is its embedding by default; None where it has no embedding.
    """

    build: Callable[[int, Shape], nn.Module]
    inputs: Callable[[], dict[str, Tensor]]
    tied: bool | None = None

    def ties(self, shape: Shape) -> bool:
        """Return whether readout and embedding are one tensor in a network of a shape."""
        return self.tied is not None and self.tied != shape.swapped

    def make(self, width: int, shape: Shape = Shape()) -> nn.Module:  # noqa: B008, immutable
        """Return a network without randomness in its passes."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.build(width, shape)


def tokens(samples: int = 2, length: int = 4) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    return {"input_ids": torch.randint(3, VOCABULARY, (samples, length), generator=random)}


def images(name: str = "pixel_values", size: int = 8) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(2)
    return {name: torch.randn(2, 3, size, size, generator=random)}


def pairs() -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(3)
    return {name: torch.randn(4, 2, 3, generator=random) for name in ("source", "target")}


def text(
    name: str, own: Callable[[int, Shape], Mapping[str, Any]], head: str = "ForCausalLM"
) -> Any:
    """Return the builder of a language model of transformers."""
    tied = name in {"GPT2", "Mamba", "Bert"}

    def build(width: int, shape: Shape) -> nn.Module:
        config = getattr(transformers, f"{name}Config")(
            vocab_size=VOCABULARY,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=None,
            hidden_size=width,
            num_hidden_layers=shape.layers,
            tie_word_embeddings=tied != shape.swapped,
            use_cache=False,
            **own(width, shape),
        )
        config._attn_implementation = config._experts_implementation = "eager"
        model: nn.Module = getattr(transformers, name + head)(config)
        return model

    return Family(build, tokens, tied)


def attention(width: int, shape: Shape) -> dict[str, Any]:
    return {
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.feed_forward * width,
        "max_position_embeddings": 8,
    }


def llama(**more: Callable[[int, Shape], Any]) -> Callable[[int, Shape], dict[str, Any]]:
    """Return the options of Llama's kin: grouped queries, and what depends on width and shape."""

    def own(width: int, shape: Shape) -> dict[str, Any]:
        grouped = {"num_key_value_heads": shape.heads // 2}
        return attention(width, shape) | grouped | {n: f(width, shape) for n, f in more.items()}

    return own


def no_dropout(own: Callable[[int, Shape], dict[str, Any]], *names: str) -> Any:
    return lambda width, shape: own(width, shape) | dict.fromkeys(names, 0.0)


def head_size(width: int, shape: Shape) -> int:
    return width // shape.heads


def experts(width: int, shape: Shape) -> int:
    return shape.experts


def expert_size(width: int, shape: Shape) -> int:
    return shape.feed_forward * width // 2


def two(width: int, shape: Shape) -> int:
    return 2


def normed(width: int, shape: Shape) -> bool:
    return True


def vit(width: int, shape: Shape) -> nn.Module:
    config = transformers.ViTConfig(
        hidden_size=width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.feed_forward * width,
        image_size=8,
        patch_size=4,
        num_labels=10,  # type: ignore[call-arg]
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    config._attn_implementation = "eager"
    return transformers.ViTForImageClassification(config)


def resnet(width: int, shape: Shape) -> nn.Module:
    config = transformers.ResNetConfig(
        embedding_size=width,
        hidden_sizes=[width, 2 * width],
        depths=[shape.layers, shape.layers],
        layer_type="bottleneck" if shape.swapped else "basic",
        num_labels=10,  # type: ignore[call-arg]
    )
    return transformers.ResNetForImageClassification(config)


class BasicBlock(nn.Module):
    """As torchvision has it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        outputs: Tensor = self.relu(out + (x if self.downsample is None else self.downsample(x)))
        return outputs


class ResNet(nn.Module):
    """As torchvision has it, with two stages."""

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        rest = range(shape.layers - 1)
        self.layer1 = nn.Sequential(*(BasicBlock(width, width, 1) for _ in range(shape.layers)))
        self.layer2 = nn.Sequential(
            BasicBlock(width, 2 * width, 2), *(BasicBlock(2 * width, 2 * width, 1) for _ in rest)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x)))))
        outputs: Tensor = self.fc(self.avgpool(x).flatten(1))
        return outputs


class Translator(nn.Module):
    """Torch's own `nn.Transformer` between a linear map in and one out."""

    def __init__(self, width: int, shape: Shape) -> None:
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.transformer = nn.Transformer(
            width,
            shape.heads,
            shape.layers,
            shape.layers,
            shape.feed_forward * width,
            dropout=0.0,
            norm_first=shape.swapped,
        )
        self.readout = nn.Linear(width, 5)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        hidden = self.transformer(self.embed(source), self.embed(target))
        outputs: Tensor = self.readout(hidden)
        return outputs


FAMILIES: Mapping[str, Family] = {
    "GPT2": text(
        "GPT2",
        no_dropout(
            lambda width, shape: {
                "n_head": shape.heads,
                "n_inner": shape.feed_forward * width,
                "n_positions": 8,
            },
            "resid_pdrop",
            "embd_pdrop",
            "attn_pdrop",
        ),
        "LMHeadModel",
    ),
    "Llama": text("Llama", llama()),
    "Qwen3": text("Qwen3", llama(head_dim=head_size)),
    "GPTNeoX": text("GPTNeoX", attention),
    "Mixtral": text("Mixtral", llama(num_local_experts=experts, num_experts_per_tok=two)),
    "Qwen2Moe": text(
        "Qwen2Moe",
        llama(
            num_experts=experts,
            num_experts_per_tok=two,
            moe_intermediate_size=expert_size,
            shared_expert_intermediate_size=expert_size,
        ),
    ),
    "Qwen3Moe": text(
        "Qwen3Moe",
        llama(
            num_experts=experts,
            num_experts_per_tok=two,
            moe_intermediate_size=expert_size,
            head_dim=head_size,
            norm_topk_prob=normed,
        ),
    ),
    "GptOss": text(
        "GptOss",
        llama(num_local_experts=experts, num_experts_per_tok=two, head_dim=head_size),
    ),
    "Mamba": text("Mamba", lambda width, shape: {"state_size": 8}),
    "Mamba2": text(
        "Mamba2",
        lambda width, shape: {
            "state_size": 8,
            "n_groups": 1,
            "head_dim": 8,
            "num_heads": width // 4,
            "chunk_size": 4,
        },
    ),
    "Bert": text(
        "Bert",
        no_dropout(attention, "hidden_dropout_prob", "attention_probs_dropout_prob"),
        "ForMaskedLM",
    ),
    "ViT": Family(vit, images),
    "ResNet": Family(resnet, lambda: images(size=16)),
    "torchvision": Family(ResNet, lambda: images("x")),
    "torch": Family(Translator, pairs),
}
