"""Every loss as its paper writes it: plain loops over float64 numbers, sharing nothing with the library.

An oracle maps (z, y, parameters) to a number; z is a list of rows. It is the definition that the library is held to. A
module here, one a family, has `ORACLES` (by the loss's text) and may have `VARIANTS` (texts that the contract tests run
over besides), `CONTINUOUS` (texts that read real-valued labels) `LABEL_FREE` (texts that read none) and
`STEPWISE` (texts whose value moves in steps, by a gradient that is not its derivative).
"""

import importlib
import pkgutil

MODULES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
ORACLES = {text: oracle for module in MODULES for text, oracle in module.ORACLES.items()}
VARIANTS = tuple(text for module in MODULES for text in getattr(module, "VARIANTS", ()))
CONTINUOUS = {text for module in MODULES for text in getattr(module, "CONTINUOUS", ())}
LABEL_FREE = {text for module in MODULES for text in getattr(module, "LABEL_FREE", ())}
STEPWISE = {text for module in MODULES for text in getattr(module, "STEPWISE", ())}
