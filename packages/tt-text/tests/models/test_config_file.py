"""config.json: what is no configuration is refused, and null counts as absent."""

import pytest

from tt_text.errors import ConfigError, PretrainedError
from tt_text.models import GPT, Llama
from tt_text.models.config_file import ConfigFile


def of(folder, text):
    (folder / "config.json").write_text(text, encoding="utf-8")
    return ConfigFile(folder)


def test_null_is_absent(tmp_path):
    file = of(tmp_path, '{"a": null, "b": 0}')
    assert file.get("a", 5) == file.get("c", 5) == 5 and file.get("b", 5) == 0
    file.only("a", True)
    with pytest.raises(ConfigError, match=r"config\.json has no field 'a'"):
        file.need("a")


def test_only_takes_what_it_is_told_and_no_look_alike(tmp_path):
    file = of(tmp_path, '{"a": 1}')
    file.only("a", 2, 1)
    for allowed in ([True], [1.0], ["1"], []):
        with pytest.raises(ConfigError, match="a is 1; the models here"):
            file.only("a", *allowed)


@pytest.mark.parametrize("cls", [GPT, Llama])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_configuration_is_refused(cls, content, tmp_path):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.json"):
        cls.from_pretrained(tmp_path)


@pytest.mark.parametrize("cls", [GPT, Llama])
def test_what_is_no_folder_is_refused(cls, tmp_path):
    with pytest.raises(PretrainedError, match=r"nowhere does not exist; from_pretrained reads a folder"):
        cls.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"config\.json does not exist"):
        cls.from_pretrained(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PretrainedError, match="is a file"):
        cls.from_pretrained(tmp_path / "file")
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        cls.from_pretrained(tmp_path)


def test_a_file_too_large_for_a_configuration_is_not_read(tmp_path):
    with open(tmp_path / "config.json", "wb") as file:
        file.truncate(1 << 34)  # no disk is used
    with pytest.raises(ConfigError, match="too many"):
        ConfigFile(tmp_path)
