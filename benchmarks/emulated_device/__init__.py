"""A head on an emulated microcontroller whose serial port leads through a gateway to a tail."""
