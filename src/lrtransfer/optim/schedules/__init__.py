"""Enter by `constant.constant`: step and length of the run -> factor on the peak learning rate."""
