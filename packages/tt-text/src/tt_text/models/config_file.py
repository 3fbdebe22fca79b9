"""config.json of a Hugging Face folder: read with bounds, asked field by field, and written.

A field that would change what the model computes, and that the models here do not have, is refused by its name: a
model that loads without complaint and computes something else would be worse than one that does not load.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from tt_text.errors import ConfigError, PretrainedError

__all__ = ["ConfigFile", "read_object"]

LIMIT = 1 << 24
"""Bytes that a configuration or an index of shards may have; the largest that are known have a tenth of it."""


def read_object(path: Path, what: str, error: type[ConfigError] | type[PretrainedError]) -> dict[str, Any]:
    """The JSON object in a file. Raises `error` that says what is wrong with it: missing, too large, no JSON object."""
    if not path.is_file():
        raise error(
            f"{path} {'is a folder, not a file' if path.is_dir() else 'does not exist'}; it is {what}"
        )
    try:
        with open(path, "rb") as file:
            # What is asked for is allocated, so not more than there is.
            data = file.read(min(os.fstat(file.fileno()).st_size, LIMIT) + 1)
        if len(data) > LIMIT:
            raise error(f"{path} has more than {LIMIT:,} bytes, too many for {what}")
        found = json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        if isinstance(fault, error):
            raise
        raise error(f"{path} cannot be read as JSON, and it is {what}: {fault}") from fault
    if not isinstance(found, dict):
        raise error(f"{path} holds {type(found).__name__}, not an object with fields; it is {what}")
    return found


class ConfigFile:
    """The fields of a config.json, null counting as absent.

    Args:
        folder: where config.json is.

    Raises ConfigError if it is missing, too large, or no JSON object.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.path = Path(folder) / "config.json"
        if not Path(folder).is_dir():
            what = "is a file" if Path(folder).exists() else "does not exist"
            raise PretrainedError(
                f"{folder} {what}; from_pretrained reads a folder on this machine, with config.json and "
                "model.safetensors in it, and fetches nothing"
            )
        self.fields = read_object(self.path, "the model's configuration", ConfigError)

    def get(self, name: str, default: Any = None) -> Any:
        """The field, or `default` where it is absent or null."""
        value = self.fields.get(name)
        return default if value is None else value

    def need(self, name: str) -> Any:
        """The field. Raises ConfigError where it is absent or null."""
        value = self.fields.get(name)
        if value is None:
            raise ConfigError(
                f"{self.path} has no field {name!r}, without which the model's shape is not known"
            )
        return value

    def kind(self, known: Mapping[str, str]) -> str:
        """model_type, which must be one of `known` (model_type → name of its class, as in "architectures").

        Raises ConfigError that names what it is otherwise.
        """
        named, classes = self.get("model_type"), self.get("architectures", [])
        if named is None and isinstance(classes, list):
            named = next((kind for kind, name in known.items() if name in classes), classes or None)
        if not isinstance(named, str) or named not in known:
            raise ConfigError(
                f"{self.path}: model_type is {named!r}; this class loads {' and '.join(map(repr, known))}"
            )
        return named

    def only(self, name: str, *allowed: Any) -> None:
        """The field must be absent, null, or one of `allowed`. Raises ConfigError that names it otherwise."""
        value = self.get(name)
        if value is not None and not any(value == one and type(value) is type(one) for one in allowed):
            wanted = " or ".join(json.dumps(one) for one in allowed) if allowed else "absent"
            raise ConfigError(
                f"{self.path}: {name} is {value!r}; the models here have it as {wanted} only, and would compute "
                "something else"
            )

    def wrong(self, error: Exception) -> ConfigError:
        """The same error, with the file in front."""
        return ConfigError(f"{self.path}: {error}")
