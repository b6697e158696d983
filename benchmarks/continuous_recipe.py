"""Writes the recipes of the study of continuous labels.

    python benchmarks/continuous_recipe.py poses > recipes/continuous-poses.toml
    python benchmarks/continuous_recipe.py emoji > recipes/continuous-emoji.toml
    python benchmarks/continuous_recipe.py emoji --full > continuous-emoji-full.toml

The full grid has 560 methods (7 losses × 5 ways of mining × 8 dimensions × normalised or not); the shipped recipes are the parts
of it that answer the questions. Trainings lie on one shelf: what one recipe has run, the other finds there.
"""

import argparse

from continuous_grid import ALONE, BATCH, CENTRE, Method, compared, grid, staged

TASKS = {
    "poses": '''\
# Which loss for labels that are matters of degree, mined how, in how many dimensions? On pictures of drawn figures whose
# labels are joints; a small convolutional net is trained from scratch.
#
#     isometry bench recipes/continuous-poses.toml
#
# Written by benchmarks/continuous_recipe.py: {many} of the grid's 560 methods; --full writes all of them.

about = """
Losses for continuous labels, mining, dimension and normalisation, on drawn figures: pictures of like poses are to be found. \\
A small net is trained from scratch; label distance is the sum over joints, and embeddings are compared by euclidean distance."""
relate = "joints"
similarity = "euclidean"
any_dim = true
metrics = "NDCG(k=100, gain=DistanceGain()), NDCG(k=10, gain=DistanceGain()), LabelDistance(k=1), LabelDistance(k=10)"
metric = "NDCG(k=100, gain=DistanceGain())"
reference = "{centre}"

[data]
source = "poses"

[folds]
count = 7 # of 2,000 figures, one of which validates
searched = 1
tested = 1

[model]
trunk = "ConvNet(widths=(16, 32, 64, 64), channels=3, size=48)"
pool = "Flatten()" # where a limb is, is what it is about
head = "Linear(dim=64)"

[train]
sampler = "{sampler}" # every row is a query; as many as fit have their neighbours in the batch
budget = "200 steps"
optimizer = "AdamW()"
schedule = "Cosine()"
weight_decay = 1e-4
warmup = 0.05
validations = 4
head_lr = 3e-3

[search] # every loss is tried with the same rates, for their gradients differ in scale
trials = 3
round = 3
rates = [3e-3, 1e-3, 1e-2]

[final]
seeds = {seeds}
''',
    "emoji": '''\
# Which loss for labels that are matters of degree, mined how, in how many dimensions? On emoji, whose label distance is that
# of their captions in a sentence model; a head is trained on features of a frozen trunk.
#
#     isometry bench recipes/continuous-emoji.toml --data-root FOLDER
#
# FOLDER holds the packages emoji-datasource-{{apple,facebook,google,twitter}}; captions need isometry[captions].
# Written by benchmarks/continuous_recipe.py: {many} of the grid's 560 methods; --full writes all of them.

about = """
Losses for continuous labels, mining, dimension and normalisation, on emoji: drawings of like meaning are to be found. Only a \\
linear head is trained, on features of a frozen trunk; label distance is that of captions, and embeddings are compared by \\
euclidean distance. The four drawings of an emoji have one caption, and are drawn together in intervals."""
relate = "captions"
similarity = "euclidean"
any_dim = true
metrics = "NDCG(k=100, gain=DistanceGain()), NDCG(k=10, gain=DistanceGain()), LabelDistance(k=1), LabelDistance(k=10)"
metric = "NDCG(k=100, gain=DistanceGain())"
reference = "{centre}"

[data]
source = "emoji:."

[folds]
count = 4
searched = 1
tested = 1

[model]
trunk = "EfficientNetLite0(freeze_batch_norm=True)"
pool = "Average()"
head = "Linear(dim=64)"
frozen = true

[train]
transform = "CentreCrop(size=128, resize=128)"
sampler = "{sampler}" # every row is a query; as many as fit have their neighbours in the batch
budget = "200 steps"
optimizer = "AdamW()"
schedule = "Cosine()"
weight_decay = 1e-2
warmup = 0.1
validations = 4
head_lr = 3e-3

[search] # every loss is tried with the same rates, for their gradients differ in scale
trials = 3
round = 3
rates = [3e-3, 1e-3, 1e-2]

[final]
seeds = {seeds}
''',
}
THRESHOLD = {"poses": "Joints(radius=1.2)", "emoji": "Captions(radius=1.5)"}
"""Label distances up to which two items are positives of the contrastive loss: of a random pair in twenty or fewer."""
NDCG = "NDCG(k=100, gain=DistanceGain())"


def loss_of(name: str, task: str) -> str:
    """The loss as an expression; all compare by straight-line distance."""
    if name in ALONE:
        return f"OneAnchor(loss={loss_of(name.removesuffix(' of one anchor'), task)})"
    return {
        "log-ratio": "LogRatio()",
        "ratio": "Ratio()",
        "Huber log-ratio": "LogRatio(huber=1.0)",
        "binary triplets": "Triplet(similarity=squared_euclidean, margin=0.2, miner=NearestLabels(k=5))",
        "dense triplets": "DenseTriplet(margin=0.03, similarity=euclidean)",
        "contrastive": "Contrastive(similarity=euclidean, positive=0.0, negative=-1.0, power=2.0, "
        f"relate={THRESHOLD[task]})",
        "nDCG surrogate": f"Soft(similarity=euclidean, metric={NDCG})",
    }[name]


def sampler(mined: int, alone: bool = False) -> str:
    """Batches of as many anchors as there is room for, or of one, each followed by so many of its neighbours; 0: at random.

    >>> sampler(5)
    'DenseTriplets(batch_size=128, neighbours=5, anchors=21)'
    """
    anchors = f", anchors={BATCH // (1 + mined)}" * (mined > 0 and not alone)
    return f"DenseTriplets(batch_size={BATCH}, neighbours={mined}{anchors})"


def entry(method: Method, task: str) -> str:
    """A method as TOML."""
    lines = [f'name = "{method.name}"', f'loss = "{loss_of(method.loss, task)}"']
    if method.mined != CENTRE.mined or method.loss in ALONE:
        lines.append(f'sampler = "{sampler(method.mined, method.loss in ALONE)}"')
    if (method.dim, method.length) != (CENTRE.dim, CENTRE.length):
        unit = ", normalise=True" * (method.length == "unit")
        lines.append(f'head = "Linear(dim={method.dim}{unit})"')
    return "\n[[methods]]\n" + "\n".join(lines) + "\n"


def card(question: str, method: Method, twin: Method) -> str:
    """A comparison as TOML."""
    lines = {
        "system": f"question ({question})",
        "claim": f"{method.name} finds better than {twin.name}.",
        "source": "Kim, Seo, Laptev, Cho and Kwak, CVPR 2019, and its reviewers",
        "method": method.name,
        "twin": twin.name,
    }
    return "\n[[cards]]\n" + "".join(f'{name} = "{text}"\n' for name, text in lines.items())


def recipe(task: str, full: bool = False, seeds: int = 5) -> str:
    """The recipe of a task as TOML."""
    methods = grid() if full else staged()
    top = TASKS[task].format(many=len(methods), centre=CENTRE.name, sampler=sampler(CENTRE.mined), seeds=seeds)
    cards = [card(*pair) for pair in compared() if {*pair[1:]} <= {*methods}]
    return top + "".join(entry(method, task) for method in methods) + "".join(cards)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=tuple(TASKS))
    parser.add_argument("--full", action="store_true", help="all 560 methods")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    print(recipe(given.task, given.full, given.seeds), end="")


if __name__ == "__main__":
    main()
