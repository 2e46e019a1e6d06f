"""A clip of a few seconds, made from nothing, to try the tool on."""

from ddeal_core.datasets.sample.story import FISH, TURTLE, sample_clip

__all__ = ["FISH", "TURTLE", "sample_clip"]
