import ddeal_core.evaluation as evaluation


def test_all_is_sorted_and_true() -> None:
    assert evaluation.__all__ == sorted(evaluation.__all__)
    assert all(hasattr(evaluation, name) for name in evaluation.__all__)
