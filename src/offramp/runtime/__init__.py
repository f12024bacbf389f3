"""Edge and tail as processes: sockets, clocks and threads around the core. Free of Torch."""

from offramp.runtime.answer import Answer
from offramp.runtime.channel import LinkSettings
from offramp.runtime.device import MODES, Mode
from offramp.runtime.edge import Edge
from offramp.runtime.fleet import Fleet
from offramp.runtime.link import ShapedLink
from offramp.runtime.metrics import Metrics
from offramp.runtime.models import Model, models_of
from offramp.runtime.network import Network
from offramp.runtime.onnx_tail import onnx_tail
from offramp.runtime.policy import LinkPolicy
from offramp.runtime.ray_tails import RayTails
from offramp.runtime.scores import Scores, edge_scores, scores_of, server_scores
from offramp.runtime.security import ClientSecurity, ServerSecurity
from offramp.runtime.serving import serve
from offramp.runtime.tail import TailServer
from offramp.runtime.tail_counts import TailCounts
from offramp.runtime.tail_settings import MAX_BYTES_IN_FLIGHT, MAX_MESSAGE_BYTES, TailSettings

__all__ = [
    "MAX_BYTES_IN_FLIGHT",
    "MAX_MESSAGE_BYTES",
    "MODES",
    "Answer",
    "ClientSecurity",
    "Edge",
    "Fleet",
    "LinkPolicy",
    "LinkSettings",
    "Metrics",
    "Mode",
    "Model",
    "Network",
    "RayTails",
    "Scores",
    "ServerSecurity",
    "ShapedLink",
    "TailCounts",
    "TailServer",
    "TailSettings",
    "edge_scores",
    "models_of",
    "onnx_tail",
    "scores_of",
    "serve",
    "server_scores",
]
