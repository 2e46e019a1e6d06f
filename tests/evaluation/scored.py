"""A folder of results scored for a dataset in one call."""

from ddeal_core.evaluation import find_sequences, plan_all, score_plans
from ddeal_core.evaluation.categories import SEEN_CATEGORIES


def plan_dataset(dataset, *, protocol="davis2017", seen=SEEN_CATEGORIES, **chosen):
    return plan_all(
        find_sequences(dataset, protocol=protocol, **chosen), protocol=protocol, seen=seen
    )


def score_results(dataset, results, *, image_set=None, workers=1, progress=None, **options):
    plans = plan_dataset(dataset, image_set=image_set, **options)
    return score_plans(
        plans, results, image_set=image_set or "all", workers=workers, progress=progress
    )
