from functools import partial

import pytest


@pytest.fixture(scope="session")
def make_network(make_network):
    """As everywhere, on the smallest backbone: nothing that is tested here depends on which."""
    return partial(make_network, backbone="resnet18")
