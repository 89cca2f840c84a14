"""What each tensor of a family is, written down by hand; nothing here is read off the package.

A row is a regular expression for a parameter's name (N any number), its role, its fan-in, and what
else is true of it: `queries`, that the attention logits' multiplier is in it; `final`, that the
multiplier of a tied readout is; `kept`, that its initial values stay; `undecayed`. Letters are
sizes: D the width, F the inner size of a feed-forward layer, I that of an expert, V the vocabulary.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .nets import Shape

_LLAMA = """
model.embed_tokens.weight                                  embedding    1
model.layers.N.(input|post_attention)_layernorm.weight     norm_gain    1
model.layers.N.self_attn.[kv]_proj.weight                  hidden       D
model.layers.N.self_attn.o_proj.weight                     hidden       D
model.norm.weight                                          norm_gain    1    final
lm_head.weight                                             output       D
"""
_QUERIES = """
model.layers.N.self_attn.q_proj.weight                     hidden       D    queries
"""
_NORMED_QUERIES = """
model.layers.N.self_attn.q_proj.weight                     hidden       D
model.layers.N.self_attn.q_norm.weight                     norm_gain    1    queries
model.layers.N.self_attn.k_norm.weight                     norm_gain    1
"""
_DENSE = """
model.layers.N.mlp.(gate|up)_proj.weight                   hidden       D
model.layers.N.mlp.down_proj.weight                        hidden       F
"""
_EXPERTS = """
model.layers.N.mlp.gate.weight                             output       D
model.layers.N.mlp.experts.gate_up_proj                    hidden       D
"""

TABLES = {
    "GPT2": """
transformer.wte.weight                                     embedding    1
transformer.wpe.weight                                     positional   1
transformer.h.N.ln_[12].weight                             norm_gain    1
transformer.h.N.ln_[12].bias                               bias         1
transformer.h.N.attn.c_(attn|proj).weight                  hidden       D
transformer.h.N.attn.c_(attn|proj).bias                    bias         1
transformer.h.N.mlp.c_fc.weight                            hidden       D
transformer.h.N.mlp.c_proj.weight                          hidden       F
transformer.h.N.mlp.c_(fc|proj).bias                       bias         1
transformer.ln_f.weight                                    norm_gain    1    final
transformer.ln_f.bias                                      bias         1    final
lm_head.weight                                             output       D
""",
    "Llama": _LLAMA + _QUERIES + _DENSE,
    "Qwen3": _LLAMA + _NORMED_QUERIES + _DENSE,
    "GPTNeoX": """
gpt_neox.embed_in.weight                                   embedding    1
gpt_neox.layers.N.(input|post_attention)_layernorm.weight  norm_gain    1
gpt_neox.layers.N.(input|post_attention)_layernorm.bias    bias         1
gpt_neox.layers.N.attention.(query_key_value|dense).weight hidden       D
gpt_neox.layers.N.attention.(query_key_value|dense).bias   bias         1
gpt_neox.layers.N.mlp.dense_h_to_4h.weight                 hidden       D
gpt_neox.layers.N.mlp.dense_4h_to_h.weight                 hidden       F
gpt_neox.layers.N.mlp.dense_(h_to_4h|4h_to_h).bias         bias         1
gpt_neox.final_layer_norm.weight                           norm_gain    1    final
gpt_neox.final_layer_norm.bias                             bias         1    final
lm_head.weight                                             output       D
""",
    "Mixtral": _LLAMA
    + _QUERIES
    + _EXPERTS
    + """
model.layers.N.mlp.experts.down_proj                       hidden       F
""",
    "Qwen2Moe": _LLAMA
    + _QUERIES
    + _EXPERTS
    + """
model.layers.N.self_attn.q_proj.bias                       bias         1    queries
model.layers.N.self_attn.[kv]_proj.bias                    bias         1
model.layers.N.mlp.experts.down_proj                       hidden       I
model.layers.N.mlp.shared_expert.(gate|up)_proj.weight     hidden       D
model.layers.N.mlp.shared_expert.down_proj.weight          hidden       I
model.layers.N.mlp.shared_expert_gate.weight               output       D
""",
    "Qwen3Moe": _LLAMA
    + _NORMED_QUERIES
    + _EXPERTS
    + """
model.layers.N.mlp.experts.down_proj                       hidden       I
""",
    "GptOss": _LLAMA
    + _QUERIES
    + """
model.layers.N.self_attn.q_proj.bias                       bias         1    queries
model.layers.N.self_attn.[kvo]_proj.bias                   bias         1
model.layers.N.self_attn.sinks                             scalar_bias  1
model.layers.N.mlp.router.weight                           output       D
model.layers.N.mlp.router.bias                             scalar_bias  1
model.layers.N.mlp.experts.gate_up_proj                    hidden       D
model.layers.N.mlp.experts.down_proj                       hidden       F
model.layers.N.mlp.experts.(gate_up|down)_proj_bias        bias         1
""",
    "Mamba": """
backbone.embeddings.weight                                 embedding    1
backbone.layers.N.norm.weight                              norm_gain    1
backbone.layers.N.mixer.(A_log|D)                          norm_gain    1    kept
backbone.layers.N.mixer.conv1d.weight                      input        4    undecayed
backbone.layers.N.mixer.conv1d.bias                        bias         1
backbone.layers.N.mixer.in_proj.weight                     hidden       D
backbone.layers.N.mixer.x_proj.weight                      hidden       2*D
backbone.layers.N.mixer.dt_proj.weight                     hidden       D//16
backbone.layers.N.mixer.dt_proj.bias                       bias         1    kept
backbone.layers.N.mixer.out_proj.weight                    hidden       2*D
backbone.norm_f.weight                                     norm_gain    1    final
lm_head.weight                                             output       D
""",
    "Mamba2": """
backbone.embeddings.weight                                 embedding    1
backbone.layers.N.norm.weight                              norm_gain    1
backbone.layers.N.mixer.(A_log|D)                          norm_gain    1    kept
backbone.layers.N.mixer.dt_bias                            bias         1    kept
backbone.layers.N.mixer.conv1d.weight                      input        4    undecayed
backbone.layers.N.mixer.conv1d.bias                        bias         1
backbone.layers.N.mixer.in_proj.weight                     hidden       D
backbone.layers.N.mixer.norm.weight                        norm_gain    1
backbone.layers.N.mixer.out_proj.weight                    hidden       2*D
backbone.norm_f.weight                                     norm_gain    1    final
lm_head.weight                                             output       D
""",
    "Bert": """
bert.embeddings.(word|token_type)_embeddings.weight        embedding    1
bert.embeddings.position_embeddings.weight                 positional   1
bert.embeddings.LayerNorm.weight                           norm_gain    1
bert.embeddings.LayerNorm.bias                             bias         1
bert.encoder.layer.N.attention.self.query.weight           hidden       D    queries
bert.encoder.layer.N.attention.self.query.bias             bias         1    queries
bert.encoder.layer.N.attention.self.(key|value).weight     hidden       D
bert.encoder.layer.N.attention.self.(key|value).bias       bias         1
bert.encoder.layer.N.attention.output.dense.weight         hidden       D
bert.encoder.layer.N.attention.output.dense.bias           bias         1
bert.encoder.layer.N.intermediate.dense.weight             hidden       D
bert.encoder.layer.N.intermediate.dense.bias               bias         1
bert.encoder.layer.N.output.dense.weight                   hidden       F
bert.encoder.layer.N.output.dense.bias                     bias         1
bert.encoder.layer.N.(attention.)?output.LayerNorm.weight  norm_gain    1
bert.encoder.layer.N.(attention.)?output.LayerNorm.bias    bias         1
cls.predictions.transform.dense.weight                     hidden       D
cls.predictions.transform.dense.bias                       bias         1
cls.predictions.transform.LayerNorm.weight                 norm_gain    1    final
cls.predictions.transform.LayerNorm.bias                   bias         1    final
cls.predictions.decoder.weight                             output       D
cls.predictions.(decoder.)?bias                            scalar_bias  1
""",
    "ViT": """
vit.embeddings.(cls_token|position_embeddings)             positional   1
vit.embeddings.patch_embeddings.projection.weight          input        3*4*4
vit.embeddings.patch_embeddings.projection.bias            bias         1
vit.layers.N.attention.q_proj.weight                       hidden       D    queries
vit.layers.N.attention.q_proj.bias                         bias         1    queries
vit.layers.N.attention.[kvo]_proj.weight                   hidden       D
vit.layers.N.attention.[kvo]_proj.bias                     bias         1
vit.layers.N.mlp.fc1.weight                                hidden       D
vit.layers.N.mlp.fc2.weight                                hidden       F
vit.layers.N.mlp.fc[12].bias                               bias         1
vit.(layers.N.layernorm_before|layers.N.layernorm_after|layernorm).weight  norm_gain  1
vit.(layers.N.layernorm_before|layers.N.layernorm_after|layernorm).bias    bias       1
classifier.weight                                          output       D
classifier.bias                                            scalar_bias  1
""",
    "ResNet": """
resnet.embedder.embedder.convolution.weight                              input      3*49
resnet.(.*).normalization.weight                                         norm_gain  1
resnet.(.*).normalization.bias                                           bias       1
resnet.encoder.stages.0.layers.N.layer.N.convolution.weight              hidden     9*D
resnet.encoder.stages.1.layers.0.layer.0.convolution.weight              hidden     9*D
resnet.encoder.stages.1.layers.0.layer.1.convolution.weight              hidden     18*D
resnet.encoder.stages.1.layers.0.shortcut.convolution.weight             hidden     D
classifier.1.weight                                                      output     2*D
classifier.1.bias                                                        scalar_bias  1
""",
    "torchvision": """
conv1.weight                                               input        3*49
(.*)(bn1|bn2|downsample.1).weight                          norm_gain    1
(.*)(bn1|bn2|downsample.1).bias                            bias         1
layer1.N.conv[12].weight                                   hidden       9*D
layer2.0.conv1.weight                                      hidden       9*D
layer2.0.conv2.weight                                      hidden       18*D
layer2.[1-9].conv[12].weight                               hidden       18*D
layer2.0.downsample.0.weight                               hidden       D
fc.weight                                                  output       2*D
fc.bias                                                    scalar_bias  1
""",
    "torch": """
embed.weight                                               input        3
embed.bias                                                 bias         1
transformer.(.*)attn.in_proj_weight                        hidden       D
transformer.(.*)attn.in_proj_bias                          bias         1
transformer.(.*)attn.out_proj.weight                       hidden       D
transformer.(.*)attn.out_proj.bias                         bias         1
transformer.(.*).linear1.weight                            hidden       D
transformer.(.*).linear2.weight                            hidden       F
transformer.(.*).linear[12].bias                           bias         1
transformer.(.*).norm[123]?.weight                         norm_gain    1
transformer.(.*).norm[123]?.bias                           bias         1
readout.weight                                             output       D
readout.bias                                               scalar_bias  1
""",
}
# A bottleneck layer: one by one, three by three, one by one; a quarter of the channels inside.
TABLES["ResNet, swapped"] = """
resnet.embedder.embedder.convolution.weight                              input      3*49
resnet.(.*).normalization.weight                                         norm_gain  1
resnet.(.*).normalization.bias                                           bias       1
resnet.encoder.stages.0.layers.N.layer.0.convolution.weight              hidden     D
resnet.encoder.stages.0.layers.N.layer.1.convolution.weight              hidden     9*D//4
resnet.encoder.stages.0.layers.N.layer.2.convolution.weight              hidden     D//4
resnet.encoder.stages.1.layers.0.layer.0.convolution.weight              hidden     D
resnet.encoder.stages.1.layers.[1-9].layer.0.convolution.weight          hidden     2*D
resnet.encoder.stages.1.layers.N.layer.1.convolution.weight              hidden     9*D//2
resnet.encoder.stages.1.layers.N.layer.2.convolution.weight              hidden     D//2
resnet.encoder.stages.1.layers.0.shortcut.convolution.weight             hidden     D
classifier.1.weight                                                      output     2*D
classifier.1.bias                                                        scalar_bias  1
"""


class Row(NamedTuple):
    """A line of a table."""

    name: str
    role: str
    fan_in: int
    marks: set[str]


def rows(family: str, shape: Shape, width: int) -> list[Row]:
    """Return the table of a family."""
    own = f"{family}, swapped" if shape.swapped and f"{family}, swapped" in TABLES else family
    sizes = {"D": width, "F": shape.feed_forward * width, "I": shape.feed_forward * width // 2}
    found = []
    for line in TABLES[own].strip().splitlines():
        if not line:
            continue
        name, role, fan_in, *marks = line.split()
        pattern = name.replace(".N.", r".\d+.").replace("(.*)", r"[\w.]*")
        found.append(Row(pattern, role, eval(fan_in, sizes), set(marks)))
    return found


def row_of(name: str, table: list[Row]) -> Row:
    """Return the one row that a parameter has."""
    fitting = [row for row in table if re.fullmatch(row.name, name)]
    assert len(fitting) == 1, (name, fitting)
    return fitting[0]
