import numpy as np
import pandas as pd
import pytest

from lrtransfer.study.evidence.pooled import means_over_seeds
from lrtransfer.transfer.intervals import mean_interval
from lrtransfer.transfer.size import POOLED


def test_the_pooled_interval_is_over_each_seeds_mean_over_sizes():
    values = pd.DataFrame({8: [1.0, 2.0, np.nan], 16: [3.0, 6.0, 5.0]})
    rows = {size: (mean, seeds) for size, mean, seeds in means_over_seeds(values, 0.95)}
    assert list(rows) == [8, 16, POOLED]
    assert rows[8] == (pytest.approx(mean_interval([1, 2], 0.95)), 2)
    assert rows[POOLED] == (pytest.approx(mean_interval([2, 4, 5], 0.95)), 3)
