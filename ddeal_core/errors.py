"""What can go wrong, as one tree.

    DdealError                  anything this library raises on purpose
    ├── InputError              the caller can mend it: bad file, bad value
    │   ├── ConfigError         a configuration that contradicts itself
    │   ├── DatasetError        a dataset folder without what its layout asks for
    │   ├── ManifestError       a manifest that is missing, damaged or not to be trusted
    │   ├── MaskError           a mask of the wrong kind, size or ids
    │   ├── MediaError          a video or an image that cannot be read
    │   └── WeightsError        a checkpoint that is damaged, unsafe or does not fit
    ├── OutputError             results cannot be written (full disk, codec missing, ...)
    └── StoppedError                 the caller asked for an end

Every message is one line that says what is wrong. Where one argument of the caller lifts the
refusal, `remedy` names it; whoever shows the error says how that argument is given.
"""

from typing import Literal

Remedy = Literal["convert", "max_pixels", "numbered_from", "overwrite", "resume"]


class DdealError(Exception):
    """Base of every error that this library raises on purpose.

    Args:
        message: One line, or an error whose line and remedy this one has.
        remedy: As the attribute.

    Attributes:
        remedy: What lifts the refusal: the argument of that name, or "convert", the conversion of
            the authors' weights; None where nothing does but other input.
    """

    def __init__(self, message: object = "", *, remedy: Remedy | None = None) -> None:
        super().__init__(str(message))
        self.remedy: Remedy | None = message.remedy if isinstance(message, DdealError) else remedy


class InputError(DdealError):
    """The input is at fault and the caller can mend it."""


class ConfigError(InputError):
    """A configuration has an unknown or contradictory value."""


class DatasetError(InputError):
    """A dataset folder lacks what its layout asks for."""


class ManifestError(InputError):
    """A manifest is missing, damaged, or names what is not its output's."""


class MaskError(InputError):
    """A mask has the wrong kind, size or object ids."""


class MediaError(InputError):
    """A video or an image cannot be read."""


class WeightsError(InputError):
    """A checkpoint is damaged, unsafe, or does not fit the network."""


class OutputError(DdealError):
    """Results cannot be written."""


class StoppedError(DdealError):
    """The caller asked for an end before the work was done."""
