"""What all methods had in common, and how to make the study again."""

from isometry.report.text import escape

from ..view import View


def held(view: View) -> str:
    """What was held constant with its hash, the recipe, what differed between machines, the command, the version."""
    f = view.findings
    facts = "".join(f"<div><dt>{escape(k)}</dt><dd><code>{escape(v)}</code></dd></div>" for k, v in f.held.items())
    constant = f'<dl class="settings">{facts}</dl>' if facts else '<p class="muted">Nothing was named.</p>'
    if f.differs:
        differs = '<ul class="missing">' + "".join(f"<li>{escape(line)}</li>" for line in f.differs) + "</ul>"
        differs += '<p class="muted">Two runs of one recipe may differ in the last digits where these differ.</p>'
    else:
        differs = (
            "<p>Nothing: versions, threads and device were the same in all trainings.</p>"
            if f.done
            else ('<p class="muted">No training has been done yet.</p>')
        )
    again = (
        f'<p><code class="command">{escape(f.command)}</code></p>'
        if f.command
        else "<p>isometry bench with the recipe.</p>"
    )
    return (
        '<section id="held"><h2>Held constant</h2><p class="lead">The same for all methods, or it would not be a comparison '
        f"of them. Results of another hash do not enter this page: <code>{escape(f.held_hash)}</code></p>{constant}"
        f"<h3>What differed between machines</h3>{differs}"
        f"<h3>Make it again</h3>{again}"
        f'<p class="muted">isometry {escape(f.version)}. What is done already is not trained again.</p>'
        f'<details><summary>The recipe</summary><pre class="recipe">{escape(f.recipe)}</pre></details></section>'
    )
