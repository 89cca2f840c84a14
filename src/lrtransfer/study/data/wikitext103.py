"""WikiText-103 (Merity et al., 2016): articles of Wikipedia, 103 million words, 181 MB packed.

The official archive has sha256
242ba0f20b329cfdf1ccc61e9e9e5b59becf189db7f7a81cd2a0e2fc31539590.
"""

from __future__ import annotations

from functools import partial

from lrtransfer.study.data.wikitext import WikiText

DATASET = partial(WikiText, url="https://wikitext.smerity.com/wikitext-103-v1.zip")
