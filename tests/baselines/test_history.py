import numpy as np
from baseline_worlds import binary, random_world, weighted

from shortlist.baselines.history import touched, touched_weights


def test_histories_hold_each_pair_once_and_weights_add_up() -> None:
    world = random_world()
    assert np.array_equal(touched(world).toarray(), binary(world))
    assert np.array_equal(touched_weights(world).toarray(), weighted(world))
    assert touched(world).nnz == touched_weights(world).nnz < world.num_events
