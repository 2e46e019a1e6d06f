"""Words that a shell completes; asked for by Tab alone, so that they may take their time."""


def complete_presets(incomplete: str) -> list[str]:
    """Presets of the network."""
    from ddeal_core.network import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]


def complete_recipes(incomplete: str) -> list[str]:
    """Recipes that come with the package; files are the shell's to complete."""
    from ddeal_core.training import RECIPES

    return [name for name in (*RECIPES, "first-mask") if name.startswith(incomplete)]
