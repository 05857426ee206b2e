"""What the fields of the forms mean."""

from __future__ import annotations

import pytest

from tierproof.session.add_packages import read_requirements
from tierproof.session.model_choice import read_choice


@pytest.mark.parametrize(
    ("source", "value", "target"),
    [
        ("example", "", "tierproof.notebooks.example_model:build_model"),
        ("path", " model.py ", "model.py"),
        ("gist", "abc123", "gist:abc123"),
        ("gist", "gist:abc123@ff00ff0", "gist:abc123@ff00ff0"),
        ("gist", "https://gist.github.com/user/abc123", "gist:abc123"),
        ("gist", "https://gist.github.com/user/abc123/0123456789abcdef", "gist:abc123@0123456789abcdef"),
        ("hub", "openai-community/gpt2", "hf:openai-community/gpt2"),
        ("hub", "hf:gpt2", "hf:gpt2"),
        ("hub", "https://huggingface.co/openai-community/gpt2/tree/main", "hf:openai-community/gpt2"),
        ("Variable", "model", ""),
    ],
)
def test_a_choice_leads_to_a_target(source: str, value: str, target: str) -> None:
    assert read_choice(source, value, trust=False).target == target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("captum optuna>=4", ("captum", "optuna>=4")),
        ("captum, optuna", ("captum", "optuna")),
        ("captum\n'ray[tune]'", ("captum", "ray[tune]")),
        ("!pip install captum", ("captum",)),
        ("%pip install captum", ("captum",)),
        ("uv pip install captum", ("captum",)),
        ("optuna>=4,<5", ("optuna>=4,<5",)),
    ],
)
def test_requirements_of_the_form(text: str, expected: tuple[str, ...]) -> None:
    assert read_requirements(text) == expected
