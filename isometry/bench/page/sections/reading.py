"""How to read the page: what each number is, and what it is not."""

from isometry.report.text import definition, escape, metric_name

from ..view import View

TERMS = (
    ("95 % interval", "From drawing whole test classes and whole seeds anew, again and again. It says how much a value could "
     "change with other classes of the same kind and other seeds; not with another data set. With one seed, classes alone."),
    ("Difference", "Both methods have the same test classes, and for each seed the same initial weights and batches, so what "
     "they share cancels. Intervals of two values may overlap although the difference is certain. With one seed it has no "
     "interval and no p."),
    ("p (Holm)", "Chance of a difference as large if two methods were alike, corrected for how many were tested: the chance "
     "that even one of those called different is noise is below 5 %. On the leaderboard the correction is for all methods "
     "against the reference; against the best and in the matrix it is for all pairs."),
    ("Not told apart", "p (Holm) is 0.05 or more. It does not show that two methods are equal; the study cannot tell."),
    ("Detectable", "The smallest true difference that a study of this size would find with probability 0.8 "
     "(p < 0.05, by a test of that one difference; Holm’s correction for many asks for a larger one)."),
    ("Search", "The same number of trials for every method, learning rates among what is searched, chosen by validation on "
     "training classes left out (items, where labels lie at a distance). "
     "The first trial has the method’s published settings. Test classes take no part."),
    ("Separated, concatenated", "The mean over the models of the folds; and the models’ embeddings joined into one, which is "
     "longer and nearly always better. Compare only values of the same kind."),
    ("Controls", "Raw pixels, trunks that were not trained further, random and classical projections; and a contrastive loss "
     "and a normalised softmax that were searched as hard as all the others."),
)  # fmt: skip


def reading(view: View) -> str:
    """Definitions of the study's metrics, then of what is derived from them."""
    metrics = dict.fromkeys((view.findings.metric, *view.findings.metrics))
    known = [(metric_name(m), definition(m)) for m in metrics if definition(m)]
    terms = [*((name, f"{text[0].upper()}{text[1:]}.") for name, text in known), *TERMS]
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in terms)
    return f'<section id="reading"><h2>How to read this</h2><dl class="terms">{rows}</dl></section>'
