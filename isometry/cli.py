"""The command line. Every command says what is wrong in one line and exits with 2; nothing is left half-written."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from isometry import commands

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Deep metric learning: embeddings in which distance means similarity.",
)

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Where results go.")]


@app.command()
def train(
    data: Annotated[
        str,
        typer.Argument(
            help='"glyphs", a folder (one sub-folder a class), a table (path, label), or a published data set, such as '
            "cub:/data/CUB_200_2011."
        ),
    ] = "",
    loss: Annotated[str, typer.Option(help='An expression: "ProxyAnchor(alpha=16) + 0.1 * KoLeo()".')] = "",
    trunk: Annotated[str, typer.Option(help="ConvNet(), EfficientNetLite0(), or a name that timm knows.")] = "",
    weights: Annotated[Path | None, typer.Option(help="A local file with the trunk's weights (timm trunks).")] = None,
    pool: Annotated[str, typer.Option(help="Average(), Max(), AveragePlusMax(), GeM().")] = "",
    head: Annotated[str, typer.Option(help="Linear(dim=128), MLP(…).")] = "",
    augment: Annotated[str, typer.Option(help="What is done to training pictures.")] = "",
    transform: Annotated[str, typer.Option(help="What is done to pictures in evaluation and use.")] = "",
    sampler: Annotated[
        str,
        typer.Option(
            help="ClassesTimesInstances(classes=32, instances=4), Plain(batch_size=128), or DenseTriplets() for "
            "continuous labels."
        ),
    ] = "",
    budget: Annotated[str, typer.Option(help='"400 steps" or "10 epochs".')] = "",
    metrics: Annotated[str, typer.Option(help='"Recall(k=1), MAPAtR()".')] = "",
    label: Annotated[
        str, typer.Option(help="The label column of a table; several, root first, for a label path.")
    ] = "",
    label_columns: Annotated[
        str, typer.Option(help='Columns of a table that are one continuous label: "x0:x27", "lat,lon".')
    ] = "",
    relate: Annotated[
        str, typer.Option(help="What labels say of pairs: joints(), CloseTargets(radius=2), Places(), label_tree, ….")
    ] = "",
    similarity: Annotated[str, typer.Option(help="What embeddings are compared by: cosine or euclidean.")] = "",
    optimizer: Annotated[str, typer.Option(help="AdamW(), Adam(), SGD(momentum=0.9), RMSprop(momentum=0.9).")] = "",
    schedule: Annotated[str, typer.Option(help="Cosine(), Constant(), Steps(every='10 epochs', factor=0.5).")] = "",
    frozen: Annotated[bool, typer.Option("--frozen", help="Leave the trunk as it is; only the head learns.")] = False,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    trunk_lr: Annotated[float | None, typer.Option(help="… of the trunk.")] = None,
    head_lr: Annotated[float | None, typer.Option(help="… of the head.")] = None,
    loss_lr: Annotated[
        float | None, typer.Option(help="… of the loss's parameters (times their own multiple).")
    ] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Weight decay.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Share of the budget in which the rate rises.")] = None,
    clip: Annotated[float | None, typer.Option(help="Largest norm of the gradient.")] = None,
    ema: Annotated[float | None, typer.Option(help="Decay of the moving average of the weights; 0 for none.")] = None,
    validate: Annotated[int | None, typer.Option(help="Steps between validations.")] = None,
    geometry: Annotated[int | None, typer.Option(help="Pictures to compare known and new classes on.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Validations without progress until it stops; 0 for never.")
    ] = None,
    accumulate: Annotated[int | None, typer.Option(help="Batches a step.")] = None,
    chunk: Annotated[
        int | None, typer.Option(help="Images the trunk sees at once; the loss still sees the batch.")
    ] = None,
    precision: Annotated[str, typer.Option(help="no, bf16 or fp16.")] = "",
    workers: Annotated[int | None, typer.Option(help="Processes that decode pictures.")] = None,
    tracker: Annotated[str, typer.Option(help="tensorboard, wandb, mlflow, … (through accelerate), or none.")] = "",
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a picture that cannot be read.")] = False,
    config: Annotated[Path | None, typer.Option(help="A config.toml to start from; options change it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    out: Out = None,
) -> None:
    """Train on labelled pictures, measure on unseen classes, write a report.

    Validation classes choose the weights; test classes are measured once. Ctrl-C saves; --resume goes on. Labels may be
    numbers (--label-columns) at a distance that --relate says: then new pictures take the place of new classes.
    """
    apart = ("data", "weights", "config", "resume", "out", "strict", "frozen")
    given = {k: v for k, v in locals().items() if k not in (*apart, "apart")}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value not in (None, "")}
    settings |= {name: True for name, asked in (("strict", strict), ("frozen", frozen)) if asked}
    from isometry import api
    from isometry.show import Progress

    if config is not None:
        base = api.replay(config)
        settings, data = {**base, **settings}, data or base["data"]
        settings.pop("data", None)
    if weights is not None:
        settings["trunk"] = _with_weights(settings.get("trunk", ""), weights)
    if not data and not resume:
        raise ValueError("Name the data: isometry train glyphs, a folder, or a table.")
    try:
        with Progress() as progress:
            run = api.train(data or "glyphs", out=out, resume=resume, show=progress.row, **settings)
    except KeyboardInterrupt as stop:
        print(f"isometry: {stop or 'Stopped.'}", file=sys.stderr)
        raise typer.Exit(130) from None
    progress.result(run.metrics)
    print(f"report: {run.report}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="The folder of a run, a model.safetensors, or a bundle.")],
    data: Annotated[str, typer.Option(help="Any data; default: the run's own test part.")] = "",
    metrics: Annotated[str, typer.Option(help='"Recall(k=1), MAPAtR()".')] = "",
    label: Annotated[str, typer.Option(help="The label column of a table.")] = "",
    label_columns: Annotated[str, typer.Option(help='Columns that are one continuous label: "x0:x27".')] = "",
    part: Annotated[str, typer.Option(help="train, validation or test part of the data, or all.")] = "",
    relate: Annotated[str, typer.Option(help="What labels say of pairs: label_tree, CloseTargets(radius=2), ….")] = "",
    similarity: Annotated[str, typer.Option(help="What embeddings are compared by; default: as the run did.")] = "",
    rerank: Annotated[str, typer.Option(help='Re-rankings, in tables of their own: "KReciprocal()".')] = "",
    codes: Annotated[str, typer.Option(help='What short codes cost: "Int8(), Binary(), PQ(parts=16)".')] = "",
    workers: Annotated[int, typer.Option(help="Processes that decode pictures.")] = -1,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a picture that cannot be read.")] = False,
    out: Out = None,
) -> None:
    """Measure a run on any data; with --out, write metrics.json and a report there."""
    from isometry import use
    from isometry.show import Progress

    found = use.evaluate(
        run, data, metrics=metrics, label=label, label_columns=label_columns, part=part, relate=relate,
        similarity=similarity, rerank=rerank, codes=codes, workers=workers, strict=strict, out=out,
    )  # fmt: skip
    shown = Progress()
    shown.result(found)
    shown.besides(found)
    if compared := found["labels compared by"]:
        print(f"labels compared by {compared}")
    if out:
        print(f"report: {out / 'report.html'}")


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of train and evaluate --out; the first is the reference.")
    ],
    metrics: Annotated[str, typer.Option(help="Those to compare; default: all.")] = "",
    seeds: Annotated[bool, typer.Option("--seeds", help="Also a row for each seed of a group.")] = False,
    per_query: Annotated[
        bool, typer.Option("--per-query", help="Take queries for independent: p is too small where classes cluster.")
    ] = False,
    confidence: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A .md, .csv or .json file.")] = None,
) -> None:
    """Put runs into one table: values, differences from the first, intervals and corrected p values.

    Runs that differ by their seed alone become one row. Runs measured by different protocols are refused.
    """
    from isometry import comparison, show
    from isometry.comparison import form_of

    if out:
        form_of(out)
    found = comparison.compare(runs, metrics=metrics, per_query=per_query, confidence=confidence)
    show.comparison(found, seeds=seeds)
    if out:
        found.write(out, seeds=seeds)


@app.command()
def bench(
    recipe: Annotated[str, typer.Argument(help='A recipe\'s file, or the name of one that is shipped: "glyphs".')],
    data_root: Annotated[Path | None, typer.Option(help="The folder that the recipe's data lie in.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where findings go; default: runs/NAME.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Where trainings are kept; machines may share it.")] = None,
    store: Annotated[str, typer.Option(help="URL of the database; default: a file in --out.")] = "",
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; default: what cores, or accelerators, carry. 0: this one.")
    ] = None,
    limit: Annotated[float, typer.Option(min=0, help="Minutes until it stops; call it again to go on.")] = float("inf"),
    only: Annotated[
        list[str] | None, typer.Option(help="Methods of the recipe to run, by name; may be repeated.")
    ] = None,
    add: Annotated[list[str] | None, typer.Option(help="A loss to compare as well; may be repeated.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials of each method's search.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds of the final trainings.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Run trainings that failed again.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would run, and train nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try every method for two steps; keep nothing.")] = False,
) -> None:
    """Compare methods fairly: equal data, model, budget and search for all, intervals over classes and seeds.

    Kill it at any moment and run the same command again: what is done is never done twice.
    """
    from isometry.bench import command

    raise typer.Exit(
        command.bench(
            recipe, data_root=data_root, out=out, cache=cache, store=store, workers=workers, limit=limit,
            only=tuple(only or ()), add=tuple(add or ()), trials=trials, seeds=seeds, retry=retry, plan=plan,
            dry_run=dry_run,
        )
    )  # fmt: skip


@app.command()
def embed(
    run: Annotated[Path, typer.Argument(help="The folder of a run, a model.safetensors, or a bundle.")],
    data: Annotated[str, typer.Argument(help='"glyphs", a folder or a table; labels are not needed.')],
    out: Annotated[Path, typer.Option("--out", "-o", help="z.npy (ids and labels beside it in z.csv) or z.npz.")],
    label: Annotated[str, typer.Option(help="The label column of a table.")] = "",
    label_columns: Annotated[str, typer.Option(help='Columns that are one continuous label: "x0:x27".')] = "",
    workers: Annotated[int, typer.Option(help="Processes that decode pictures.")] = -1,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a picture that cannot be read.")] = False,
) -> None:
    """Write the embeddings of all pictures, with their ids."""
    from isometry import use

    n, dim, left_out = use.embed(
        run, data, out, label=label, label_columns=label_columns, workers=workers, strict=strict
    )
    print(f"{n:,} embeddings of {dim} dimensions: {out}")
    if left_out:
        print(f"{left_out} pictures could not be read and were left out", file=sys.stderr)


for command in commands.COMMANDS:
    app.command()(command)


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(help="losses, miners, references, similarities, …; default: all kinds.")] = "",
) -> None:
    """List what there is to choose from."""
    from isometry import catalogue

    print(catalogue.listing(kind))


@app.command()
def show(name: Annotated[str, typer.Argument(help="A component, such as ProxyAnchor.")]) -> None:
    """Show a component: what it does, its formula, its fields."""
    from isometry import catalogue

    print(catalogue.page(name))


@app.callback(invoke_without_command=True)
def version(show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show_version:
        from isometry.version import __version__

        print(__version__)
        raise typer.Exit


def _with_weights(trunk: str, weights: Path) -> str:
    """The trunk's expression with a local file of weights."""
    if not weights.is_file():
        raise FileNotFoundError(f"There is no file {weights}: --weights is a .safetensors or .pth file.")
    if not trunk or "(" in trunk:
        raise ValueError(
            "--weights goes with a bare timm name: --trunk resnet50 --weights file; or write Timm(name=…, weights=…)."
        )
    return f"Timm(name={trunk!r}, weights={str(weights)!r})"


def main() -> None:
    """Entry point: errors of the user become one line and exit code 2."""
    import warnings

    warnings.formatwarning = lambda message, *_args, **_kwargs: f"note: {message}\n"
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except (ValueError, OSError, LookupError) as error:
        text = str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
        print(f"isometry: {' '.join(text.split())}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        explain = getattr(error, "format_message", None)  # what typer raises for a wrong option or command
        if explain is None:
            raise
        print(f"isometry: {' '.join(explain().split())} See isometry --help.", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
