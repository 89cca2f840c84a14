"""WikiText-2 (Merity et al., 2016): articles of Wikipedia, 2 million words, 4 MB packed.

The official archive has sha256
92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c.
"""

from __future__ import annotations

from functools import partial

from lrtransfer.study.data.wikitext import WikiText

DATASET = partial(WikiText, url="https://wikitext.smerity.com/wikitext-2-v1.zip")
