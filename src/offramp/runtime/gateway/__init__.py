"""Microcontrollers behind a serial port: their frames in, requests to the tail out, and its answers back."""

from offramp.runtime.gateway.answers import DeviceAnswer, GatewayCounts
from offramp.runtime.gateway.gateway import Gateway
from offramp.runtime.gateway.line import SerialLine

__all__ = ["DeviceAnswer", "Gateway", "GatewayCounts", "SerialLine"]
