"""The project's own errors: each message says what, where, and what to do.

::

    VanwatchError
    ├── InputError        the user gave something wrong; nothing was changed (exit code 2)
    │   ├── ConfigError       a profile, AOI, catalogue list or model card
    │   ├── RasterError       a raster handed to `detect`
    │   └── ModelError        a model card or its weights
    └── PartError         some part failed; the rest is delivered (exit code 1)
        ├── CatalogError      a catalogue did not answer or answered nonsense
        ├── SceneError        a scene cannot be used and says why
        ├── ReadError         pixels could not be read after all retries
        ├── WriteError        a result or the state could not be written
        ├── StateError        what an earlier night left cannot be used
        │   └── DamagedError      it is there, can be reached, and is broken
        └── WorkerError       this machine could not start its workers

Anything else that is raised is a bug and shows its traceback.
"""


class VanwatchError(Exception):
    """Base of all errors that this project raises on purpose."""


class InputError(VanwatchError):
    """The user gave something wrong; nothing was changed."""


class ConfigError(InputError):
    """A profile, an AOI, a catalogue list or a model card is wrong."""


class RasterError(InputError):
    """A raster handed to `vanwatch detect` is wrong."""


class ModelError(InputError):
    """A model card or its weights cannot be used."""


class PartError(VanwatchError):
    """Some part of a night failed; the rest is delivered."""


class CatalogError(PartError):
    """A catalogue did not answer, or answered nonsense."""


class SceneError(PartError):
    """A scene cannot be used, and the message says why."""


class ReadError(PartError):
    """Pixels could not be read after all retries."""


class WriteError(PartError):
    """A result or the state could not be written."""


class StateError(PartError):
    """What an earlier night left on disk cannot be used."""


class DamagedError(StateError):
    """What an earlier night left is there, can be reached, and is broken."""


class WorkerError(PartError):
    """Processes for the work of a night could not be started on this machine."""
