"""From labels to pictures: edges, cut-outs, composites, backgrounds."""
