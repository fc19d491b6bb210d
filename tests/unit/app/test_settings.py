from dataclasses import fields

import pytest

from app.settings import SettingError, Settings, table, variable_of


def test_defaults_need_no_environment():
    assert Settings.from_env({}) == Settings()


def test_values_are_read_from_the_environment():
    settings = Settings.from_env(
        {"DATABASE_URL": "postgresql://x", "POSTRIDER_PORT": "9000", "POSTRIDER_LOG_JSON": "true"}
    )
    assert (settings.database_url, settings.port, settings.log_json) == ("postgresql://x", 9000, True)


def test_secret_is_read_from_a_file(tmp_path):
    secret = tmp_path / "dsn"
    secret.write_text("postgresql://secret\n")
    assert Settings.from_env({"DATABASE_URL_FILE": str(secret)}).database_url == "postgresql://secret"


def test_wrong_value_names_the_variable():
    with pytest.raises(SettingError, match="POSTRIDER_PORT: expected int, got 'many'"):
        Settings.from_env({"POSTRIDER_PORT": "many"})


@pytest.mark.parametrize(
    "given",
    [
        {"DATABASE_URL": "postgresql://a:b@first:5432,second:5433/postrider?target_session_attrs=primary"},
        {"POSTRIDER_DATABASE_READ_URL": "postgresql://a:b@first:5432,second:5433/postrider"},
        {"REDIS_URL": "redis+sentinel://:secret@first:26379,second:26380/fleet/0"},
        {"REDIS_URL": "rediss+cluster://me:secret@first:7000,second:7001/"},
    ],
)
def test_an_address_may_name_several_hosts(given):
    assert next(iter(given.values())) in {
        (settings := Settings.from_env(given)).database_url,
        settings.database_read_url,
        settings.redis_url,
    }


@pytest.mark.parametrize(
    "given",
    [
        {"DATABASE_URL": "postgresql://first:5432,second:many/postrider"},
        {"REDIS_URL": "redis://first:6379,second:6379/0"},
        {"REDIS_URL": "redis+sentinel://first:26379,second:many/fleet"},
        {"REDIS_URL": "redis+cluster://first:7000,second:many"},
    ],
)
def test_each_host_of_an_address_is_looked_at(given):
    with pytest.raises(SettingError, match="cannot be read as an address"):
        Settings.from_env(given)


def test_a_cluster_has_one_database():
    with pytest.raises(SettingError, match="REDIS_URL: a Redis Cluster has database 0 only"):
        Settings.from_env({"REDIS_URL": "redis+cluster://first:7000,second:7001/1"})


@pytest.mark.parametrize(
    "given",
    [
        {"POSTRIDER_FIX_OLDEST_S": str(40 * 86_400)},
        {"POSTRIDER_RETENTION_RAW_DAYS": "8"},
        {"POSTRIDER_RETENTION_1M_DAYS": "20"},
    ],
)
def test_settings_that_do_not_fit_each_other_keep_every_role_from_starting(given):
    with pytest.raises(SettingError, match=r"POSTRIDER_FIX_OLDEST_S \+ 2 days <= POSTRIDER_RETENTION_RAW_DAYS"):
        Settings.from_env(given)


def test_every_field_has_a_line_that_says_what_it_is():
    for field in fields(Settings):
        assert f"| `{variable_of(field.name)}` |" in table()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("POSTRIDER_MQTT_URL", "http://broker.example"),
        ("POSTRIDER_BROKER_COURIERS", "9b0f7f0e-2f0e-4a53-9d2b-0d5c1f6f5a10 anna"),
    ],
)
def test_brokers_that_cannot_be_meant_are_refused(variable, value):
    with pytest.raises(SettingError, match=f"{variable}: expected"):
        Settings.from_env({variable: value})
