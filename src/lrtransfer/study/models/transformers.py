"""Language models of Hugging Face's package `transformers`, which has to be installed for it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lrtransfer.study.models.residual_stream import count_blocks
from lrtransfer.study.models.tokens import check_tokens


class Transformers(nn.Module):
    """Any causal language model of the package, of random weights: tokens (n, T) -> logits.

    It is scaled from outside by `lrtransfer.parameterize`. Attention is the eager one, whose second
    derivatives exist; dropout is off.

    Args:
        in_features: Unused: tokens have no features.
        out_features: Size of the vocabulary.
        width: `hidden_size`.
        depth: Number of residual branches, two a block: even.
        architecture: The package's `model_type`, `gpt2` or `llama` say.
        block_size: Longest sequence, in tokens.
        head_size: Of an attention head; divides `width`.
        key_value_heads: Heads of keys and values; 0 is as many as queries have.
        mlp_ratio: `intermediate_size` over `width`.
        tied: Whether embedding and readout share a weight.

    Raises:
        ValueError: `depth` is odd, `head_size` does not divide `width`, the package knows no such
            architecture, or its configuration refuses a number.
    """

    def __init__(
        self,
        *,
        in_features: int,
        out_features: int,
        width: int,
        depth: int = 4,
        architecture: str = "gpt2",
        block_size: int = 64,
        head_size: int = 16,
        key_value_heads: int = 0,
        mlp_ratio: int = 4,
        tied: bool = False,
    ) -> None:
        super().__init__()
        import transformers

        if head_size < 1 or width % head_size:
            raise ValueError(f"head_size is {head_size}, which does not divide the width {width}.")
        heads = width // head_size
        self.block_size = block_size
        config: Any = transformers.AutoConfig.for_model(
            architecture,
            vocab_size=out_features,
            hidden_size=width,
            num_hidden_layers=count_blocks(depth),
            num_attention_heads=heads,
            num_key_value_heads=key_value_heads or heads,
            head_dim=head_size,
            intermediate_size=mlp_ratio * width,
            n_inner=mlp_ratio * width,
            max_position_embeddings=block_size,
            tie_word_embeddings=tied,
            use_cache=False,
        )
        for name in vars(config):
            if "drop" in name and isinstance(getattr(config, name), float):
                setattr(config, name, 0.0)
        self.network = transformers.AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, attn_implementation="eager"
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the next token, shape (n, T, vocabulary), for tokens (n, T).

        Raises:
            ValueError: The tokens are not int64 of shape (n, T), or T exceeds `block_size`.
        """
        check_tokens(tokens, self.block_size)
        logits: Tensor = self.network(tokens).logits
        return logits


MODEL = Transformers
