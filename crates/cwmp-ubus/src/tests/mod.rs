//! The bytes of the bus: against recorded ones, there and back, and with what nobody should send.

mod frames;
mod golden;
mod hostile;
mod round_trip;
