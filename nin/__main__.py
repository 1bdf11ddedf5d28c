"""`python -m nin`: train as the notebook does, and print its line per epoch. `nin.command` does the work."""

from typing import Annotated, NoReturn

import typer

from nin.choices import words

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def fail(message: str) -> NoReturn:
    """End with one line and exit code 2."""
    typer.echo(f"nin: {message}", err=True)
    raise typer.Exit(2)


@app.command()
def main(
    context: typer.Context,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the train images.")] = 5,
    shapes: Annotated[bool, typer.Option("--shapes", help="Print the shape after each block, and end.")] = False,
    data: Annotated[str | None, typer.Option(help="Folder with Fashion-MNIST's four files.")] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Let torchvision download the data if there is none.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Images a step.")] = 128,
    limit: Annotated[int | None, typer.Option(min=1, help="Use the first N train and N test images.")] = None,
    loader: Annotated[str, typer.Option(help="notebook, workers or resident.")] = "notebook",
    sync: Annotated[str, typer.Option(help="step: read loss and hits at every step; epoch: once an epoch.")] = "step",
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:N, mps, xpu or xpu:N.", show_default="cuda if there is one")
    ] = None,
    precision: Annotated[str, typer.Option(help=f"{words('precision')}.")] = "default",
    memory_format: Annotated[str, typer.Option(help=f"{words('memory_format')} (channels_last).")] = "nchw",
    compile_mode: Annotated[str, typer.Option(help=f"{words('compile_mode')}.")] = "eager",
    optimizer: Annotated[str, typer.Option(help=f"{words('optimizer')} (of Adam).")] = "default",
    cudnn_benchmark: Annotated[str, typer.Option(help="on: cuDNN tries its algorithms for each shape; off.")] = "off",
    seed: Annotated[int, typer.Option(help="Of the weights, the order and the dropout.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Train this often, from seed on, and say how many learn.")] = 1,
) -> None:
    """Train Network in Network on Fashion-MNIST at 224x224 with Adam 0.002, as the notebook does."""
    from nin import command  # noqa: PLC0415 - --help must not wait for torch

    refuse_contradictions(context)
    if shapes:
        command.print_shapes()
        return
    try:
        setup = command.Setup(
            device=command.choose_device(device),
            precision=precision,
            memory_format=memory_format,
            compile_mode=compile_mode,
            optimizer=optimizer,
            sync=sync,
            cudnn_benchmark=cudnn_benchmark,
        )
        command.refuse_without_cuda(setup)
        batches = command.find_batches(data, loader, batch_size, limit, setup.device, download=download)
        command.train_all(setup, batches, epochs, range(seed, seed + seeds))
    except (ValueError, command.DataError) as error:
        fail(str(error))


def refuse_contradictions(context: typer.Context) -> None:
    """End with one line if an option would have no effect beside another."""
    given = [
        name for name in context.params if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    options = [f"--{name.replace('_', '-')}" for name in given]
    if "--shapes" in options and len(options) > 1:
        fail(f"--shapes prints and ends: take back {', '.join(o for o in options if o != '--shapes')}")
    if {"--data", "--download"} <= set(options):
        fail("--data can't go with --download: a folder that is named is not downloaded to")


if __name__ == "__main__":
    app(prog_name="python -m nin")
