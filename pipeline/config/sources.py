"""Reads the configuration: command line over environment over profile file over default.

Every layer is a nested mapping of field names; the layers are merged and validated once, and every problem of
every layer is reported in one :class:`ConfigError`. Environment and folders are arguments, so nothing here
depends on hidden state.
"""

from __future__ import annotations

import difflib
import tomllib
from argparse import ArgumentError, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, CliSettingsSource, SettingsConfigDict

from pipeline.config import PipelineConfig
from pipeline.config.rules import RULES
from publishing.errors import numbered

SIMILAR = 0.6  # of difflib's ratio, from where on a name is suggested for another
ENVIRONMENT_PREFIX = "GPT2_ALPACA_"
PROFILES = Path(__file__).parent.parent / "profiles"
USAGE = "%(prog)s [--profile NAME] [--GROUP.FIELD VALUE ...]"
EPILOG = """\
Every field can also be set in the environment (--training.learning-rate is
GPT2_ALPACA_TRAINING__LEARNING_RATE) and in a profile file (learning_rate in [training]).
The command line wins over the environment, the environment over the profile,
the profile over the defaults shown above. Profiles: {profiles}.
"""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message lists every problem."""

    user_message = True

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(numbered("The configuration cannot be used", problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Layer:
    """Values from one source, by dotted field name."""

    values: Mapping[str, Any]
    names: Mapping[str, str] = field(default_factory=dict)  # how the user wrote the field there
    problems: tuple[str, ...] = ()
    lost: frozenset[str] = frozenset()  # fields that it may have set, to nobody knows what


class UnknownValueError(Exception):
    """A field is read whose value is wrong or lost."""


@dataclass(frozen=True)
class Reading:
    """A configuration as far as it could be read.

    Attributes:
        config: with the defaults of the fields that are unknown.
        unknown: names of the fields whose value is wrong or lost.
        problems: of all sources, values and rules.
    """

    config: PipelineConfig
    unknown: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    @property
    def known(self) -> PipelineConfig:
        """Returns the configuration to look further with: to read an unknown field of it raises
        :class:`UnknownValueError`."""
        return cast("PipelineConfig", _Known(self.config, self.unknown)) if self.unknown else self.config


class _Known:
    """A configuration, or a group of it, without the fields that are unknown."""

    def __init__(self, values: BaseModel, unknown: frozenset[str], prefix: str = "") -> None:
        self._values, self._unknown, self._prefix = values, unknown, prefix

    def __getattr__(self, attribute: str) -> Any:
        field = type(self._values).model_fields.get(attribute)
        name = self._prefix + ((field and field.alias) or attribute)
        if name in self._unknown:
            raise UnknownValueError(name)
        value = getattr(self._values, attribute)
        return _Known(value, self._unknown, f"{name}.") if isinstance(value, BaseModel) else value


def load_config(arguments: Sequence[str], environment: Mapping[str, str]) -> PipelineConfig:
    """Returns the validated configuration.

    Args:
        arguments: command line without the program's name.
        environment: such as ``os.environ``.

    Raises:
        ConfigError: With all problems at once.
        SystemExit: After ``--help`` was printed.
    """
    reading = read_config(arguments, environment)
    if reading.problems:
        raise ConfigError(reading.problems)
    return reading.config


def read_config(arguments: Sequence[str], environment: Mapping[str, str]) -> Reading:
    """Returns the configuration as far as it can be read, with all its problems.

    Args:
        arguments: command line without the program's name.
        environment: such as ``os.environ``.

    Raises:
        SystemExit: After ``--help`` was printed.
    """
    chosen = [read_command_line(arguments), read_environment(environment)]
    profile = next((layer.values["profile"] for layer in chosen if "profile" in layer.values), _default_profile())
    layers = [*chosen, _unreadable() if "profile" in _lost_fields(chosen) else read_profile(profile)]
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged.update(layer.values)
    wrong = _wrong_values(merged, layers)
    right = {name: value for name, value in merged.items() if name not in wrong}
    config = PipelineConfig.model_validate(_nested(right), context={"skip_rules": True})
    unknown = wrong.keys() | _lost_fields(layers)
    broken = {rule: problem for rule in RULES if not unknown & {*rule.fields} and (problem := rule.check(config))}
    alone = {rule.fields[0] for rule in broken if len(rule.fields) == 1}
    problems = [problem for layer in layers for problem in layer.problems]
    return Reading(config, frozenset(unknown | alone), (*problems, *wrong.values(), *broken.values()))


def _lost_fields(layers: Sequence[Layer]) -> set[str]:
    """Fields whose value a layer lost, and none above it sets."""
    lost: set[str] = set()
    above: set[str] = set()
    for layer in layers:
        lost |= layer.lost - above
        above |= layer.values.keys()
    return lost


# ---------------------------------------------------------------------------------------------------- Sources


class _CommandLine(BaseSettings, PipelineConfig):
    """Gives pydantic-settings' command line the fields of `PipelineConfig`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", cli_kebab_case=True, cli_avoid_json=True, cli_hide_none_type=True
    )


def read_command_line(arguments: Sequence[str]) -> Layer:
    """Flags as pydantic-settings derives them from the fields: ``--training.learning-rate 1e-3``."""
    parser = ArgumentParser(
        usage=USAGE,
        description=PipelineConfig.__doc__,
        epilog=EPILOG.format(profiles=", ".join(profile_names())),
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
        exit_on_error=False,
    )
    source: CliSettingsSource[Any] = CliSettingsSource(_CommandLine, root_parser=parser, cli_parse_none_str="none")
    known = {flag_of(name): name for name in field_names()}
    parsed, unknown, incomplete = _parsed(parser, list(arguments))
    del source  # it only declared the flags; their values need no decoding beyond validation
    values = {name: value for name, value in vars(parsed).items() if name in known.values()}
    unknown += [flag_of(name) for name in vars(parsed) if name not in values]  # --data '{…}', a whole group
    problems = (*incomplete.values(), *_unknown_arguments(unknown, known))
    lost = frozenset(known[flag] for flag in incomplete if flag in known)
    return Layer(values, {name: flag_of(name) for name in values}, problems, lost)


def _parsed(parser: ArgumentParser, arguments: list[str]) -> tuple[Namespace, list[str], dict[str, str]]:
    """Returns argparse's namespace, the arguments that it does not know, and its problems with others, by flag."""
    try:
        return *parser.parse_known_args(arguments), {}
    except ArgumentError as error:
        flag = str(error.argument_name)
        rest = [each for each, after in pairwise([*arguments, "--"]) if each != flag or not after.startswith("--")]
        parsed, unknown, others = _parsed(parser, rest if len(rest) < len(arguments) else [])
        return parsed, unknown, {flag: f"{flag}: {error.message}. See --help.", **others}


def read_environment(environment: Mapping[str, str]) -> Layer:
    """Variables named GPT2_ALPACA_FIELD or GPT2_ALPACA_GROUP__FIELD; an empty one counts as not set."""
    known = {variable_of(name): name for name in field_names()}
    ours = {variable: text for variable, text in environment.items() if variable.startswith(ENVIRONMENT_PREFIX)}
    values = {known[variable]: text for variable, text in ours.items() if variable in known and text.strip()}
    problems = [
        f"{variable}: there is no such setting.{_did_you_mean(variable, known)} Unset it; see --help."
        for variable in ours
        if variable not in known
    ]
    return Layer(values, {name: variable_of(name) for name in values}, tuple(problems))


def read_profile(profile: str) -> Layer:
    """Reads a TOML file: a name in pipeline/profiles, or a path that ends in .toml."""
    path = Path(profile) if profile.endswith(".toml") else PROFILES / f"{profile}.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _unreadable(_unknown_profile(profile))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return _unreadable(f"profile: {path} cannot be read as TOML. Received: {error}")
    known = dict.fromkeys(field_names())
    del known["profile"]  # a profile does not choose a profile
    values = dict(_flattened(content))
    problems = [
        f"{name} (in {path}): there is no such setting.{_did_you_mean(name, known)} Remove it; see --help."
        for name in values
        if name not in known
    ]
    values = {name: value for name, value in values.items() if name in known}
    return Layer(values, {name: str(path) for name in values}, tuple(problems))


def _unreadable(*problems: str) -> Layer:
    return Layer({}, problems=problems, lost=frozenset(field_names()))


def profile_names() -> list[str]:
    """Returns the profiles that come with the project."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


# ----------------------------------------------------------------------------------------------------- Fields


def fields() -> dict[str, FieldInfo]:
    """Returns every field that can be set, by dotted name."""
    return dict(_leaves(PipelineConfig, ""))


def field_names() -> list[str]:
    """Returns the dotted names of :func:`fields`."""
    return list(fields())


def _leaves(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for attribute, info in model.model_fields.items():
        name = prefix + (info.alias or attribute)
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _leaves(info.annotation, f"{name}.")
        else:
            yield name, info


def flag_of(name: str) -> str:
    """Returns the flag of a field's dotted name."""
    return "--" + name.replace("_", "-")


def variable_of(name: str) -> str:
    """Returns the environment variable of a field's dotted name."""
    return ENVIRONMENT_PREFIX + name.replace(".", "__").upper()


def _default_profile() -> str:
    return str(PipelineConfig.model_fields["profile"].default)


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *groups, key = name.split(".")
        target = nested
        for group in groups:
            target = target.setdefault(group, {})
        target[key] = value
    return nested


# --------------------------------------------------------------------------------------------------- Problems


def _wrong_values(values: Mapping[str, Any], layers: Sequence[Layer]) -> dict[str, str]:
    """Returns the problem of each wrong value, by field."""
    wrong: dict[str, str] = {}
    try:
        PipelineConfig.model_validate(_nested(values), context={"skip_rules": True})
    except ValidationError as error:
        for details in error.errors():
            name = _name_at(details["loc"])
            wrong.setdefault(name, _wrong_value(name, details, layers))
    return wrong


def _name_at(location: tuple[int | str, ...]) -> str:
    """Returns the field at a pydantic error's location, which may end in the tag of a union."""
    known = set(field_names())
    parts = [str(part) for part in location]
    while parts and ".".join(parts) not in known:
        parts.pop()
    return ".".join(parts)


def _wrong_value(name: str, details: ErrorDetails, layers: Sequence[Layer]) -> str:
    where = next((layer.names[name] for layer in layers if name in layer.values), "default")
    received = "(not shown)" if name == "publish.token_env" else repr(details["input"])
    if name == "publish.endpoint" and "@" in str(details["input"]):
        received = "(not shown: it holds credentials)"
    rule = "the form is wrong" if details["type"] == "string_pattern_mismatch" else _lower_first(details["msg"])
    meaning = " ".join((fields()[name].description or "").split())
    if details["type"] == "value_error":  # a rule of ours, whose message is complete
        message = details["msg"].removeprefix("Value error, ")
        named = message if message.startswith(name) else f"{name}: {message}"
        return f"{named} It is from {where}.\n{meaning}"
    return f"{name}: {rule}. Received: {received} from {where}.\n{meaning}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _unknown_arguments(unknown: Sequence[str], known: Mapping[str, str]) -> Iterator[str]:
    for before, argument in pairwise(["", *unknown]):
        flag = argument.partition("=")[0]
        if flag.startswith("-"):
            yield f"{flag}: there is no such flag.{_did_you_mean(flag, known)} See --help."
        elif not before.startswith("-"):  # else it is the value of the unknown flag before it
            yield f"{argument!r}: a value without a flag. Write --FIELD VALUE; see --help."


def _unknown_profile(profile: str) -> str:
    known = profile_names()
    hint = "" if profile.endswith(".toml") else _did_you_mean(profile, known)
    return (
        f"profile: there is no such profile. Received: {profile!r}.{hint} "
        f"Take one of {', '.join(known)}, or the path of a .toml file."
    )


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns the nearest name: of its group, else the same field of another group, else the nearest of all."""
    spellings = {_parts(candidate): candidate for candidate in known}
    group, field = _parts(name)
    groups = {group for group, _ in spellings}
    (near_group,) = difflib.get_close_matches(group, groups, n=1) or [""]
    fields_there = [field for group, field in spellings if group == near_group]
    for near in difflib.get_close_matches(field, fields_there, n=1, cutoff=SIMILAR):
        return f" Did you mean {spellings[near_group, near]}?"
    elsewhere = [candidate for parts, candidate in spellings.items() if parts[1] == field]
    close = elsewhere or difflib.get_close_matches(name, [*spellings.values()], n=1, cutoff=SIMILAR)
    return f" Did you mean {close[0]}?" if close else ""


def _parts(name: str) -> tuple[str, str]:
    """Returns the group and field of a name in any source's spelling; the group is empty for a field of none."""
    dotted = name.removeprefix(ENVIRONMENT_PREFIX).removeprefix("--").replace("__", ".").replace("-", "_").lower()
    group, _, field = dotted.rpartition(".")
    return group, field
