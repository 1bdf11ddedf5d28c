"""What a user names: `package.module:attribute`, or `package.module:` for the module; `[name=value]` follows."""

import ast
import importlib
import importlib.util
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

Settings = dict[str, Any]


class FindError(Exception):
    """Nothing is there by this name, or it can't be called; the text is one line without the name."""


def parts_of(name: str) -> tuple[str, str, Settings]:
    """The module, the attribute and the settings in a name: `nets:make[width=64,kind=deep]`."""
    plain, _, bracket = name.partition("[")
    module, _, attribute = plain.partition(":")
    pairs = (pair.partition("=") for pair in filter(None, bracket.removesuffix("]").split(",")))
    return module, attribute, {key: literal(text) for key, _, text in pairs}


def literal(text: str) -> Any:  # noqa: ANN401 - any number, bool or text
    """A number, True, False or None if the text reads so, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def find(name: str) -> Any:  # noqa: ANN401 - any object of a module
    """The object that a name stands for. Raises FindError if there is none."""
    module_name, attribute, _ = parts_of(name)
    try:
        module = importlib.import_module(module_name)
        if not attribute:
            return module
        if not hasattr(module, attribute) and has_submodule(module_name, attribute):
            return importlib.import_module(f"{module_name}.{attribute}")
        return getattr(module, attribute)
    except (ImportError, AttributeError) as error:
        raise FindError(str(error)) from error
    except Exception as error:
        msg = f"importing {module_name} failed: {described(error)}"
        raise FindError(msg) from error


def has_submodule(package: str, name: str) -> bool:
    """Whether an imported package has a module of this name."""
    return hasattr(sys.modules[package], "__path__") and importlib.util.find_spec(f"{package}.{name}") is not None


def made(name: str, offered: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - of the user's code
    """What the factory of a name returns, called with the name's settings and those of the `offered` that it takes.

    An object that is no function is returned as it is. Raises FindError if there is no such object, if it can't be
    called so, or if the call fails.
    """
    factory, (_, _, settings) = find(name), parts_of(name)
    if isinstance(factory, ModuleType) or not (inspect.isroutine(factory) or isinstance(factory, type)):
        if settings:
            msg = f"it is no function, so it takes no {', '.join(settings)}"
            raise FindError(msg)
        return factory
    args, keywords = arguments(factory, settings, offered or {})
    try:
        return factory(*args, **keywords)
    except Exception as error:
        msg = f"its factory failed: {described(error)}"
        raise FindError(msg) from error


def described(error: BaseException) -> str:
    """An error in words, with the file and line of the user's own code that it came from, if it came from any."""
    text = f"{type(error).__name__}: {error}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_of_user(Path(frame.filename))]
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else text


def is_of_user(file: Path) -> bool:
    """Whether a file is neither this project's nor installed."""
    ours = Path(__file__).resolve().parents[1]
    installed = {"site-packages", "dist-packages"} & set(file.parts)
    standard = Path(sysconfig.get_path("stdlib"))
    return file.is_file() and not installed and not any(map(file.is_relative_to, (ours, standard)))


def arguments(factory: Any, settings: Settings, offered: Mapping[str, Any]) -> tuple[list[Any], Settings]:  # noqa: ANN401
    """With what a factory is called: its settings, and what of the `offered` it has parameters for.

    If it needs as many arguments as are offered, under other names, it gets them in their order. Raises FindError if
    it needs something else.
    """
    try:
        parameters = inspect.signature(factory).parameters
    except (ValueError, TypeError):  # built in: nothing is known of it
        return list(offered.values()), settings
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if unknown := [key for key in settings if key not in parameters and not anything]:
        msg = f"its factory has no parameter {unknown[0]}: it has {', '.join(parameters) or 'none'}"
        raise FindError(msg)
    taken = {key: value for key, value in offered.items() if key in parameters and key not in settings}
    needed = [
        key for key, p in parameters.items()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and key not in {**settings, **taken}
    ]  # fmt: skip
    if not needed:
        return [], settings | taken
    if not taken and len(needed) == len(offered):
        return list(offered.values()), settings
    raise FindError(adapt_words(factory, needed, offered))


def adapt_words(factory: Any, needed: list[str], offered: Mapping[str, Any]) -> str:  # noqa: ANN401
    """That a factory needs what nobody gives, and the lines of Python that help."""
    name = getattr(factory, "__name__", "factory")
    given = f"only {' and '.join(offered)} can be given" if offered else "nothing is given"
    takes = ", ".join(offered)
    values = ", ".join(f"{key}=..." for key in needed)
    return (
        f"its factory needs {', '.join(needed)}, and {given}. Name one that gives the rest: "
        f"def make({takes}): return {name}({values})"
    )
