"""The parts of the page, from top to bottom; each is a function from the view of a study to HTML."""

from .budget import budget as budget
from .cost import cost as cost
from .failures import failures as failures
from .geometry import geometry as geometry
from .headline import headline as headline
from .held import held as held
from .leaderboard import leaderboard as leaderboard
from .pairs import pairs as pairs
from .ranks import Ranks as Ranks
from .ranks import rank_diagram as rank_diagram
from .reading import reading as reading
from .sensitivity import sensitivity as sensitivity
from .verdicts import verdicts as verdicts
