//! A model of AWS for simulations.
