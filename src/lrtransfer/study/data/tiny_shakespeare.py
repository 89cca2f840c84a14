"""Tiny Shakespeare (Karpathy, 2015): 1.1 million characters of plays.

The official file has sha256
86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed.
"""

from __future__ import annotations

from functools import partial

from lrtransfer.study.data.text_file import TextFile

DATASET = partial(
    TextFile,
    url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
)
