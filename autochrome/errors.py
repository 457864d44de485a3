"""Every exception that Autochrome raises on purpose, in one tree.

    AutochromeError
    ├── InputError              something a person gave cannot be used
    │   ├── PictureError        a file or buffer is not a picture that we read
    │   │   └── PictureTooLargeError   it has more pixels than the limit, seen before decoding
    │   ├── SettingError        a setting is unknown, out of range or not for this model
    │   ├── CatalogError        no such model, or its row in models.yaml is wrong
    │   └── DataError           a folder, archive, dataset or recipe is not what it should be
    ├── ModelError              weights are missing, damaged or of another architecture
    ├── UnavailableError        an optional extra, device or network is needed and is not here
    └── Cancelled               nobody wants the result any more; a progress or a preview raises it to stop a run

Messages say what came, what is allowed and what to do. Whatever is not in this tree is a bug of ours.
"""


class AutochromeError(Exception):
    """Base of everything that Autochrome raises on purpose."""


class InputError(AutochromeError, ValueError):
    """Something that a person gave cannot be used."""


class PictureError(InputError):
    """A file or buffer is not a picture that we can read."""


class PictureTooLargeError(PictureError):
    """The picture has more pixels than the limit; raised before its pixels are decoded."""


class SettingError(InputError):
    """A setting is unknown, out of range, or of no use to the chosen model."""


class CatalogError(InputError):
    """No such model in the catalog, or a row of the catalog is wrong."""


class DataError(InputError):
    """A folder, archive, dataset or recipe is not what it should be."""


class ModelError(AutochromeError):
    """Weights are missing, damaged or belong to another architecture."""


class UnavailableError(AutochromeError):
    """An optional extra, a device or the network is needed for this and is not here."""


class Cancelled(AutochromeError):  # noqa: N818  # it is no error: somebody asked for it
    """Nobody wants the result any more; a progress or a preview raises it to stop a run between two steps."""
