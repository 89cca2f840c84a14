"""Enter by `launch.train_together`: one run in several processes, each with a part of a batch."""
