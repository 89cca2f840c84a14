"""Enter by `edge_of_stability.simulate`: closed forms and exact simulators of training. No torch.

One file per model, all in NumPy float64: the two-layer linear network, the edge of stability,
weight decay, alignment; `steady_state` judges whether a run is long enough to show them.
"""
