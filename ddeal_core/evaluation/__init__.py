"""Scores that are the official ones: J, F and their statistics, DAVIS rules, and baselines.

- `measures`: J and F of two masks
- `scores`: what they sum up to, by object, sequence and dataset
- `protocols`: the rules of each protocol; `plan`: which objects and frames count by them
- `sources`: sequences of a dataset, or of any folders
- `scoring`: results scored as planned; `results` looks their folders over
- `tables`: the official CSV files and a JSON; `submission`: the zip for a server
- `ablation`: scores beside the paper's Table V; `report`: pages to look at
- `methods`: a network or a baseline run on a dataset; `baselines`: copying the first mask,
  carrying it along optical flow
"""

from ddeal_core.choices import Protocol
from ddeal_core.evaluation.baselines import carry_along_flow, copy_first_mask
from ddeal_core.evaluation.categories import read_seen
from ddeal_core.evaluation.measures import contour_accuracy, jaccard
from ddeal_core.evaluation.plan import (
    GivenMask,
    SequencePlan,
    given_masks,
    only_first_masks,
    plan_sequence,
)
from ddeal_core.evaluation.scores import (
    DatasetScore,
    ObjectScore,
    SequenceScore,
    Statistics,
    summarize,
)
from ddeal_core.evaluation.scoring import score_plans, score_predictions
from ddeal_core.evaluation.sources import find_sequences, pair_sequences, plan_all
from ddeal_core.evaluation.submission import submission_frames, write_submission
from ddeal_core.evaluation.tables import global_table, sequence_table, write_tables

__all__ = [
    "DatasetScore",
    "GivenMask",
    "ObjectScore",
    "Protocol",
    "SequencePlan",
    "SequenceScore",
    "Statistics",
    "carry_along_flow",
    "contour_accuracy",
    "copy_first_mask",
    "find_sequences",
    "given_masks",
    "global_table",
    "jaccard",
    "only_first_masks",
    "pair_sequences",
    "plan_all",
    "plan_sequence",
    "read_seen",
    "score_plans",
    "score_predictions",
    "sequence_table",
    "submission_frames",
    "summarize",
    "write_submission",
    "write_tables",
]
