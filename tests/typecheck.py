"""The run-time type check of the tests: beartype, which takes an integer where a float is meant, as Python does."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
