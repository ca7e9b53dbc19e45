"""Of an app's config vars only those that carry flags are kept."""

from chalicelib.domain.flag import config_var, only_flags


def test_a_flag_is_carried_by_a_config_var_of_its_name() -> None:
    assert config_var("dark_mode") == "FLAG_DARK_MODE"


def test_everything_but_flags_is_dropped() -> None:
    config = {"FLAG_A": "1", "DATABASE_URL": "postgres://", "MY_FLAG_B": "2", "FLAG_C": None}

    assert only_flags(config) == {"FLAG_A": "1"}
