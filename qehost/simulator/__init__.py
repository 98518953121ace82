"""A local venue: the stream and the REST interface of Quantum Execute, with a simulated market."""

from qehost.simulator.server import Venue

__all__ = ["Venue"]
