"""Settings: three places to write them, one order among them, and errors that say where."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import Settings, SettingsError, load, strangers
from gateway.spelling import option, variable


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a hearth.toml, and none of this machine's variables."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("hearth.toml").write_text("port = 1\ndrain_s = 1\nkeep_alive_s = 1")
    monkeypatch.setenv("HEARTH_PORT", "2")
    monkeypatch.setenv("HEARTH_DRAIN_S", "2")
    settings = load({"port": "3"})
    assert (settings.port, settings.drain_s, settings.keep_alive_s) == (3, 2, 1)


def test_a_named_file_is_read_in_place_of_the_usual_one() -> None:
    Path("hearth.toml").write_text("port = 1\ndrain_s = 1")
    Path("other.toml").write_text("port = 2")
    settings = load({}, Path("other.toml"))
    assert (settings.port, settings.drain_s) == (2, 20)


def test_models_are_a_list_in_the_file_and_words_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("hearth.toml").write_text('models = ["a=scripted:", "b=scripted:?tokens=1"]')
    assert load({}).models == ("a=scripted:", "b=scripted:?tokens=1")
    monkeypatch.setenv("HEARTH_MODELS", "c=scripted:  d=vllm:x?dtype=a,b")
    assert load({}).models == ("c=scripted:", "d=vllm:x?dtype=a,b")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_PORT", "")
    assert load({}).port == 8000


def test_variables_that_are_no_settings_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_DRAIN", "1")
    monkeypatch.setenv("HEARTH_PORT", "1")
    assert strangers() == ["HEARTH_DRAIN (did you mean 'HEARTH_DRAIN_S'?)"]


def test_a_setting_has_one_name_in_three_spellings() -> None:
    assert (option("keep_alive_s"), variable("keep_alive_s")) == ("--keep-alive-s", "HEARTH_KEEP_ALIVE_S")
    assert (option("models"), variable("models")) == ("--model", "HEARTH_MODELS")


def refusal(overrides: dict[str, str] | None = None, file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(overrides or {}, file)
    return str(refused.value)


def test_an_error_says_where_the_value_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("hearth.toml").write_text('drain_s = "long"')
    assert refusal().startswith("hearth.toml: drain_s = 'long': input should be a valid number")
    monkeypatch.setenv("HEARTH_DRAIN_S", "long")
    assert refusal().startswith("HEARTH_DRAIN_S=long: input should be")
    assert refusal({"drain_s": "-1"}) == (
        "--drain-s -1: input should be greater than or equal to 0. "
        "Seconds that running generations get to end when the server stops."
    )


def test_redis_may_be_named_by_the_customary_variable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def redis() -> str:
        chosen = load({}).redis_url
        return chosen.get_secret_value() if chosen else ""

    assert redis() == ""
    Path("hearth.toml").write_text('redis_url = "redis://file"')
    assert redis() == "redis://file"
    monkeypatch.setenv("REDIS_URL", "redis://customary")
    assert redis() == "redis://customary"
    monkeypatch.setenv("HEARTH_REDIS_URL", "redis://ours")
    assert redis() == "redis://ours"


def test_a_password_is_in_no_error_and_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in repr(load({"redis_url": "redis://:hunter2@host"}))
    told = {refusal({"redis_url": "http://:hunter2@host"}).partition(":")[0]: 1}
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@host/x")
    told[refusal().partition(":")[0]] = 1
    monkeypatch.setenv("HEARTH_REDIS_URL", "redis://:hunter2#@host")
    told[refusal().partition(":")[0]] = 1
    assert list(told) == ["--redis-url ***", "REDIS_URL=***", "HEARTH_REDIS_URL=***"]
    Path("hearth.toml").write_text('redis_url = "redis://:hunter2@host,host"')
    monkeypatch.undo()
    for given in ({"redis_url": "http://:hunter2@host"}, {"redis_url": "redis://:hunter2#@host"}):
        assert "hunter2" not in refusal(given)


def test_the_token_to_replicate_is_read_from_its_own_variable_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({}).replicate_api_token is None
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_hush")
    chosen = load({})
    assert chosen.replicate_api_token and chosen.replicate_api_token.get_secret_value() == "r8_hush"
    assert "hush" not in repr(chosen)
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8 hush")
    assert refusal().startswith("REPLICATE_API_TOKEN=***: A token is visible letters")
    assert "hush" not in refusal()


def test_every_error_is_told_at_once() -> None:
    assert len(refusal({"port": "x", "log_level": "loud"}).splitlines()) == 2


def test_an_unknown_line_of_the_file_is_answered_with_a_guess() -> None:
    Path("hearth.toml").write_text("drian_s = 3")
    assert refusal() == "hearth.toml: there is no setting 'drian_s' (did you mean 'drain_s'?)."


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('[model.a]\nfallback = "bb"', "[model.a] names the fallback 'bb', which is not served (did you mean 'b'?)."),
        ('[model.a]\nfallback = "a"', "[model.a] has fallbacks that go in a circle: a -> a. Leave one of them out."),
        (
            '[model.a]\nfallback = "b"\n[model.b]\nfallback = "c"\n[model.c]\nfallback = "b"',
            "[model.a] has fallbacks that go in a circle: a -> b -> c -> b. Leave one of them out.",
        ),
    ],
)
def test_a_fallback_is_another_model_that_is_served(written: str, told: str) -> None:
    served = 'models = ["a=scripted:", "b=scripted:", "c=scripted:"]\n'
    Path("hearth.toml").write_text(served + written)
    assert refusal() == f"hearth.toml: {told}"
    Path("hearth.toml").write_text(f'{served}[model.a]\nfallback = "b"\n[model.b]\nfallback = "c"')
    assert load({}).model["a"].fallback == "b"
    Path("hearth.toml").write_text(f'{served}[model.away]\nfallback = "away"')
    assert load({}).model["away"].fallback == "away", "a table of a model that is not served does nothing"


def test_hardware_that_has_no_price_is_answered_with_a_guess() -> None:
    Path("hearth.toml").write_text('[hardware]\nh100 = 0.001\n[model.demo]\nhardware = "h10"')
    assert refusal() == (
        "hearth.toml: [model.demo] names the hardware 'h10', which has no line under [hardware] (did you mean 'h100'?)."
    )
    Path("hearth.toml").write_text('[hardware]\nh100 = 0.001\n[model.demo]\nhardware = "h100"')
    assert load({}).model["demo"].hardware == "h100"


def written(*lines: str) -> None:
    Path("hearth.toml").write_text("\n".join(["[engine.box]", *lines]))


def test_an_engine_elsewhere_is_a_table_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOX_KEY", "sk-of-the-box")
    written('url = "http://box:1/v1"', 'key = "$BOX_KEY"', "start = \"serve 'my model'\"", 'stop = ["kill", "-9"]')
    upstream = load({}).upstreams["box"]
    assert (upstream.url, upstream.key, upstream.connect_s) == ("http://box:1/v1", "sk-of-the-box", 5.0)
    assert (upstream.start, upstream.stop) == (("serve", "my model"), ("kill", "-9"))
    assert "sk-of-the-box" not in repr(load({}))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('key = "$NOT_THERE"', "[engine.box] names the key $NOT_THERE, which the environment does not have."),
        ('uri = "x"', "[engine.box] has no line 'uri' (did you mean 'url'?)."),
        ("connect_s = 0", "[engine.box] connect_s = ***: input should be greater than 0."),
        ('start = "serve \'sk-secret"', "[engine.box] start = ***: No closing quotation."),
        ('start = ["serve", {sk-secret = 3}]', "[engine.box] start.1 = ***: input should be a valid string."),
        ("key = [3]", "[engine.box] key = ***: input should be a valid string."),
        ('key = "sk-secret\\n"', "[engine.box] has a key that is none: one is visible letters without blanks."),
        (
            'start = "POST sk-secret"',
            "[engine.box] start = ***: after POST there is one URL, as in POST http://10.0.0.1:9000/on.",
        ),
    ],
)
def test_an_engine_elsewhere_that_cannot_be_is_told_and_no_secret_with_it(line: str, told: str) -> None:
    written('url = "http://box:1/v1"', line)
    assert refusal() == f"hearth.toml: {told}"


@pytest.mark.parametrize("lines", [('start = "serve"', 'stop = "kill"'), ('start = "POST http://box:2/on"',), ()])
def test_of_several_replicas_any_can_stop_an_engine_elsewhere(lines: tuple[str, ...]) -> None:
    redis = {"redis_url": "redis://there"}
    written('url = "http://box:1/v1"', *lines)
    assert load(redis).engine["box"]
    written('url = "http://box:1/v1"', 'start = "serve"')
    told = "[engine.box] has a start command and no stop: with redis_url another replica may have to stop it."
    assert refusal(redis) == f"hearth.toml: {told}"
    assert load({}).engine["box"]


def test_an_engine_elsewhere_needs_an_address() -> None:
    written('key = "sk-secret"')
    assert refusal() == "hearth.toml: [engine.box] url = ***: field required."


def test_a_device_is_shared_out_by_one_process() -> None:
    Path("hearth.toml").write_text('workers = 2\n[model.demo]\ndevice = "gpu0"')
    assert refusal() == "hearth.toml: [model.demo] names a device, which 2 workers cannot share out: use one."
    assert load({"workers": 1}).model["demo"].device == "gpu0"


@pytest.mark.parametrize("source", ["openai:http://box:1/v1", "replicate:owner/name"])
def test_a_device_of_engines_elsewhere_is_shared_out_by_one_server(source: str) -> None:
    Path("hearth.toml").write_text(f'models = ["demo={source}", "own=vllm:x"]\n[model.demo]\ndevice = "gpu0"')
    told = "hearth.toml: [model.demo] names a device and has engines elsewhere, which the servers of one redis_url"
    assert refusal({"redis_url": "redis://box:6379"}).startswith(told)
    assert load({}).model["demo"].device == "gpu0"
    Path("hearth.toml").write_text(f'models = ["demo={source}", "own=vllm:x"]\n[model.own]\ndevice = "gpu0"')
    assert load({"redis_url": "redis://box:6379"}).model["own"].device == "gpu0", "each server has its own gpu0"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "active_hours = 'Mon 25:00-26:00'",
            "active_hours = 'Mon 25:00-26:00': 'Mon 25:00-26:00' has a time that no clock shows;"
            " they go from 00:00 to 23:59, and 24:00 ends a day.",
        ),
        (
            "active_hours = [3]",
            'active_hours = [3]: These are no windows; they read ["Mon-Fri 08:00-20:00"], or "auto".',
        ),
        (
            "time_zone = 'Mars'",
            "time_zone = 'Mars': 'Mars' is no time zone; one reads Europe/Berlin, America/New_York or UTC.",
        ),
        (
            "left_out = ['noon']",
            "left_out = ['noon']: 'noon' is no date; one reads 2026-12-24, and several 2026-12-24..2027-01-02.",
        ),
        (
            "auto_floor_hours = 3\nauto_ceiling_hours = 2",
            "auto_ceiling_hours = 2: A floor of 3 hours a day and a ceiling of 2 are no bounds:"
            " 0 <= floor <= ceiling <= 24.",
        ),
    ],
)
def test_hours_that_cannot_be_are_told_in_one_sentence(line: str, told: str) -> None:
    Path("hearth.toml").write_text(f"[model.demo]\n{line}")
    assert refusal() == f"hearth.toml: [model.demo] {told}"


def test_a_budget_that_bounds_nothing_or_cannot_be_kept_is_refused() -> None:
    auto = '[model.demo]\nactive_hours = "auto"\nauto_floor_hours = 2\nauto_budget_per_day = 5'
    Path("hearth.toml").write_text(auto)
    told = "An auto_budget_per_day needs a price: set price_per_second, or hardware."
    assert refusal() == f"hearth.toml: [model.demo] {told}"
    Path("hearth.toml").write_text(f'[hardware]\nh100 = 0.001\n{auto}\nhardware = "h100"')
    told = "A floor of 2 hours a day costs 7.2, more than the budget of 5: lower the floor or raise the budget."
    assert refusal() == f"hearth.toml: [model.demo] {told}"
    Path("hearth.toml").write_text(f"{auto}\nprice_per_second = 0.0001")
    assert load({}).model["demo"].auto_budget_per_day == 5


def test_a_file_that_is_no_toml_or_not_there_is_refused() -> None:
    Path("hearth.toml").write_text("port 8000")
    assert refusal().startswith("hearth.toml is not valid TOML: ") and "line 1" in refusal()
    Path("hearth.toml").write_bytes(b"\xff\xfe")
    assert refusal().startswith("hearth.toml is not valid TOML: ")
    assert refusal(file=Path("gone.toml")) == "There is no settings file gone.toml; hearth.example.toml shows one."


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("*", "*"),
        ("HTTPS://Chat.Example.com", "https://chat.example.com"),
        ("https://chat.example.com:443", "https://chat.example.com"),
        ("http://chat.example.com:443", "http://chat.example.com:443"),
        ("http://[::1]:80", "http://[::1]"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(written: str, meant: str) -> None:
    assert load({"origins": written}).origins == (meant,)


@pytest.mark.parametrize(
    "written",
    [
        *("chat.example.com", "https://chat.example.com/", "https://a.example/x", "https://*.example.com", "https://"),
        *("null", "https://a.example:", "https://a.example:x", "https://u@a.example", "https://münchen.example", "**"),
    ],
)
def test_what_is_no_origin_is_named(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTH_ORIGINS", f"https://good.example {written}")
    assert f"{written!r} is no origin" in refusal()
