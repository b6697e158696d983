"""The parts of the page, from top to bottom; each is a function from a record to HTML."""

from .classes import classes as classes
from .curves import curves as curves
from .distance import distance as distance
from .gallery import gallery as gallery
from .geometry import geometry as geometry
from .headline import headline as headline
from .headline import results as results
from .headline import settings as settings
from .map import embedding_map as embedding_map
from .map import in_tenths as in_tenths
from .neighbours import neighbours as neighbours
from .reading import reading as reading
from .similarity import similarity as similarity
from .strangers import strangers as strangers
