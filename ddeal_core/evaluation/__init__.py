"""Scores that are the official ones: J, F and their statistics, DAVIS rules, and baselines.

- `region`, `boundary`: J and F of two masks; `packed` counts for both of them, fast
- `statistics`, `scores`: what they sum up to, by object, sequence and dataset
- `davis`: which objects and frames count; `results` and `labels` read what is scored
- `tables`: the official CSV files and a JSON
- `baselines`: copying the first mask, carrying it along optical flow
"""

from ddeal_core.evaluation.baselines import carry_along_flow, copy_first_mask
from ddeal_core.evaluation.boundary import boundary_radius, contour_accuracy
from ddeal_core.evaluation.davis import (
    Protocol,
    SequencePlan,
    plan_dataset,
    plan_sequence,
    score_predictions,
    score_results,
)
from ddeal_core.evaluation.region import contingency_table, jaccard, jaccard_from_table
from ddeal_core.evaluation.scores import DatasetScore, ObjectScore, SequenceScore
from ddeal_core.evaluation.statistics import Statistics, summarize
from ddeal_core.evaluation.tables import global_table, sequence_table, write_tables

__all__ = [
    "DatasetScore",
    "ObjectScore",
    "Protocol",
    "SequencePlan",
    "SequenceScore",
    "Statistics",
    "boundary_radius",
    "carry_along_flow",
    "contingency_table",
    "contour_accuracy",
    "copy_first_mask",
    "global_table",
    "jaccard",
    "jaccard_from_table",
    "plan_dataset",
    "plan_sequence",
    "score_predictions",
    "score_results",
    "sequence_table",
    "summarize",
    "write_tables",
]
