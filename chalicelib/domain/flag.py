"""Names: which flags and targets there can be, and the config var that carries a flag."""

from collections.abc import Mapping

CONFIG_VAR_PREFIX = "FLAG_"


def config_var(flag: str) -> str:
    """Name the config var that carries `flag`: `dark_mode` is carried by `FLAG_DARK_MODE`."""
    return CONFIG_VAR_PREFIX + flag.upper()


def only_flags(config_vars: Mapping[str, object]) -> dict[str, str]:
    """Keep the config vars that carry flags; everything else an app holds may be a secret."""
    return {
        name: value
        for name, value in config_vars.items()
        if name.startswith(CONFIG_VAR_PREFIX) and isinstance(value, str)
    }
