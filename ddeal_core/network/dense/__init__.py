"""Beyond the paper: matching at stride 8, with a memory; off in the paper's presets."""
